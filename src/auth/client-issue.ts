import type { KeyObject, X509Certificate } from 'node:crypto';
import { Failure } from '../model/failure.ts';
import { certificatesPerHourMax } from '../model/limits.ts';
import { type AuthMode, type IssuePolicy, needsCertificate } from '../model/user.ts';
import type { Principal } from './principal.ts';

const hour = 3_600_000;

/** Signs a certificate for a user's key, after writing it down. Failures: `conflict`, `busy`. */
export type SignForKey = (user: string, publicKey: KeyObject, issuedAt: number) => Promise<X509Certificate>;

/** Who gets a certificate from this server, and how many. */
export class ClientIssue {
  readonly #policy: IssuePolicy;
  readonly #mode: AuthMode;
  readonly #sign: SignForKey;
  readonly #now: () => number;
  /** When certificates were issued within the last hour, by user: as many entries as there are users, at most. */
  readonly #times = new Map<number, readonly number[]>();

  constructor(policy: IssuePolicy, mode: AuthMode, sign: SignForKey, now: () => number) {
    this.#policy = policy;
    this.#mode = mode;
    this.#sign = sign;
    this.#now = now;
  }

  /**
   * Refuses whom `pki.issue` gives nothing. `hasEnrolled`: this connection set the password with an enrolment code.
   * Failures: `forbidden`; `conflict` where nobody is asked for a certificate.
   */
  assertMay({ user, certificate, apiToken }: Principal, hasEnrolled: boolean): void {
    if (this.#mode === 'token') {
      throw new Failure('conflict', 'This server asks nobody for a certificate (auth.mode is token).', {
        hint: 'Work with your login: secure-inv login',
      });
    }
    // A machine's token must not turn into an identity that outlives it: only persons' logins and certificates may.
    const isPerson = apiToken === null;
    const isFirst = hasEnrolled && needsCertificate(this.#mode);
    const isOffered = this.#policy === 'on' || (this.#policy === 'enrolment' && (certificate !== null || isFirst));
    if (isPerson && isOffered) return;
    const why = isPerson ? `pki.issue is ${this.#policy}` : 'you are here by an API token';
    throw new Failure('forbidden', `This server issues you no certificate (${why}).`, {
      hint: `Ask the operator for one: npm run gen-certs -- client ${user}`,
    });
  }

  /** A certificate of the user's for a key that they have proven to have. Failures: `busy`, and those of the signing. */
  async issue(userId: number, user: string, publicKey: KeyObject, issuedAt: number): Promise<X509Certificate> {
    const now = this.#now();
    const times = (this.#times.get(userId) ?? []).filter((at) => at > now - hour);
    const [first = now] = times;
    if (times.length >= certificatesPerHourMax) {
      const message = `You were issued ${certificatesPerHourMax} certificates within an hour.`;
      throw new Failure('busy', message, { retryAfter: Math.ceil((first + hour - now) / 1000) });
    }
    this.#times.set(userId, [...times, now]); // Before waiting, or requests at the same time would pass together.
    try {
      return await this.#sign(user, publicKey, issuedAt);
    } catch (error) {
      const counted = [...(this.#times.get(userId) ?? [])];
      counted.splice(counted.indexOf(now), 1);
      this.#times.set(userId, counted);
      throw error;
    }
  }
}
