import { logout } from '../../command/logout.ts';
import { Failure } from '../../model/failure.ts';
import { findTarget, openSession } from '../target.ts';
import { examplesText, type Shell, say, subcommand } from './shell.ts';

/** `logout`: the server forgets the session, and this account its tokens. */
export function addLogout(shell: Shell): void {
  subcommand(shell.program, ['logout'], logout.summary)
    .addHelpText('after', examplesText(['secure-inv logout']))
    .action(async () => {
      const options = shell.options();
      const { store, context } = await findTarget(options);
      const tokens = context && (await store.readTokens(context.name));
      if (!context || tokens?.refreshToken === undefined) {
        return say(shell, 'You are not logged in.', {});
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
      say(shell, `You are logged out of ${context.name}.`, {});
    });
}
