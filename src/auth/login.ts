import { createHash, randomBytes } from 'node:crypto';
import { deviceDays } from '../model/limits.ts';
import type { Role } from '../model/user.ts';
import type { SessionRecord, UserRecord } from '../store/store.ts';
import type { Authentication } from './authentication.ts';
import type { SessionLogin } from './liveness.ts';
import { type RefreshedSession, startSession } from './session.ts';
import { formatAccessToken, issuerOf } from './token.ts';

/** What a login, an enrolment or a refresh gives. */
export interface LoginGrant {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAt: number;
  readonly user: string;
  readonly role: Role;
  readonly device?: string;
}

/** What is given, and what the connection rests on from then on. */
export interface NewLogin {
  readonly grant: LoginGrant;
  readonly login: SessionLogin;
}

/** An access token for a session, beside the refresh token that it has now. */
export function grantLogin(
  { keys, store, tokens, now }: Authentication,
  user: UserRecord,
  { session, refreshToken }: RefreshedSession,
): NewLogin {
  const expiresAt = Math.min(now() + tokens.accessMinutes * 60_000, session.expiresAt);
  const login = { userId: user.id, sessionId: session.id, epoch: user.epoch, expiresAt };
  const token = { ...login, certificate: session.certificate };
  const accessToken = formatAccessToken(token, keys(), issuerOf(store.id), now());
  return { login, grant: { accessToken, refreshToken, expiresAt, user: user.user, role: user.role } };
}

/** Logs a user in who has just proven to be one. Failures: `busy`, `conflict` when their access was ended since. */
export async function startLogin(
  auth: Authentication,
  user: UserRecord,
  from: Pick<SessionRecord, 'certificate' | 'source'>,
  device: string | undefined,
): Promise<NewLogin> {
  const { accounts, allowance, keys, store, tokens, now } = auth;
  allowance.spend(user.id);
  const known = device !== undefined && (await store.hasDevice(user.id, hashDevice(device), now()));
  const kept = known ? device : randomBytes(16).toString('base64url');
  // In one commit, and so refused together within a second when the store cannot write.
  const [session] = await Promise.all([
    startSession(accounts, keys(), tokens, user, from, now()),
    store.addDevice(user.id, hashDevice(kept), now() + deviceDays * 86_400_000),
  ]);
  const { login, grant } = grantLogin(auth, user, session);
  return { login, grant: { ...grant, device: kept } };
}

/** A login for a new certificate in place of one that is bound to the old: as long as that one, and not a moment more. */
export async function rebindLogin(
  auth: Authentication,
  user: UserRecord,
  from: Pick<SessionRecord, 'certificate' | 'source'>,
  session: SessionRecord,
): Promise<NewLogin> {
  const { accounts, keys, tokens, now } = auth;
  return grantLogin(auth, user, await startSession(accounts, keys(), tokens, user, from, now(), session.expiresAt));
}

/** How a device's secret is kept: it is random, so a plain hash is enough. */
export function hashDevice(device: string): Uint8Array {
  return createHash('sha256').update(device).digest();
}
