import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { Failure } from '../model/failure.ts';
import { refreshRepeatSeconds, untaggedRefreshAgesMax } from '../model/limits.ts';
import type { SessionRecord, UserRecord } from '../store/store.ts';
import type { Accounts } from './accounts.ts';
import type { KeyRing } from './key-ring.ts';
import { makePublicId } from './public-id.ts';
import { sessionExpired } from './token.ts';

const hour = 3_600_000;

export interface TokenSettings {
  readonly accessMinutes: number;
  readonly refreshIdleHours: number;
  readonly refreshDays: number;
}

/** A session and the one refresh token, `SESSION.SECRET.TAG`, that extends it. */
export interface RefreshedSession {
  readonly session: SessionRecord;
  readonly refreshToken: string;
}

function sha256(secret: Uint8Array): Uint8Array {
  return createHash('sha256').update(secret).digest();
}

function formatRefreshToken(sessionId: string, secret: Uint8Array, keys: KeyRing): string {
  const untagged = `${sessionId}.${Buffer.from(secret).toString('base64url')}`;
  return `${untagged}.${tagOf(untagged, keys)}`;
}

/**
 * What only this server can have put behind a refresh token: it tells one that was good once, however long ago, from a
 * guess. Never the MAC of a successor, which is made of 32 bytes.
 */
function tagOf(untagged: string, keys: KeyRing): string {
  return createHmac('sha256', keys.refreshSecret).update(untagged).digest().subarray(0, 16).toString('base64url');
}

/** Whether a text is, or once was, a refresh token of this server. */
export function isTagged(refreshToken: string, keys: KeyRing): boolean {
  const [, untagged = '', tag = ''] = /^([\w-]{16}\.[\w-]{43})\.([\w-]{22})$/.exec(refreshToken) ?? [];
  return tag !== '' && timingSafeEqual(Buffer.from(tag), Buffer.from(tagOf(untagged, keys)));
}

/** Who may use a session, and who is told of a theft. */
export interface RefreshWatch {
  /** The address that it comes from. */
  readonly source: string | null;
  /** Refuses who must not use the session, before the token is spent for it. */
  readonly assertBearer: (session: SessionRecord) => void;
  /** An old token came again, so two have it; the session has ended. */
  readonly onTheft: (session: SessionRecord) => void;
}

/** Starts a session for a user who has just proven to be one; one that continues another ends with it, at `endsAt`. */
export async function startSession(
  accounts: Accounts,
  keys: KeyRing,
  settings: TokenSettings,
  user: UserRecord,
  { certificate, source }: Pick<SessionRecord, 'certificate' | 'source'>,
  now: number,
  endsAt = now + settings.refreshDays * 24 * hour,
): Promise<RefreshedSession> {
  const secret = randomBytes(32);
  const session: SessionRecord = {
    id: makePublicId(),
    userId: user.id,
    createdAt: now,
    expiresAt: endsAt,
    refreshHash: sha256(secret),
    refreshedAt: now,
    generation: 0,
    certificate,
    source,
  };
  const actor = { user: user.user, credential: `session:${session.id}`, source };
  await accounts.addSession(actor, session, user);
  return { session, refreshToken: formatRefreshToken(session.id, secret, keys) };
}

/**
 * Exchanges a refresh token for its successor (security.md 13). A token's successor is derived from it, so one that
 * comes again within 30 s, while nobody has used the successor, gets the same answer: a crash or two shells at once log
 * nobody out. Any later reuse is a theft, and ends the session. Failures: `session-expired`, `login-required`.
 */
export async function refreshSession(
  accounts: Accounts,
  keys: KeyRing,
  settings: TokenSettings,
  refreshToken: string,
  watch: RefreshWatch,
  now: number,
  isSecondLook = false,
): Promise<RefreshedSession> {
  // Without a tag: given before there were tags.
  const [, id, encoded, tag] = /^([\w-]{16})\.([\w-]{43})(?:\.([\w-]{22}))?$/.exec(refreshToken) ?? [];
  const session = id === undefined ? undefined : accounts.session(id);
  if (!session || encoded === undefined) throw unknownSession();
  const end = sessionEnd(session, settings);
  if (now >= end) throw sessionExpired(end);

  if (tag !== undefined && !isTagged(refreshToken, keys)) throw unknownSession();
  const secret = Buffer.from(encoded, 'base64url');
  const successor = createHmac('sha256', keys.refreshSecret).update(secret).digest();
  const agesMax = tag === undefined ? untaggedRefreshAgesMax : 1;
  const age = ageOf(secret, session, keys, agesMax);
  if (age === undefined && tag === undefined) throw unknownSession();
  watch.assertBearer(session);
  if (age === 0) {
    const next = {
      ...session,
      refreshHash: sha256(successor),
      refreshedAt: now,
      generation: session.generation + 1,
    };
    if (await accounts.rotateSession(next)) {
      return { session: next, refreshToken: formatRefreshToken(session.id, successor, keys) };
    }
    // Somebody else rotated it meanwhile, with this very token: judge it again as the old one that it is now. Or the
    // session was ended beside this process, which has not noticed yet.
    if (isSecondLook) throw unknownSession();
    return refreshSession(accounts, keys, settings, refreshToken, watch, now, true);
  }
  if (age === 1 && now - session.refreshedAt <= refreshRepeatSeconds * 1000) {
    return { session, refreshToken: formatRefreshToken(session.id, successor, keys) };
  }
  watch.onTheft(session);
  const actor = { user: null, credential: null, source: watch.source };
  await accounts.endSession(actor, 'session-stolen', session.id);
  throw new Failure('session-expired', 'This login was ended, because its refresh token was used a second time.', {
    hint: 'Run: secure-inv login. If that was not you: secure-inv passwd, and end what you do not know in secure-inv session list and token list.',
  });
}

/** When the session ends unless it is refreshed before, in milliseconds since 1970. */
export function sessionEnd({ expiresAt, refreshedAt }: SessionRecord, { refreshIdleHours }: TokenSettings): number {
  return Math.min(expiresAt, refreshedAt + refreshIdleHours * hour);
}

/** How many exchanges ago this secret was the good one: 0 is now, undefined is longer ago than asked, or never. */
function ageOf(secret: Uint8Array, session: SessionRecord, keys: KeyRing, agesMax: number): number | undefined {
  let candidate = secret;
  for (let age = 0; age <= Math.min(session.generation, agesMax); age++) {
    if (timingSafeEqual(sha256(candidate), session.refreshHash)) return age;
    candidate = createHmac('sha256', keys.refreshSecret).update(candidate).digest();
  }
  return undefined;
}

function unknownSession(): Failure {
  return new Failure('login-required', 'This login was ended.', { hint: 'Run: secure-inv login' });
}
