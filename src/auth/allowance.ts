import { Failure } from '../model/failure.ts';
import { ownChangesPerMinuteMax } from '../model/limits.ts';

const minute = 60_000;

/**
 * How often each user may change their own access in a minute: logins, API tokens, ended sessions. Each is a record of
 * the audit log, and nobody is to fill the disk with them.
 */
export class Allowance {
  readonly #now: () => number;
  /** By user, so there are no more entries than users: the minute, and what was done in it. */
  readonly #spent = new Map<number, { readonly minute: number; count: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Failures: `busy` when the user has done too much in this minute. */
  spend(userId: number): void {
    const present = Math.floor(this.#now() / minute);
    const known = this.#spent.get(userId);
    const spent = known?.minute === present ? known : { minute: present, count: 0 };
    if (spent.count >= ownChangesPerMinuteMax) {
      const retryAfter = Math.ceil(((present + 1) * minute - this.#now()) / 1000);
      throw new Failure('busy', `That was too often. Try again in ${retryAfter} s.`, {
        retryAfter,
        hint: 'A program keeps its login, or has an API token: secure-inv token create NAME --role ROLE',
      });
    }
    spent.count++;
    this.#spent.set(userId, spent);
  }
}
