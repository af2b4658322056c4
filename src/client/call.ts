import { setTimeout as sleep } from 'node:timers/promises';
import type * as v from 'valibot';
import { checkResult } from '../command/check.ts';
import type { Command } from '../command/command.ts';
import { grant } from '../command/field.ts';
import { Failure, type FailureCode, failures } from '../model/failure.ts';
import { ClientConnection, type Endpoint, type OnNotification } from './connect.ts';
import type { ContextStore, Tokens } from './context.ts';
import { withFileLock } from './file-lock.ts';
import type { Protection } from './protection.ts';

/** How a session proves who it is, besides a certificate of the endpoint. */
export type Credentials =
  | { readonly kind: 'certificate' }
  | { readonly kind: 'token'; readonly token: string }
  | {
      readonly kind: 'saved';
      readonly store: ContextStore;
      readonly context: string;
      /** Only this user's login is used, also when somebody else logs in meanwhile. */
      readonly user?: string | undefined;
    };

/** How long a request whose answer was lost is repeated: a server restarts in less. */
const repeatSeconds = 10;
/** An access token that ends while the request travels is no use. */
const tokenReserveMilliseconds = 5_000;

/**
 * Calls commands on a server as one user: connects when needed, logs in in the same round trip, refreshes tokens that
 * have expired, and repeats what is safe to repeat when the answer was lost.
 */
export class ClientSession {
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials;
  readonly #onNotification: OnNotification | undefined;
  // Calls may overlap, and share one connection and one login: each promise is kept before anything is awaited.
  #opening: Promise<ClientConnection> | undefined;
  #opened: ClientConnection | undefined;
  #token: Promise<string | undefined> | undefined;
  #authenticated: Promise<unknown> | undefined;
  #closings = 0;

  constructor(endpoint: Endpoint, credentials: Credentials, onNotification?: OnNotification) {
    this.#endpoint = endpoint;
    this.#credentials = credentials;
    this.#onNotification = onNotification;
  }

  /** Another session of the same user, with a connection of its own that is listened to. */
  listening(onNotification: OnNotification): ClientSession {
    return new ClientSession(this.#endpoint, this.#credentials, onNotification);
  }

  /** The connection in use; undefined before the first call. */
  get connection(): ClientConnection | undefined {
    return this.#opened;
  }

  /** How often it was closed: what is under way in several calls ends with the first. */
  get timesClosed(): number {
    return this.#closings;
  }

  /**
   * The command's result, checked by its schema. Failures: the server's; `unreachable`; `unconfirmed` when an operation
   * may or may not have been counted.
   */
  async call<C extends Command>(
    command: C,
    params: Readonly<Record<string, unknown>>,
  ): Promise<v.InferOutput<C['result']>> {
    const isSafeToRepeat = 'operation' in params || command.permission.endsWith(':read');
    const giveUpAt = performance.now() + repeatSeconds * 1000;
    const closings = this.#closings;
    let lost: Failure | undefined;
    for (let attempt = 0; ; attempt++) {
      let wasSent = false;
      const onSent = () => {
        wasSent = true;
      };
      try {
        return checkResult(command.result, await this.#request(command.name, params, onSent));
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (wasSent && mayHaveHappened(error)) lost = error;
        const again =
          isSafeToRepeat &&
          this.#closings === closings &&
          (error.code === 'busy' || (lost !== undefined && mayHaveHappened(error)));
        if (!again || performance.now() > giveUpAt) throw lost ? unconfirmed(lost, error, params) : error;
        await sleep(Math.min(2000, 100 * 2 ** attempt));
      }
    }
  }

  /** Exchanges the saved tokens for new ones now, which it returns. Failures: `login-required`, `session-expired`. */
  async refresh(): Promise<Tokens> {
    if (this.#credentials.kind !== 'saved') {
      throw new Failure('bad-params', 'Only a saved login can be renewed; here a certificate or a token was given.', {
        hint: 'Leave out --cert and SECURE_INV_TOKEN.',
      });
    }
    const { store, context } = this.#credentials;
    const { accessToken } = await store.readTokens(context);
    await this.#refresh(await this.#connect(), accessToken);
    return store.readTokens(context);
  }

  /** How the connection in use is protected. */
  async protection(): Promise<Protection> {
    return (await this.#connect()).protection;
  }

  /** What is under way ends, and is not repeated; another call connects anew. */
  async close(): Promise<void> {
    this.#closings++;
    // A connection that never came about needs no closing.
    await this.#opening?.catch(() => undefined);
    this.#opened?.close();
  }

  async #request(method: string, params: Readonly<Record<string, unknown>>, onSent: () => void): Promise<unknown> {
    const connection = await this.#connect();
    this.#token ??= this.#accessToken(connection).catch((error: unknown) => {
      this.#token = undefined; // Somebody may log in before the next call.
      throw error;
    });
    const token = await this.#token;
    if (token !== undefined) this.#authenticated ??= connection.request('authenticate', { token });
    onSent();
    // Both lines are on their way before either is answered. The request's own failure says enough when the first one
    // failed, except why, which the second knows.
    const [authenticated, answered] = await Promise.allSettled([
      this.#authenticated,
      connection.request(method, params),
    ]);
    if (answered.status === 'fulfilled') return answered.value;
    const failure = authenticated.status === 'rejected' ? authenticated.reason : answered.reason;
    if (!(failure instanceof Failure)) throw failure;
    if (!canRefresh(failure, this.#credentials))
      throw this.#credentials.kind === 'token' ? aboutToken(failure) : failure;
    await this.#refresh(connection, token).catch((refused: unknown) => {
      // A disabled account has no session to refresh either: what the server said first is the reason.
      throw refused instanceof Failure && refused.code === 'login-required' ? failure : refused;
    });
    return connection.request(method, params);
  }

