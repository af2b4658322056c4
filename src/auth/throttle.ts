import { createHmac, randomBytes } from 'node:crypto';
import { Failure } from '../model/failure.ts';
import { failedLoginStrangersMax, failuresPerAddressMax, failuresPerAddressSeconds } from '../model/limits.ts';
import type { Store } from '../store/store.ts';
import {
  type FailedLogins,
  formatFailedLogins,
  isShutOut,
  noFailedLogins,
  openFrom,
  parseFailedLogins,
  withFailure,
  withSuccess,
} from './failed-logins.ts';
import { RecentMap } from './recent-map.ts';
import type { Source } from './source.ts';

/** Stands for everybody whom the store does not know. */
const nobody = 0;

interface Reservation {
  readonly source: Source;
  readonly at: number;
}

interface Account {
  readonly userId: number;
  judged: FailedLogins;
  /** The attempts that are being judged: they count as failed until it is known. */
  readonly reserved: Set<Reservation>;
  isSaving: boolean;
  isSaved: boolean;
}

type Outcome = 'failed' | 'succeeded' | 'not judged';

/** An attempt that may go ahead. It counts as failed from now on, unless it turns out otherwise before it is disposed. */
export class Attempt implements Disposable {
  /** Whether it must fail, in the same time and words as with a wrong password. */
  readonly isShutOut: boolean;
  #settle: ((outcome: Outcome) => void) | undefined;

  constructor(isShutOut: boolean, settle: (outcome: Outcome) => void) {
    this.isShutOut = isShutOut;
    this.#settle = settle;
  }

  fail(): void {
    this.#end('failed');
  }

  succeed(): void {
    this.#end('succeeded');
  }

  /** Taken back, unless it was judged. */
  [Symbol.dispose](): void {
    this.#end('not judged');
  }

  #end(outcome: Outcome): void {
    this.#settle?.(outcome);
    this.#settle = undefined;
  }
}

/**
 * Slows guessing down without being a weapon to lock others out (security.md 11): what strangers do never keeps a source
 * out that the account knows. Names that nobody has are treated as those of users in every respect, down to the writes
 * to the store, so that neither an answer nor a pause tells who exists.
 */
export class Throttle {
  readonly #store: Pick<Store, 'saveThrottle' | 'throttles'>;
  readonly #now: () => number;
  readonly #onError: (error: unknown) => void;
  readonly #users = new Map<number, Account>();
  readonly #unknownNames = new RecentMap(failedLoginStrangersMax, () => newAccount(nobody));
  /** When the last failures of an address were. */
  readonly #addresses = new RecentMap<number[]>(failedLoginStrangersMax, () => []);
  /** Names are kept as what nobody can find them by: people type passwords into the wrong field. */
  readonly #secret = randomBytes(32);
  readonly #saving = new Set<Promise<void>>();
  /** How often memory was changed. */
  #changes = 0;

  private constructor(store: Store, now: () => number, onError: (error: unknown) => void) {
    this.#store = store;
    this.#now = now;
    this.#onError = onError;
  }

