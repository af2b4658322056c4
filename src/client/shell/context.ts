import { renderTable } from '../../command/table.ts';
import { formatAddress } from '../../model/enrolment-link.ts';
import { Failure } from '../../model/failure.ts';
import { printable } from '../../model/printable.ts';
import { fingerprintOf } from '../connect.ts';
import { ContextStore } from '../context.ts';
import { listQueues } from '../queue.ts';
import { findTarget } from '../target.ts';
import { openScreen } from '../terminal.ts';
import { examplesText, type Shell, say, subcommand } from './shell.ts';

/** `context`: the servers this account knows. */
export function addContext(shell: Shell): void {
  const open = () => new ContextStore(shell.options().configFolder, shell.options().stateFolder);
  subcommand(shell.program, ['context', 'list'], 'List the servers you have logged in to.')
    .addHelpText('after', examplesText(['secure-inv context list']))
    .action(async () => {
      const { current, contexts } = await open().list();
      const shown = contexts.map(({ name, host, port, user, cert }) => {
        return { name, server: formatAddress(host, port), user, cert, current: name === current };
      });
      const rows = shown.map((one) => [one.current ? '*' : '', one.name, one.server, one.user ?? '', one.cert ?? '']);
      const headings = ['', 'CONTEXT', 'SERVER', 'USER', 'CERTIFICATE'].map((heading) => ({ heading }));
      const screen = openScreen();
      const none = 'You know no server yet. Run: secure-inv login';
      say(shell, rows.length === 0 ? none : renderTable(headings, rows, screen), { contexts: shown });
    });
  subcommand(shell.program, ['context', 'use'], 'Make a context the current one.')
    .argument('<name>', 'as context list shows it')
    .addHelpText('after', examplesText(['secure-inv context use inv.example.com:7443']))
    .action(async (name: string) => {
      await open().use(name);
      say(shell, `${printable(name)} is the current context.`, { context: name });
    });
  subcommand(
    shell.program,
    ['context', 'authority'],
    'Print the authority that this context trusts, for a --ca elsewhere.',
  )
    .addHelpText('after', examplesText(['secure-inv context authority > server-ca.pem']))
    .action(async () => {
      const { context } = await findTarget(shell.options());
      if (!context) {
        throw new Failure('login-required', 'You know no server yet.', { hint: 'Run: secure-inv login' });
      }
      const authority = context.ca.trim();
      say(shell, authority, { context: context.name, authority, fingerprint: fingerprintOf(authority) });
    });
  subcommand(shell.program, ['context', 'remove'], 'Forget a context, its tokens and whom it trusted.')
    .argument('<name>', 'as context list shows it')
    .addHelpText('after', examplesText(['secure-inv context remove old.example.com:7443']))
    .action(async (name: string) => {
      await assertNothingWaits(shell, name);
      await open().remove(name);
      say(shell, `${printable(name)} is forgotten.`, { context: name });
    });
}

/** What waits in a context could not be sent without it. Failures: `conflict`. */
async function assertNothingWaits(shell: Shell, name: string): Promise<void> {
  const waiting = (await listQueues(shell.options().stateFolder)).filter(({ context }) => context === name).length;
  if (waiting === 0) return;
  throw new Failure(
    'conflict',
    `${waiting} of your operations in ${name} ${waiting === 1 ? 'is' : 'are'} not settled.`,
    {
      hint: 'See: secure-inv queue list --all. Then: secure-inv queue send, or: secure-inv queue drop ID',
    },
  );
}
