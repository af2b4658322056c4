import { Failure } from '../model/failure.ts';
import { clockSkewSeconds } from '../model/limits.ts';
import type { UserRecord } from '../store/store.ts';
import type { Accounts } from './accounts.ts';
import type { Authentication } from './authentication.ts';
import { assertStillTrusted, type ClientCertificate, certificateRefused } from './certificate.ts';
import { type AccessToken, sessionExpired } from './token.ts';

// Whether what was proven once still holds: asked at every request, of the live users, sessions, lists and clock.

/** A connection that an access token of a session logged in. */
export type SessionLogin = Omit<AccessToken, 'certificate'>;

/** A connection that an API token logged in. */
export interface ApiTokenLogin {
  readonly userId: number;
  readonly apiTokenId: string;
}

/** Whom a token has proven a connection to be. */
export type Login = SessionLogin | ApiTokenLogin;

/** The user of an accepted certificate. Failures: `certificate-refused` when it is not good any more. */
export function assertCertified(
  { accounts, clientTrust, now }: Pick<Authentication, 'accounts' | 'clientTrust' | 'now'>,
  certificate: ClientCertificate,
): UserRecord {
  const user = accounts.byName(certificate.user);
  if (!user?.enabled) throw certificateRefused('unknown-user');
  if (certificate.issuedAt < user.certificatesFrom) throw certificateRefused('revoked');
  assertStillTrusted(certificate, clientTrust(), now());
  return user;
}

/** The user of a session that is good now. Failures: `session-expired`, `login-required`. */
export function assertLive(
  { accounts, now }: Pick<Authentication, 'accounts' | 'now'>,
  { userId, sessionId, epoch, expiresAt }: SessionLogin,
): UserRecord {
  if (now() >= expiresAt + clockSkewSeconds * 1000) throw sessionExpired(expiresAt);
  const user = assertEnabled(accounts, userId);
  if (user.epoch !== epoch || accounts.session(sessionId)?.userId !== userId) throw loginEnded();
  return user;
}

/** The user, who is there and not shut out. Failures: `session-expired`, `login-required`. */
export function assertEnabled(accounts: Accounts, userId: number): UserRecord {
  const user = accounts.byId(userId);
  if (!user) throw loginEnded();
  if (user.enabled) return user;
  throw new Failure('login-required', 'This account is disabled.', { hint: 'Ask an administrator.' });
}

/** Whether a login was ended, which is more than being past its time: nothing brings it back. */
export function isEnded(accounts: Accounts, login: Login): boolean {
  const user = accounts.byId(login.userId);
  if (!user?.enabled) return true;
  if ('apiTokenId' in login) return accounts.apiTokens.byId(login.apiTokenId) === undefined;
  return user.epoch !== login.epoch || accounts.session(login.sessionId)?.userId !== user.id;
}

/** The refusal of a login that somebody has ended. */
export function loginEnded(): Failure {
  return new Failure('session-expired', 'This login was ended.', { hint: 'Run: secure-inv login' });
}
