import type { ClientTrust } from '../model/client-trust.ts';
import type { AuthMode } from '../model/user.ts';
import type { SessionRecord, Store } from '../store/store.ts';
import type { Accounts } from './accounts.ts';
import type { Allowance } from './allowance.ts';
import type { ClientIssue } from './client-issue.ts';
import type { KeyRing } from './key-ring.ts';
import type { PasswordHasher, PasswordSettings } from './password.ts';
import type { TokenSettings } from './session.ts';
import type { Throttle } from './throttle.ts';

/** Everything that decides who is who on one server. */
export interface Authentication {
  readonly mode: AuthMode;
  readonly accounts: Accounts;
  readonly store: Store;
  /** By what client certificates are judged now. */
  readonly clientTrust: () => ClientTrust;
  /** Who gets a client certificate from this server itself. */
  readonly clientIssue: ClientIssue;
  readonly hasher: PasswordHasher;
  readonly throttle: Throttle;
  readonly allowance: Allowance;
  /** The ring as it is now: asked for at each use, because keys rotate. */
  readonly keys: () => KeyRing;
  readonly passwords: PasswordSettings;
  readonly tokens: TokenSettings;
  /** Words that no password may lean on: the product's, the host's. */
  readonly knownWords: readonly string[];
  readonly now: () => number;
  /** Called when somebody spent an enrolment code and left without setting a password. */
  readonly onEnrolmentAbandoned: () => void;
  /** Called when a refresh token came again that was spent before: from `source`, for this session, which ends. */
  readonly onTheft: (session: SessionRecord, source: string) => void;
}
