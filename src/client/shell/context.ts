import { renderTable } from '../../command/table.ts';
import { formatAddress } from '../../model/enrolment-link.ts';
import { ContextStore } from '../context.ts';
import { openScreen } from '../terminal.ts';
import { examplesText, type Shell, subcommand } from './shell.ts';

/** `context`: the servers this account knows. */
export function addContext(shell: Shell): void {
  const open = () => new ContextStore(shell.options().configFolder, shell.options().stateFolder);
  subcommand(shell.program, ['context', 'list'], 'List the servers you have logged in to.')
    .addHelpText('after', examplesText(['secure-inv context list']))
    .action(async () => {
      const { current, contexts } = await open().list();
      if (shell.options().json) {
        const shown = contexts.map(({ name, host, port, user, cert }) => ({
          name,
          server: formatAddress(host, port),
          user,
          cert,
          current: name === current,
        }));
        process.stdout.write(`${JSON.stringify({ contexts: shown })}\n`);
        return;
      }
      const rows = contexts.map(({ name, host, port, user, cert }) => [
        name === current ? '*' : '',
        name,
        formatAddress(host, port),
        user ?? '',
        cert ?? '',
      ]);
      const headings = ['', 'CONTEXT', 'SERVER', 'USER', 'CERTIFICATE'].map((heading) => ({ heading }));
      const table = renderTable(
        headings,
        rows,
        openScreen(() => ''),
      );
      process.stdout.write(rows.length === 0 ? 'You know no server yet. Run: secure-inv login\n' : `${table}\n`);
    });
  subcommand(shell.program, ['context', 'use'], 'Make a context the current one.')
    .argument('<name>', 'as context list shows it')
    .addHelpText('after', examplesText(['secure-inv context use inv.example.com:7443']))
    .action(async (name: string) => {
      await open().use(name);
      process.stdout.write(`${name} is the current context.\n`);
    });
  subcommand(shell.program, ['context', 'remove'], 'Forget a context, its tokens and whom it trusted.')
    .argument('<name>', 'as context list shows it')
    .addHelpText('after', examplesText(['secure-inv context remove old.example.com:7443']))
    .action(async (name: string) => {
      await open().remove(name);
      process.stdout.write(`${name} is forgotten.\n`);
    });
}
