import { logout } from '../../command/logout.ts';
import { Failure } from '../../model/failure.ts';
import { printable } from '../../model/printable.ts';
import type { Context } from '../context.ts';
import { findTarget, openSession } from '../target.ts';
import { examplesText, type Shell, type ShellOptions, say, subcommand } from './shell.ts';

/** `logout`: the server forgets the session, and this account its tokens. */
export function addLogout(shell: Shell): void {
  subcommand(shell.program, ['logout'], logout.summary)
    .addHelpText('after', examplesText(['secure-inv logout']))
    .action(async () => {
      const options = shell.options();
      const { store, context } = await findTarget(options);
      const tokens = context && (await store.readTokens(context.name));
      if (!context || tokens?.refreshToken === undefined) {
        return say(shell, withoutLogin(context, options), {});
      }
      // It is the saved login that ends.
      const { session } = await openSession({ ...options, token: undefined, tokenFile: undefined });
      try {
        await session.call(logout, {});
      } catch (error) {
        const isOver = error instanceof Failure && /^(session-expired|login-required)$/.test(error.code);
        if (!isOver) throw error;
      } finally {
        await session.close();
      }
      const { device } = tokens;
      await store.writeTokens(context.name, device === undefined ? {} : { device });
      say(shell, `You are logged out of ${printable(context.name)}.`, {});
    });
}

/** Who has no login may still be known to the server, in a way that no logout ends. */
function withoutLogin(context: Context | undefined, { cert, token, tokenFile }: ShellOptions): string {
  const none = context ? `You have no login at ${context.name} to end` : 'You have no login to end';
  if (token !== undefined || tokenFile !== undefined) {
    return `${none}: commands use the API token of SECURE_INV_TOKEN or SECURE_INV_TOKEN_FILE. To end it: secure-inv token revoke`;
  }
  if (cert !== undefined) return `${none}: the client certificate that you give says who you are.`;
  if (context?.cert === undefined) return 'You are not logged in.';
  return `${none}: its client certificate says who you are. To forget both: secure-inv context remove ${context.name}`;
}
