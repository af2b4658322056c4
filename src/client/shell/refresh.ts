import { withSession } from './session.ts';
import { examplesText, type Shell, say, subcommand } from './shell.ts';

/** `refresh`: what every command does unasked when its access token has ended, done now. */
export function addRefresh(shell: Shell): void {
  subcommand(shell.program, ['refresh'], 'Renew this login now; commands do it by themselves when it is due.')
    .addHelpText('after', examplesText(['secure-inv refresh']))
    .action(() =>
      withSession(shell, async (session) => {
        const { expiresAt } = await session.refresh();
        say(shell, `Your login is renewed; the access token is good until ${expiresAt}.`, { expiresAt });
      }),
    );
}
