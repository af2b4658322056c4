import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { isOpenToOthers } from '../file/private-file.ts';
import { parseCertificateUser } from '../model/certificate-user.ts';
import { formatAddress } from '../model/enrolment-link.ts';
import { Failure } from '../model/failure.ts';
import { ClientSession } from './call.ts';
import type { KeptCertificate } from './certificate.ts';
import { type Endpoint, fingerprintOf } from './connect.ts';
import { type Context, ContextStore } from './context.ts';
import { unreadable } from './own-file.ts';
import type { QueueOwner } from './queue-entry.ts';

/** Where and who, as options, environment or a caller's code say it. Files as paths. */
export interface TargetOptions {
  readonly context?: string | undefined;
  /** HOST, HOST:PORT or [IPv6]:PORT. */
  readonly server?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
  /** Names a file with a token, for when none is given. */
  readonly tokenFile?: string | undefined;
  readonly configFolder: string;
  readonly stateFolder: string;
}

const defaultPort = 7443;

/** The server and the context that a command is about. */
export interface Target {
  readonly store: ContextStore;
  /** Absent for a server that was never logged in to. */
  readonly context: Context | undefined;
  readonly host: string;
  readonly port: number;
}

/** Finds the context: by name, by server, or the current one. Failures: `not-found`, `bad-params`. */
export async function findTarget(options: TargetOptions): Promise<Target> {
  const store = new ContextStore(options.configFolder, options.stateFolder);
  const named = options.context === undefined ? undefined : await store.find(options.context);
  if (options.server === undefined) {
    const context = named ?? (await store.find(undefined));
    return { store, context, host: context?.host ?? '127.0.0.1', port: context?.port ?? defaultPort };
  }
  const { host, port } = parseServer(options.server);
  const { current, contexts } = await store.list();
  const candidates = contexts.filter((context) => context.host === host && context.port === port);
  const context = named ?? candidates.find(({ name }) => name === current) ?? candidates[0];
  return { store, context, host, port };
}

/** A session, where it leads to, and the certificate that is to be renewed over it when it is due. */
export interface OpenedSession {
  readonly session: ClientSession;
  readonly endpoint: Endpoint;
  readonly kept?: KeptCertificate | undefined;
  /** Whose operations it sends, when that is a saved login's user. */
  readonly owner?: QueueOwner | undefined;
}

/** A session for the target. Failures: `login-required` for a server never logged in to, `bad-params` for files. */
export async function openSession(options: TargetOptions): Promise<OpenedSession> {
  const { store, context, host, port } = await findTarget(options);
  const ca = options.ca === undefined ? context?.ca : await readGiven(options.ca, '--ca');
  if (ca === undefined && (options.token !== undefined || options.tokenFile !== undefined)) throw homeless(options);
  if (ca === undefined) {
    const where = options.server === undefined ? 'any server' : formatAddress(host, port);
    const login = options.server === undefined ? 'login' : `login --server ${formatAddress(host, port)}`;
    throw new Failure('login-required', `You are not logged in to ${where}.`, {
      hint: `Run: secure-inv ${login}, or with the link you were given: secure-inv enroll`,
    });
  }
  if (context) assertSameServer(context, { host, port, ca });
  const isKept =
    options.cert === undefined && context !== undefined && context.cert === store.certificateFile(context.name);
  if (isKept) await assertIsPrivate(store.certificateFile(context.name));
  const certificate = await readCertificate(options, context);
  const endpoint = { host, port, ca, certificate };
  const token = options.token ?? (await readToken(options.tokenFile));
  if (token !== undefined) return { session: new ClientSession(endpoint, { kind: 'token', token }), endpoint };
  // A certificate given for this command stands for its user; whoever else is logged in here is not asked.
  const isOfContext = certificate === undefined || namesUser(certificate.cert, context?.user);
  if (context === undefined || (options.cert !== undefined && !isOfContext)) {
    return { session: new ClientSession(endpoint, { kind: 'certificate' }), endpoint };
  }
  const { name, user } = context;
  const session = new ClientSession(endpoint, { kind: 'saved', store, context: name, user });
  const owner = user === undefined ? undefined : { context: name, server: formatAddress(host, port), user };
  return { session, endpoint, kept: isKept ? { store, context: name } : undefined, owner };
}

/**
 * Whose operations the options mean, whether there is a server or not. Failures: `login-required` without a login that
 * was saved, `bad-params` with a certificate or a token, whose user only the server knows.
 */
