import * as v from 'valibot';
import { enroll } from '../../command/enroll.ts';
import { grant } from '../../command/field.ts';
import { formatAddress, parseEnrolmentLink } from '../../model/enrolment-link.ts';
import { Failure } from '../../model/failure.ts';
import { tokensOf } from '../call.ts';
import { ClientConnection, fetchAuthority } from '../connect.ts';
import { ContextStore } from '../context.ts';
import { ask, isInteractive } from '../terminal.ts';
import { type PasswordSource, readNewPassword } from './password.ts';
import { examplesText, type Shell, say, subcommand } from './shell.ts';

/** `enroll`: one paste establishes trust, sets the password and logs in. */
export function addEnroll(shell: Shell): void {
  subcommand(shell.program, ['enroll'], 'Set your first password with the link you were given, and log in.')
    .argument('[link]', 'the enrolment link (asked for when left out: others can see what you type here)')
    .option('--password-stdin', 'read the password from standard input')
    .addHelpText(
      'after',
      examplesText(['secure-inv enroll', "secure-inv enroll 'secure-inv://…' --password-stdin < file"]),
    )
    .action(async (given: string | undefined, flags: PasswordSource) => {
      const link = parseEnrolmentLink(given ?? (await ask('Enrolment link: ')));
      const { host, port, code } = link;
      const authority = await fetchAuthority(host, port);
      if (authority.fingerprint !== link.fingerprint) {
        throw new Failure('untrusted', `The server at ${formatAddress(host, port)} is not the one this link is for.`, {
          hint: 'Somebody else may be answering, or the operator made new authorities: ask for a new link.',
        });
      }
      const connection = await ClientConnection.open({ host, port, ca: authority.pem });
      try {
        const options = shell.options();
        const { user, role } = v.parse(enroll.result, await connection.request('enroll', { code }));
        if (isInteractive()) process.stderr.write(`Hello ${user} (${role}).\n`);
        const granted = await choosePassword(connection, { ...options, ...flags });
        const name = options.context ?? formatAddress(host, port);
        const store = new ContextStore(options.configFolder, options.stateFolder);
        await store.save({ name, host, port, ca: authority.pem, user });
        await store.writeTokens(name, tokensOf(granted));
        say(shell, `You are logged in to ${name} as ${user} (${role}). Try: secure-inv view`, {
          user,
          role,
          context: name,
        });
      } finally {
        connection.close();
      }
    });
}

/** Asks until the server accepts the password: the code is spent, so giving up here would cost a new link. */
async function choosePassword(
  connection: ClientConnection,
  source: PasswordSource,
): Promise<v.InferOutput<typeof grant>> {
  for (;;) {
    const password = await readNewPassword(source);
    try {
      return v.parse(grant, await connection.request('enroll', { password }));
    } catch (error) {
      const again = error instanceof Failure && error.code === 'bad-params' && isInteractive() && !source.passwordStdin;
      if (!again) throw error;
      process.stderr.write(`${error.message} ${error.details.hint ?? ''}\n`);
    }
  }
}