  async #connect(): Promise<ClientConnection> {
    if (this.#opened?.isOpen) return this.#opened;
    this.#opening ??= ClientConnection.open(this.#endpoint, this.#onNotification).finally(() => {
      this.#opening = undefined;
    });
    const opened = await this.#opening;
    if (this.#opened !== opened) {
      this.#opened = opened;
      this.#token = undefined;
      this.#authenticated = undefined;
    }
    return opened;
  }

  /** The token to show on this connection; undefined when a refresh on it has logged in already, or none is needed. */
  async #accessToken(connection: ClientConnection): Promise<string | undefined> {
    if (this.#credentials.kind === 'certificate') return undefined;
    if (this.#credentials.kind === 'token') return this.#credentials.token;
    const { store, context, user } = this.#credentials;
    const tokens = await store.readTokens(context);
    assertLoginOf(user, tokens, context);
    if (isFresh(tokens)) return tokens.accessToken;
    if (tokens.refreshToken === undefined) {
      if (this.#endpoint.certificate) return undefined;
      throw notLoggedIn(context);
    }
    await this.#refresh(connection, tokens.accessToken);
    return undefined;
  }

  /**
   * Logs this connection in with new tokens. Under a lock, and reading again first, because another shell may have
   * refreshed already and a refresh token is good once.
   */
  async #refresh(connection: ClientConnection, stale: string | undefined): Promise<void> {
    if (this.#credentials.kind !== 'saved') return;
    const { store, context, user } = this.#credentials;
    this.#authenticated = withFileLock(await store.lockFile(context), async () => {
      const tokens = await store.readTokens(context);
      assertLoginOf(user, tokens, context);
      if (isFresh(tokens) && tokens.accessToken !== stale) {
        await connection.request('authenticate', { token: tokens.accessToken });
        return;
      }
      const { refreshToken } = tokens;
      if (refreshToken === undefined) throw notLoggedIn(context);
      const granted = checkResult(grant, await connection.request('refresh', { refreshToken }));
      await store.writeTokens(context, { ...tokens, ...tokensOf(granted) });
    });
    await this.#authenticated;
  }
}

/** What a login, an enrolment or a refresh leaves for the next command. */
export function tokensOf({ accessToken, refreshToken, expiresAt, device, user }: v.InferOutput<typeof grant>): Tokens {
  return { accessToken, refreshToken, expiresAt, user, ...(device === undefined ? {} : { device }) };
}

/** What one user began is not finished as another. */
function assertLoginOf(user: string | undefined, tokens: Tokens, context: string): void {
  if (user === undefined || tokens.user === undefined || tokens.user === user) return;
  throw new Failure('login-required', `${context} is logged in as ${tokens.user} now, not as ${user}.`, {
    hint: 'Give the command again.',
  });
}

function notLoggedIn(context: string): Failure {
  return new Failure('login-required', `You are not logged in to ${context}.`, { hint: 'Run: secure-inv login' });
}

function isFresh(tokens: Tokens): tokens is Tokens & { readonly accessToken: string } {
  if (tokens.accessToken === undefined || tokens.expiresAt === undefined) return false;
  return Date.parse(tokens.expiresAt) - Date.now() > tokenReserveMilliseconds;
}

function canRefresh(failure: Failure, credentials: Credentials): boolean {
  return credentials.kind === 'saved' && (failure.code === 'session-expired' || failure.code === 'login-required');
}

/** Logging in mends nothing while a token is given that stands before every login. */
function aboutToken(failure: Failure): Failure {
  const { code, message, details } = failure;
  const isRefused = code === 'login-required' || code === 'session-expired';
  if (!isRefused || !details.hint?.startsWith('Run: secure-inv login')) return failure;
  return new Failure(code, message, {
    ...details,
    hint: 'Give a good one as SECURE_INV_TOKEN or SECURE_INV_TOKEN_FILE, or unset both and run: secure-inv login',
  });
}

/** Failures after which nobody knows whether the request was carried out. */
function mayHaveHappened({ code }: Failure): boolean {
  return code === 'unreachable' || code === 'unconfirmed' || code === 'going-away';
}

/** A server that is away or busy comes back; whoever may not ask never may by waiting. */
export function isPassing(error: unknown): error is Failure {
  return error instanceof Failure && (error.code === 'unreachable' || failures[error.code].exit === 7);
}

/** The store's own answers: whoever gets one knows that the operation was not counted, and was not before. */
export const verdicts: ReadonlySet<FailureCode> = new Set(['bad-params', 'not-found', 'conflict', 'out-of-stock']);

/** What to say when an answer was lost and the repeats brought no verdict either: never without the operation's id. */
function unconfirmed(lost: Failure, last: Failure, { operation }: Readonly<Record<string, unknown>>): Failure {
  if (operation === undefined || verdicts.has(last.code)) return last;
  const why = last === lost ? lost.message : `${lost.message} ${last.message}`;
  return new Failure('unconfirmed', `${why} Whether the operation was counted is not known.`, {
    hint: `Repeat the command with --operation ${operation}: it is counted once.`,
  });
}
