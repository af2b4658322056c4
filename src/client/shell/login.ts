import { resolve } from 'node:path';
import { checkResult } from '../../command/check.ts';
import { grant } from '../../command/field.ts';
import { hello } from '../../command/hello.ts';
import { serverStatus } from '../../command/server/status.ts';
import { whoami } from '../../command/whoami.ts';
import { formatAddress } from '../../model/enrolment-link.ts';
import { Failure } from '../../model/failure.ts';
import { tokensOf } from '../call.ts';
import { ClientConnection, type Endpoint, fetchAuthority } from '../connect.ts';
import type { Context } from '../context.ts';
import { findTarget, readCertificate, readGiven, type Target } from '../target.ts';
import { agrees, ask, isInteractive } from '../terminal.ts';
import { isTyped, type PasswordSource, readPassword } from './password.ts';
import { warnOfEnd } from './session.ts';
import { examplesText, type Shell, type ShellOptions, say, subcommand } from './shell.ts';

interface LoginFlags extends PasswordSource {
  readonly user?: string;
  readonly fingerprint?: string;
}

const triesMax = 3;

/** `login`: asks user and password, and at first contact whether this is the right server, as ssh does. */
export function addLogin(shell: Shell): void {
  subcommand(shell.program, ['login'], 'Log in to a server; it becomes the current context.')
    .option('--user <name>', 'the user (asked for when left out)')
    .option('--password-stdin', 'read the password from standard input')
    .option('--fingerprint <sha256>', 'trust the server whose authority has this fingerprint, without asking')
    .addHelpText(
      'after',
      examplesText([
        'secure-inv login',
        'secure-inv login --server inv.example.com --user clerk1',
        'secure-inv login --cert clerk1.pem --key clerk1-key.pem',
      ]),
    )
    .action(async (flags: LoginFlags) => {
      const options = shell.options();
      const target = await findLoginTarget(options);
      const ca = await trust(target, options, flags.fingerprint);
      const { host, port } = target;
      const isGood = await keptCertificateIsGood(target, options, ca);
      const files = options.cert !== undefined ? options : isGood ? target.context : undefined;
      const certificate = await readCertificate(files ?? {}, undefined);
      const endpoint = { host, port, ca, certificate };
      const name = options.context ?? target.context?.name ?? formatAddress(host, port);
      if (files?.cert !== target.store.certificateFile(name)) warnOfEnd(certificate, options);
      const context = { name, host, port, ca, cert: absolute(files?.cert), key: absolute(files?.key) };
      try {
        if (certificate && (await certificateIsEnough(endpoint))) {
          return await loginByCertificate(shell, target, context, endpoint);
        }
        await loginByPassword(shell, target, context, endpoint, flags);
      } catch (error) {
        await rememberTrust(error, target, context);
        throw error;
      }
    });
}

/** A context that is not there yet is a name for what this login makes. */
async function findLoginTarget(options: ShellOptions): Promise<Target> {
  try {
    return await findTarget(options);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'not-found') throw error;
    return findTarget({ ...options, context: undefined });
  }
}

/** A context is used from any folder. */
function absolute(file: string | undefined): string | undefined {
  return file === undefined || file.startsWith('~/') ? file : resolve(file);
}

/** The authority to trust: given, known from before, or shown and agreed to. */
async function trust(target: Target, { ca }: ShellOptions, fingerprint: string | undefined): Promise<string> {
  const { host, port, context } = target;
  if (ca !== undefined) return readGiven(ca, '--ca');
  if (context && fingerprint === undefined) return context.ca;
  const authority = await fetchAuthority(host, port);
  if (fingerprint !== undefined) {
    const plain = (text: string) =>
      text
        .replace(/^sha256:/i, '')
        .replaceAll(':', '')
        .toUpperCase();
    if (fingerprint === authority.fingerprint || plain(fingerprint) === plain(authority.shownFingerprint))
      return authority.pem;
    throw new Failure('untrusted', `The authority of ${formatAddress(host, port)} has another fingerprint.`, {
      hint: `It shows ${authority.shownFingerprint}. Do not log in unless the operator confirms it.`,
    });
  }
  const shown = `You were never logged in to ${formatAddress(host, port)}. Its authority's SHA-256 fingerprint is`;
  if (!isInteractive()) {
    throw new Failure('untrusted', `${shown} ${authority.shownFingerprint}`, {
      hint: 'Compare it with the one the server prints when it starts, then add --fingerprint SHA256 (or --ca FILE).',
    });
  }
  process.stderr.write(`${shown}\n  ${authority.shownFingerprint}\nThe server prints it when it starts.\n`);
  if (await agrees('Is it the same?')) return authority.pem;
  throw new Failure('untrusted', 'Not logged in: you did not trust the server.', {
    hint: 'Ask the operator for the fingerprint, or for an enrolment link, which contains it.',
  });
}

