import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Actor } from '../model/audit.ts';
import { Failure } from '../model/failure.ts';
import { refreshAgesMax, refreshRepeatSeconds } from '../model/limits.ts';
import type { SessionRecord, UserRecord } from '../store/store.ts';
import type { Accounts } from './accounts.ts';
import type { KeyRing } from './key-ring.ts';
import { sessionExpired } from './token.ts';

const hour = 3_600_000;

export interface TokenSettings {
  readonly accessMinutes: number;
  readonly refreshIdleHours: number;
  readonly refreshDays: number;
}

/** A session and the one refresh token, `SESSION.SECRET`, that extends it. */
export interface RefreshedSession {
  readonly session: SessionRecord;
  readonly refreshToken: string;
}

function sha256(secret: Uint8Array): Uint8Array {
  return createHash('sha256').update(secret).digest();
}

function formatRefreshToken(sessionId: string, secret: Uint8Array): string {
  return `${sessionId}.${Buffer.from(secret).toString('base64url')}`;
}

/** Starts a session for a user who has just proven to be one. */
export async function startSession(
  accounts: Accounts,
  settings: TokenSettings,
  user: UserRecord,
  certificate: string | null,
  actor: Actor,
  now: number,
): Promise<RefreshedSession> {
  const secret = randomBytes(32);
  const session: SessionRecord = {
    id: randomBytes(12).toString('base64url'),
    userId: user.id,
    createdAt: now,
    expiresAt: now + settings.refreshDays * 24 * hour,
    refreshHash: sha256(secret),
    refreshedAt: now,
    generation: 0,
    certificate,
  };
  await accounts.addSession({ ...actor, credential: `session:${session.id}` }, session, user);
  return { session, refreshToken: formatRefreshToken(session.id, secret) };
}

/**
 * Exchanges a refresh token for its successor (security.md 13). A token's successor is derived from it, so one that
 * comes again within 30 s, while nobody has used the successor, gets the same answer: a crash or two shells at once log
 * nobody out. Any later reuse is a theft, and ends the session. `assertBearer` refuses who must not use the session, before
 * the token is spent for it. Failures: `session-expired`, `login-required`.
 */
export async function refreshSession(
  accounts: Accounts,
  keys: KeyRing,
  settings: TokenSettings,
  refreshToken: string,
  assertBearer: (session: SessionRecord) => void,
  actor: Actor,
  now: number,
): Promise<RefreshedSession> {
  const [, id, encoded] = /^([\w-]{16})\.([\w-]{43})$/.exec(refreshToken) ?? [];
  const session = id === undefined ? undefined : accounts.session(id);
  if (!session || encoded === undefined) throw unknownSession();
  const idleUntil = session.refreshedAt + settings.refreshIdleHours * hour;
  const end = Math.min(session.expiresAt, idleUntil);
  if (now >= end) throw sessionExpired(end);

  const secret = Buffer.from(encoded, 'base64url');
  const successor = createHmac('sha256', keys.refreshSecret).update(secret).digest();
  const age = ageOf(secret, session, keys);
  if (age === undefined) throw unknownSession();
  assertBearer(session);
  if (age === 0) {
    const next = {
      ...session,
      refreshHash: sha256(successor),
      refreshedAt: now,
      generation: session.generation + 1,
    };
    if (await accounts.rotateSession(next)) {
      return { session: next, refreshToken: formatRefreshToken(session.id, successor) };
    }
    // Somebody else rotated it meanwhile, with this very token: judge it again as the old one that it is now.
    return refreshSession(accounts, keys, settings, refreshToken, assertBearer, actor, now);
  }
  if (age === 1 && now - session.refreshedAt <= refreshRepeatSeconds * 1000) {
    return { session, refreshToken: formatRefreshToken(session.id, successor) };
  }
  await accounts.endSession(actor, 'session-stolen', session.id);
  throw new Failure('session-expired', 'This login was ended, because its refresh token was used a second time.', {
    hint: 'Run: secure-inv login. If that was not you, change your password: secure-inv passwd',
  });
}

/**
 * How many exchanges ago this secret was the good one: 0 is now, undefined is never. Following the chain forward tells
 * a stolen old token from a guess without keeping every hash.
 */
function ageOf(secret: Uint8Array, session: SessionRecord, keys: KeyRing): number | undefined {
  let candidate = secret;
  for (let age = 0; age <= Math.min(session.generation, refreshAgesMax); age++) {
    if (timingSafeEqual(sha256(candidate), session.refreshHash)) return age;
    candidate = createHmac('sha256', keys.refreshSecret).update(candidate).digest();
  }
  return undefined;
}

function unknownSession(): Failure {
  return new Failure('login-required', 'This login was ended.', { hint: 'Run: secure-inv login' });
}
