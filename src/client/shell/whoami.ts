import { whoami } from '../../command/whoami.ts';
import type { Protection } from '../protection.ts';
import { print } from './answer.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell, subcommand } from './shell.ts';

/** `whoami`: who the server takes one for, and what this end knows of the connection, which no server can say for it. */
export function addWhoami(shell: Shell): void {
  subcommand(shell.program, ['whoami'], whoami.summary)
    .option('--verbose', 'also show how the connection to the server is protected')
    .addHelpText('after', examplesText([...(whoami.shell?.examples ?? []), 'secure-inv whoami --verbose']))
    .action(async ({ verbose }: { readonly verbose?: boolean }) => {
      const { json } = shell.options();
      await withSession(shell, async (session, endpoint) => {
        const result = await session.call(whoami, {});
        const connection = verbose ? await session.protection() : undefined;
        print(whoami, connection ? { ...result, connection } : result, json, endpoint);
        if (connection && !json) process.stdout.write(`${describe(connection)}\n`);
      });
    });
}

function describe({ protocol, cipher, keyExchange, postQuantum }: Protection): string {
  const note =
    postQuantum === null
      ? 'this Node.js does not tell which'
      : postQuantum
        ? 'post-quantum'
        : 'not post-quantum: that takes Node.js 24 at both ends';
  return `Connection: ${protocol}, ${cipher}, key exchange ${keyExchange} (${note}).`;
}
