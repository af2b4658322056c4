import { Failure } from '../model/failure.ts';
import { type AuthMode, permissionsOf, permissionsOfToken, type Rights, type Role } from '../model/user.ts';
import type { ApiTokenRecord, UserRecord } from '../store/store.ts';
import type { Authentication } from './authentication.ts';
import type { ClientCertificate } from './certificate.ts';
import { type ApiTokenLogin, assertCertified, assertEnabled, assertLive, type Login } from './liveness.ts';

/** Who is asking, as of this request. */
export interface Principal extends Rights {
  readonly userId: number;
  readonly user: string;
  readonly role: Role;
  /** How they proved it, as the ledger records it. */
  readonly credential: string;
  readonly sessionId: string | null;
  /** The API token that they showed, if it was one. */
  readonly apiToken: Pick<ApiTokenRecord, 'id' | 'name'> | null;
  /** When the access token or API token, or without one the certificate, ends. */
  readonly expiresAt: number;
  readonly certificate: ClientCertificate | null;
}

/** Whether a certificate is all that is asked for: with `both` it is only the first half. */
export function isEnough(certificate: ClientCertificate | null, mode: AuthMode): certificate is ClientCertificate {
  return certificate !== null && mode !== 'both';
}

/**
 * Who is asking, by what a connection has proven, judged by what holds now. Failures: `login-required`,
 * `session-expired`, `certificate-refused`.
 */
export function principalOf(
  auth: Authentication,
  login: Login | null,
  certificate: ClientCertificate | null,
): Principal {
  const certified = certificate && assertCertified(auth, certificate);
  if (login) return 'apiTokenId' in login ? ofApiToken(auth, login, certificate) : ofSession(auth, login, certificate);
  if (!certified || !isEnough(certificate, auth.mode)) {
    throw new Failure('login-required', 'You are not logged in.', { hint: 'Run: secure-inv login' });
  }
  const { serial, notAfter } = certificate;
  return {
    ...named(certified),
    credential: `certificate:${serial}`,
    sessionId: null,
    apiToken: null,
    expiresAt: notAfter,
    certificate,
  };
}

function ofSession(
  auth: Authentication,
  login: Exclude<Login, ApiTokenLogin>,
  certificate: ClientCertificate | null,
): Principal {
  const { sessionId, expiresAt } = login;
  return {
    ...named(assertLive(auth, login)),
    credential: credentialOf(certificate, `session:${sessionId}`),
    sessionId,
    apiToken: null,
    expiresAt,
    certificate,
  };
}

function ofApiToken(
  { accounts, now }: Authentication,
  { userId, apiTokenId }: ApiTokenLogin,
  certificate: ClientCertificate | null,
): Principal {
  const token = accounts.apiTokens.assertGood(apiTokenId, now());
  const owner = assertEnabled(accounts, userId);
  accounts.apiTokens.noteUse(token, now());
  return {
    ...named(owner),
    role: token.role,
    permissions: permissionsOfToken(token.role, owner.role),
    credential: credentialOf(certificate, `token:${token.id}`),
    sessionId: null,
    apiToken: token,
    expiresAt: token.expiresAt,
    certificate,
  };
}

function credentialOf(certificate: ClientCertificate | null, proof: string): string {
  return certificate ? `certificate:${certificate.serial} ${proof}` : proof;
}

function named({ id, user, role, scope }: UserRecord): Pick<Principal, 'userId' | 'user' | 'role' | keyof Rights> {
  return { userId: id, user, role, permissions: permissionsOf(role), scope };
}
