import { passwd } from '../../command/passwd.ts';
import { Failure } from '../../model/failure.ts';
import { tokensOf } from '../call.ts';
import { findTarget } from '../target.ts';
import { type PasswordSource, readPasswordChange } from './password.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell, say, subcommand } from './shell.ts';

/** `passwd`: a new password; this login goes on, all others end. */
export function addPasswd(shell: Shell): void {
  subcommand(shell.program, ['passwd'], passwd.summary)
    .option('--password-stdin', 'read the current and then the new password from standard input, a line each')
    .addHelpText('after', examplesText(['secure-inv passwd', 'secure-inv passwd --password-stdin < file']))
    .action(async (flags: PasswordSource) => {
      const { store, context } = await findTarget(shell.options());
      if (!context)
        throw new Failure('login-required', 'You are not logged in to any server.', { hint: 'Run: secure-inv login' });
      await withSession(shell, async (session) => {
        const granted = await session.call(passwd, { ...(await readPasswordChange(flags)) });
        // By certificate or token it may be another user's password than the one whose login is saved here.
        if (granted.user === context.user) await store.writeTokens(context.name, tokensOf(granted));
        say(shell, 'Your password is changed. Your other logins have ended.', {});
      });
    });
}
