import { Command as Words } from 'commander';
import { audit } from '../../command/audit.ts';
import { history } from '../../command/history.ts';
import { commands } from '../../command/index.ts';
import { watch } from '../../command/watch.ts';
import { whoami } from '../../command/whoami.ts';
import { addAudit } from './audit.ts';
import { addCert } from './cert.ts';
import { addCompletion } from './completion.ts';
import { addContext } from './context.ts';
import { addEnroll } from './enroll.ts';
import { addExport } from './export.ts';
import { addHistory } from './history.ts';
import { addImport } from './import.ts';
import { addLogin } from './login.ts';
import { addLogout } from './logout.ts';
import { addMenu } from './menu.ts';
import { addPasswd } from './passwd.ts';
import { addQueue } from './queue.ts';
import { addRefresh } from './refresh.ts';
import { addRemote } from './remote.ts';
import { examplesText, refuseUsage, type Shell, type ShellOptions } from './shell.ts';
import { addWatch } from './watch.ts';
import { addWhoami } from './whoami.ts';

/** The command line of `secure-inv`: what the command table says, and what only a client can do. */
export function buildProgram(environment: ShellOptions, version: string): Words {
  const program = new Words('secure-inv')
    .description('Add, take and view stock on a secure-inv server.')
    .version(version)
    .option('--json', 'print results and errors as JSON')
    .option('--context <name>', 'use this context instead of the current one')
    .option('--server <host:port>', 'use this server')
    .option('--ca <file>', 'trust this authority (PEM) for the server')
    .option('--cert <file>', 'show this client certificate (PEM)')
    .option('--key <file>', 'the key of that certificate (PEM)')
    .addHelpText('after', examplesText(['secure-inv login', 'secure-inv add Maggi 200', 'secure-inv view']))
    .configureOutput({ outputError: () => undefined }) // What it refuses is printed once, in our form.
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 30 })
    .showSuggestionAfterError(true)
    .exitOverride(refuseUsage([]));
  const shell: Shell = { program, options: () => ({ ...environment, ...given(program.opts()) }) };
  addEnroll(shell);
  addLogin(shell);
  addImport(shell);
  for (const command of commands) {
    if (command === audit) addAudit(shell);
    else if (command === history) addHistory(shell);
    else if (command === watch) addWatch(shell);
    else if (command === whoami) addWhoami(shell);
    else addRemote(shell, command);
  }
  addExport(shell);
  addRefresh(shell);
  addPasswd(shell);
  addLogout(shell);
  addCert(shell);
  addContext(shell);
  addQueue(shell);
  addMenu(shell);
  addCompletion(shell);
  return program;
}

function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T; // Fewer keys.
}
