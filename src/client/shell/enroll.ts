import type * as v from 'valibot';
import { checkResult } from '../../command/check.ts';
import { enroll } from '../../command/enroll.ts';
import { grant } from '../../command/field.ts';
import { hello } from '../../command/hello.ts';
import { formatAddress, parseEnrolmentLink } from '../../model/enrolment-link.ts';
import { Failure } from '../../model/failure.ts';
import { tokensOf } from '../call.ts';
import { type CallCommand, keepCertificate, type NewCertificate, requestCertificate } from '../certificate.ts';
import { ClientConnection, fetchAuthority } from '../connect.ts';
import { ContextStore } from '../context.ts';
import { ask, isInteractive } from '../terminal.ts';
import { isTyped, type PasswordSource, readNewPassword } from './password.ts';
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
        const { user, role } = checkResult(enroll.result, await connection.request('enroll', { code }));
        if (isInteractive()) process.stderr.write(`Hello ${user} (${role}).\n`);
        const granted = await choosePassword(connection, { ...options, ...flags }).catch(tellThatLinkIsSpent(user));
        const name = options.context ?? formatAddress(host, port);
        const store = new ContextStore(options.configFolder, options.stateFolder);
        await store.save({ name, host, port, ca: authority.pem, user });
        await store.writeTokens(name, tokensOf(granted));
        const { authMode } = checkResult(hello.result, await connection.request('hello', {}));
        const needsCertificate = authMode === 'mutual' || authMode === 'both';
        const certificate = needsCertificate ? await getCertificate(connection, store, name, user) : undefined;
        if (authMode === 'mutual') {
          // By certificate alone there is nothing to log in to. An end that gets lost comes by itself.
          await store.writeTokens(name, {});
          await connection.request('logout', {}).catch(() => undefined);
        }
        const loggedIn = `You are logged in to ${name} as ${user} (${role})`;
        const next = certificate
          ? `${loggedIn}, with a certificate that is good until ${certificate.expiresAt} and renewed in time. Try: secure-inv view`
          : needsCertificate
            ? `Your password is set. The server at ${name} asks for a client certificate, too: when the operator has given it to you, run: secure-inv login --cert FILE --key FILE`
            : `${loggedIn}. Try: secure-inv view`;
        const { serial, expiresAt } = certificate ?? {};
        say(shell, next, { user, role, context: name, ...(certificate ? { certificate: { serial, expiresAt } } : {}) });
      } finally {
        connection.close();
      }
    });
}

/**
 * The first certificate, kept for the context; undefined where the server gives none. The password is set by now and the
 * link spent, so whatever goes wrong here is said and no more.
 */
async function getCertificate(
  connection: ClientConnection,
  store: ContextStore,
  context: string,
  user: string,
): Promise<NewCertificate | undefined> {
  try {
    const call: CallCommand = async (command, params) =>
      checkResult(command.result, await connection.request(command.name, params));
    const made = await requestCertificate(call, user);
    await keepCertificate({ store, context }, made);
    await store.showCertificate(context);
    return made;
  } catch (error) {
    const isPolicy = error instanceof Failure && error.code === 'forbidden';
    if (!isPolicy) process.stderr.write(`secure-inv: ${error instanceof Error ? error.message : error}\n`);
    return undefined;
  }
}

/** Whoever leaves now would try the same link again, in vain. */
function tellThatLinkIsSpent(user: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof Failure)) throw error;
    const spent = `This link is spent. Ask an administrator for a new one (secure-inv user reset ${user}); the first administrator finds one where the server runs.`;
    throw new Failure(error.code, error.message, {
      ...error.details,
      hint: [error.details.hint, spent].filter(Boolean).join(' '),
    });
  };
}

/** Asks until the server accepts the password: the code is spent, so giving up here would cost a new link. */
async function choosePassword(
  connection: ClientConnection,
  source: PasswordSource,
): Promise<v.InferOutput<typeof grant>> {
  for (;;) {
    const password = await readNewPassword(source);
    try {
      return checkResult(grant, await connection.request('enroll', { password }));
    } catch (error) {
      const again = error instanceof Failure && error.code === 'bad-params' && isTyped(source);
      if (!again) throw error;
      process.stderr.write(`${error.message} ${error.details.hint ?? ''}\n`);
    }
  }
}