/** Whom somebody agreed to trust, and who then refused a login, is not asked about again: as in ssh. */
async function rememberTrust(error: unknown, { store, context: known }: Target, context: Context): Promise<void> {
  if (known || !(error instanceof Failure) || !/^(login-|certificate-|busy)/.test(error.code)) return;
  const { name, host, port, ca } = context;
  await store.remember({ name, host, port, ca });
}

/**
 * Whether the certificate that this context got from the server is accepted still; true where there is none of the kind.
 * Nobody can mend one that has ended, so a password is asked as if it had never been there.
 */
async function keptCertificateIsGood({ store, context, host, port }: Target, options: ShellOptions, ca: string) {
  if (!context || options.cert !== undefined || context.cert !== store.certificateFile(context.name)) return true;
  try {
    const certificate = await readCertificate({}, context);
    await once({ host, port, ca, certificate }, (connection) => connection.request('hello', {}));
    return true;
  } catch (error) {
    const isEnded = error instanceof Failure && (error.code === 'certificate-refused' || error.code === 'bad-params');
    if (!isEnded) throw error;
    return false;
  }
}

async function certificateIsEnough(endpoint: Endpoint): Promise<boolean> {
  const { authMode } = await once(endpoint, async (connection) =>
    checkResult(hello.result, await connection.request('hello', {})),
  );
  return authMode === 'mutual' || authMode === 'either';
}

async function loginByCertificate(
  shell: Shell,
  { store }: Target,
  context: Context,
  endpoint: Endpoint,
): Promise<void> {
  const { user, role, notices } = await once(endpoint, async (connection) => {
    const known = checkResult(whoami.result, await connection.request('whoami', {}));
    // There is no login to tell it with: whoever may ask is told all the same.
    const isTold = known.permissions.includes('server:read');
    const status = isTold ? checkResult(serverStatus.result, await connection.request('server.status', {})) : undefined;
    return { ...known, notices: status?.warnings };
  });
  await store.save({ ...context, user });
  await store.writeTokens(context.name, {});
  const result = { user, role, context: context.name };
  sayLogin(shell, `You are logged in to ${context.name} as ${user} (${role}), by certificate.`, result, notices);
}

async function loginByPassword(
  shell: Shell,
  target: Target,
  context: Context,
  endpoint: Endpoint,
  { user: given, ...flags }: LoginFlags,
): Promise<void> {
  const source = { passwordFile: shell.options().passwordFile, ...flags };
  const { store } = target;
  const user = given ?? (await askUser(target.context?.user));
  const { device } = await store.readTokens(context.name);
  for (let tries = 1; ; tries++) {
    // Asked before connecting: the server does not wait for people.
    const password = await readPassword(source);
    try {
      const params = { user, password, ...(device === undefined ? {} : { device }) };
      const granted = await once(endpoint, async (connection) =>
        checkResult(grant, await connection.request('login', params)),
      );
      await store.save({ ...context, user });
      await store.writeTokens(context.name, tokensOf(granted));
      const result = { user, role: granted.role, context: context.name };
      const sentence = `You are logged in to ${context.name} as ${user} (${granted.role}).`;
      return sayLogin(shell, sentence, result, granted.notices);
    } catch (error) {
      const isWrong = error instanceof Failure && error.code === 'login-failed';
      const again = isWrong && isTyped(source) && tries < triesMax;
      if (!again) throw error;
      await rememberTrust(error, target, context);
      process.stderr.write(`${error.message} Try again.\n`);
    }
  }
}

/** What the server warns of goes beside the answer: a script that reads one is not confused by the other. */
function sayLogin(
  shell: Shell,
  sentence: string,
  result: Readonly<Record<string, unknown>>,
  notices: readonly string[] = [],
): void {
  say(shell, sentence, notices.length > 0 ? { ...result, notices } : result);
  if (!shell.options().json) for (const notice of notices) process.stderr.write(`notice: ${notice}\n`);
}

async function askUser(known: string | undefined): Promise<string> {
  const prompt = known === undefined ? 'User: ' : `User [${known}]: `;
  for (;;) {
    const user = (await ask(prompt)) || known;
    if (user !== undefined) return user;
  }
}

async function once<T>(endpoint: Endpoint, use: (connection: ClientConnection) => Promise<T>): Promise<T> {
  const connection = await ClientConnection.open(endpoint);
  try {
    return await use(connection);
  } finally {
    connection.close();
  }
}