  /** `onError` takes why something could not be saved or read again; memory goes on without. */
  static async open(store: Store, now: () => number, onError: (error: unknown) => void): Promise<Throttle> {
    const throttle = new Throttle(store, now, onError);
    await throttle.#load();
    store.onOutsideChange(() => void throttle.#load().catch(onError));
    return throttle;
  }

  /**
   * Reserves an attempt to prove a user's password, before any work is done for it. Failures: `busy`, for this source of
   * this account or for its address.
   */
  login(name: string, userId: number | undefined, source: Source): Attempt {
    const now = this.#now();
    const account = this.#account(name, userId);
    const atAddress = source.isKnown ? undefined : this.reserveAddress(source.address);
    const failed = [...account.reserved].reduce((sum, { source, at }) => withFailure(sum, source, at), account.judged);
    const wait = openFrom(failed, source) - now;
    if (wait > 0) {
      atAddress?.[Symbol.dispose]();
      throw tooMany(
        'Too many failed logins for this user from here.',
        wait,
        `Use a device on which you have logged in before, or ask an administrator for: secure-inv user unlock ${name}`,
      );
    }
    const reservation = { source, at: now };
    account.reserved.add(reservation);
    return new Attempt(isShutOut(failed, source), (outcome) => {
      account.reserved.delete(reservation);
      if (outcome === 'failed') {
        atAddress?.fail();
        this.#change(account, withFailure(account.judged, source, now));
      } else {
        atAddress?.[Symbol.dispose]();
        if (outcome === 'succeeded') this.#change(account, withSuccess(account.judged, source));
      }
    });
  }

  /** Reserves an attempt that is held against an address alone: an enrolment code, a refresh token. Failures: `busy`. */
  reserveAddress(address: string): Attempt {
    const now = this.#now();
    const window = failuresPerAddressSeconds * 1000;
    const failedAt = this.#addresses.get(address);
    while (failedAt[0] !== undefined && failedAt[0] <= now - window) failedAt.shift();
    if (failedAt.length >= failuresPerAddressMax) {
      const wait = (failedAt[0] ?? now) + window - now;
      const hint = 'Whoever has logged in on their device before can still do so.';
      throw tooMany('Too many failed logins from your address.', wait, hint);
    }
    failedAt.push(now);
    return new Attempt(false, (outcome) => {
      const at = failedAt.indexOf(now);
      if (outcome !== 'failed' && at !== -1) failedAt.splice(at, 1);
    });
  }

  /** Forgets a user's failures, whoever made them, at once; resolves when that is saved. */
  forget(userId: number): Promise<void> {
    this.#change(this.#user(userId), noFailedLogins);
    return this.settle();
  }

  /** Resolves when all that is being saved is saved. */
  async settle(): Promise<void> {
    await Promise.all(this.#saving);
  }

  #account(name: string, userId: number | undefined): Account {
    // Also for users, so that it costs the same.
    const unknown = createHmac('sha256', this.#secret).update(name).digest('base64url');
    return userId === undefined ? this.#unknownNames.get(unknown) : this.#user(userId);
  }

  #user(userId: number): Account {
    const account = this.#users.get(userId) ?? newAccount(userId);
    this.#users.set(userId, account);
    return account;
  }

  #change(account: Account, judged: FailedLogins): void {
    const isSame = formatFailedLogins(judged) === formatFailedLogins(account.judged);
    account.judged = judged;
    this.#changes++;
    // A login after which there is nothing to forget, as most are, writes nothing.
    if (isSame) return;
    account.isSaved = false;
    if (account.isSaving) return;
    const saving = this.#save(account).finally(() => this.#saving.delete(saving));
    this.#saving.add(saving);
  }

  /** Nobody waits for it: one write at a time, of what holds by then. */
  async #save(account: Account): Promise<void> {
    account.isSaving = true;
    try {
      while (!account.isSaved) {
        account.isSaved = true;
        await this.#store.saveThrottle(account.userId, formatFailedLogins(account.judged));
      }
    } catch (error) {
      account.isSaved = false; // The next failure tries again, and until then memory knows better than the store.
      this.#onError(error);
    } finally {
      account.isSaving = false;
    }
  }

  async #load(): Promise<void> {
    const changes = this.#changes;
    const rows = await this.#store.throttles();
    // What was changed meanwhile may be newer than what was read.
    if (changes !== this.#changes) return this.#load();
    const kept = new Map(rows.map(({ userId, state }) => [userId, parseFailedLogins(state, this.#now())]));
    for (const userId of kept.keys()) this.#user(userId);
    for (const account of this.#users.values()) {
      if (account.isSaved && !account.isSaving) account.judged = kept.get(account.userId) ?? noFailedLogins;
    }
  }
}

function newAccount(userId: number): Account {
  return { userId, judged: noFailedLogins, reserved: new Set(), isSaving: false, isSaved: true };
}

function tooMany(what: string, milliseconds: number, hint: string): Failure {
  const retryAfter = Math.ceil(milliseconds / 1000);
  return new Failure('busy', `${what} Try again in ${retryAfter} s.`, { retryAfter, hint });
}