export async function findOwner(options: TargetOptions): Promise<QueueOwner> {
  if (options.cert !== undefined || options.token !== undefined || options.tokenFile !== undefined) {
    throw new Failure('bad-params', 'A queue belongs to a saved login; here a certificate or a token was given.', {
      hint: 'Leave out --cert and SECURE_INV_TOKEN, and run: secure-inv login',
    });
  }
  const { context } = await findTarget(options);
  if (context?.user === undefined) {
    throw new Failure('login-required', 'A queue belongs to a login, and you have none here.', {
      hint: 'Run: secure-inv login',
    });
  }
  return { context: context.name, server: formatAddress(context.host, context.port), user: context.user };
}

/** Refuses a key of ours that others can read: it may be anybody's. A file that is missing is told by whoever reads it. */
async function assertIsPrivate(file: string): Promise<void> {
  if (!(await isOpenToOthers(file).catch(() => false))) return;
  throw new Failure('login-required', `${file} holds your key and is open to others.`, {
    hint: `Run: chmod 600 ${file}. If others may have read it, have the operator revoke the certificate.`,
  });
}

/** Whether a client certificate is this user's. One that cannot be read is refused when it is used. */
function namesUser(cert: string, user: string | undefined): boolean {
  try {
    return user !== undefined && parseCertificateUser(new X509Certificate(cert).subjectAltName) === user;
  } catch {
    return false;
  }
}

/** What a context holds is for its server alone: tokens are never shown to another. Failures: `bad-params`. */
function assertSameServer(context: Context, { host, port, ca }: Pick<Endpoint, 'host' | 'port' | 'ca'>): void {
  if (context.host !== host || context.port !== port) {
    const where = formatAddress(context.host, context.port);
    throw new Failure('bad-params', `The context ${context.name} is for ${where}.`, {
      hint: 'Leave out --server or --context.',
    });
  }
  const trusted = fingerprintOf(context.ca, `What the context ${context.name} trusts`);
  if (trusted !== fingerprintOf(ca, '--ca')) {
    throw new Failure('bad-params', `--ca is not the authority that the context ${context.name} trusts.`, {
      hint: 'If the operator made a new one, log in again: secure-inv login --ca FILE',
    });
  }
}

/** The client certificate that options or the context name, if any. */
export async function readCertificate(
  options: Pick<TargetOptions, 'cert' | 'key'>,
  context: Pick<Context, 'cert' | 'key'> | undefined,
): Promise<Endpoint['certificate']> {
  const { cert, key } = options.cert === undefined ? (context ?? {}) : options;
  if (cert === undefined) return undefined;
  if (key === undefined) {
    throw new Failure('bad-params', '--cert needs the key that belongs to it.', { hint: 'Add --key FILE.' });
  }
  return { cert: await readGiven(cert, '--cert'), key: await readGiven(key, '--key') };
}

/** A token says who, and not where: a machine that was never logged in to a server is told that, too. */
function homeless({ server }: TargetOptions): Failure {
  const missing = [
    ...(server === undefined ? ['--server HOST:PORT (or SECURE_INV_SERVER)'] : []),
    '--ca FILE (or SECURE_INV_CA)',
  ];
  const what = server === undefined ? 'which server it is for and whom to trust there' : `whom to trust at ${server}`;
  return new Failure('bad-params', `The API token does not say ${what}.`, {
    hint: `Add ${missing.join(' and ')}. Where you are logged in, secure-inv context authority prints that file.`,
  });
}

/** The token in a file: its first line. Failures: `bad-params`. */
async function readToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const [token = ''] = (await readGiven(file, 'SECURE_INV_TOKEN_FILE')).trim().split(/\s/, 1);
  if (token !== '') return token;
  throw new Failure('bad-params', `SECURE_INV_TOKEN_FILE: ${file} holds no token.`, {
    hint: 'secure-inv token create prints one.',
  });
}

/** Reads a file that somebody named. Failures: `bad-params`. */
export async function readGiven(path: string, what: string): Promise<string> {
  const file = path.startsWith('~/') ? resolve(homedir(), path.slice(2)) : path;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure('bad-params', `${what}: ${unreadable(file, error)}`);
  }
}

function parseServer(text: string): { host: string; port: number } {
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:\s/]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined || Number(port ?? 0) > 65535) {
    throw new Failure('bad-params', `A server is HOST or HOST:PORT (got ${JSON.stringify(text)}).`);
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? defaultPort : Number(port) };
}
