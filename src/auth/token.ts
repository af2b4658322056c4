import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { Failure } from '../model/failure.ts';
import { accessTokenBytesMax, clockSkewSeconds } from '../model/limits.ts';
import type { KeyRing } from './key-ring.ts';

/** What an access token says. Times are milliseconds since 1970 in UTC. */
export interface AccessToken {
  readonly userId: number;
  readonly sessionId: string;
  readonly epoch: number;
  readonly expiresAt: number;
  /** RFC 8705 thumbprint of the only certificate it is good with; null: good without one. */
  readonly certificate: string | null;
}

const audience = 'secure-inv';
const type = 'at+jwt'; // RFC 9068: what is no access token must not pass for one.

/** The `iss` of a server's tokens: the store, because users mean something only there. */
export function issuerOf(storeId: string): string {
  return `urn:secure-inv:store:${storeId}`;
}

/** A JWT (RFC 9068) signed with ES256. */
export function formatAccessToken(token: AccessToken, keys: KeyRing, issuer: string, now: number): string {
  const seconds = Math.floor(now / 1000);
  const claims = {
    iss: issuer,
    aud: audience,
    sub: String(token.userId),
    jti: randomUUID(),
    sid: token.sessionId,
    epoch: token.epoch,
    iat: seconds,
    nbf: seconds,
    exp: Math.floor(token.expiresAt / 1000),
    ...(token.certificate === null ? {} : { cnf: { 'x5t#S256': token.certificate } }),
  };
  return jwt.sign(claims, keys.signing, {
    algorithm: 'ES256',
    header: { alg: 'ES256', typ: type, kid: keys.kid },
  });
}

/**
 * The token in a string, if one of our keys signed it, for us, and it is in date. Failures: `session-expired` for one
 * of ours that is past its time, `login-required` for everything else; which check failed is nobody's business.
 */
export function parseAccessToken(text: string, keys: KeyRing, issuer: string, now: number): AccessToken {
  const refused = new Failure('login-required', 'This access token is not valid here.', {
    hint: 'Run: secure-inv login',
  });
  if (text.length > accessTokenBytesMax) throw refused;
  try {
    const header = jwt.decode(text, { complete: true })?.header;
    // jsonwebtoken ignores `crit` and picks no key: only our own ring, our type, and no header we don't know.
    const known = header && Object.keys(header).every((name) => name === 'alg' || name === 'typ' || name === 'kid');
    const key = header?.typ === type && header.kid !== undefined ? keys.verifying.get(header.kid)?.key : undefined;
    if (!known || !key) throw refused;
    const claims = jwt.verify(text, key, {
      algorithms: ['ES256'],
      issuer,
      audience,
      clockTimestamp: Math.floor(now / 1000),
      clockTolerance: clockSkewSeconds,
    });
    return parseClaims(claims) ?? fail(refused);
  } catch (error) {
    if (error instanceof jwt.TokenExpiredError && isDate(error.expiredAt)) {
      throw sessionExpired(error.expiredAt.getTime());
    }
    throw refused;
  }
}

/** JSON has numbers far past the last date, which nothing could show. */
function isDate(date: Date): boolean {
  return !Number.isNaN(date.getTime());
}

function fail(failure: Failure): never {
  throw failure;
}

/** jsonwebtoken checks what is there; that every claim is there, and is what we write, is checked here. */
function parseClaims(claims: jwt.JwtPayload | string): AccessToken | undefined {
  if (typeof claims === 'string') return undefined;
  const { sub, sid, epoch, iat, nbf, exp, jti, aud, cnf } = claims;
  const thumbprint: unknown = cnf === undefined ? null : (cnf?.['x5t#S256'] ?? ''); // Null there is not unbound.
  const wellFormed =
    typeof sub === 'string' &&
    /^[1-9]\d{0,15}$/.test(sub) &&
    typeof sid === 'string' &&
    typeof jti === 'string' &&
    aud === audience &&
    Number.isSafeInteger(epoch) &&
    [iat, nbf, exp].every((at) => Number.isSafeInteger(at) && isDate(new Date(Number(at) * 1000))) &&
    iat === nbf &&
    (thumbprint === null || typeof thumbprint === 'string');
  if (!wellFormed || exp === undefined) return undefined;
  return { userId: Number(sub), sessionId: sid, epoch, expiresAt: exp * 1000, certificate: thumbprint };
}

/** The refusal of what was good until `at`. */
export function sessionExpired(at: number): Failure {
  const time = new Date(at).toISOString().slice(11, 16);
  return new Failure('session-expired', `Your session expired at ${time} UTC.`, { hint: 'Run: secure-inv login' });
}
