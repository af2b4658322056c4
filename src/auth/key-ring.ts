import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isOpenToOthers, writeFileAtomically } from '../file/private-file.ts';
import { Failure } from '../model/failure.ts';
import { accessMinutesMax, clockSkewSeconds } from '../model/limits.ts';

/** A key that tokens may have been signed with. */
interface VerifyingKey {
  readonly key: KeyObject;
  /** When the last token that it signed has ended: milliseconds since 1970; infinite while it signs. */
  readonly until: number;
}

/** The secrets behind all tokens of a server. They lie beside the store, 0600, and are in no backup. */
export interface KeyRing {
  /** Names the key that signs now; every key in `verifying` is good for tokens signed before. */
  readonly kid: string;
  readonly signing: KeyObject;
  readonly verifying: ReadonlyMap<string, VerifyingKey>;
  /** Derives each refresh token from the one before (security.md 13). */
  readonly refreshSecret: Uint8Array;
}

interface StoredKey {
  readonly kid: string;
  readonly privateKey: string;
  /** When it began to sign, RFC 3339. Absent for a first key, and in files from before keys rotated: always. */
  readonly since?: string;
}

/** A key ring as it is written down. The last key signs. */
export interface KeyFile {
  readonly keys: readonly StoredKey[];
  readonly refreshSecret: string;
}

/** Reads the key ring in this file, or makes it. Failures: `bad-params` naming the file. */
export async function openKeyRing(path: string, now = Date.now()): Promise<KeyRing> {
  if (await isMissing(path)) {
    const first: KeyFile = { keys: [makeKey()], refreshSecret: randomBytes(32).toString('base64url') };
    await writeFileAtomically(path, formatKeyFile(first));
  }
  return loadKeyRing(path, now);
}

/** Reads the key ring in this file. Failures: `bad-params` naming the file. */
export async function loadKeyRing(path: string, now: number): Promise<KeyRing> {
  const { ring } = await readKeyFile(path);
  return withoutEnded(ring, now);
}

/** A key that nobody has used yet, signing since then. */
export function makeKey(since?: number): StoredKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    kid: randomBytes(9).toString('base64url'),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
  };
}

/** When the last token has ended that the key at this place can have signed: milliseconds since 1970. */
export function endOfKey({ keys }: KeyFile, at: number): number {
  const replacedAt = keys[at + 1]?.since;
  if (replacedAt === undefined) return Number.POSITIVE_INFINITY;
  return Date.parse(replacedAt) + accessMinutesMax * 60_000 + clockSkewSeconds * 1000;
}

/** The ring without the keys that no token can hang on any more. */
export function withoutEnded(ring: KeyRing, now: number): KeyRing {
  const living = [...ring.verifying].filter(([, { until }]) => now < until);
  return living.length === ring.verifying.size ? ring : { ...ring, verifying: new Map(living) };
}

export function formatKeyFile(file: KeyFile): string {
  return JSON.stringify(file, null, 2);
}

/** The file, and all of it in use. Failures: `bad-params` naming the file, never quoting it. */
export async function readKeyFile(path: string): Promise<{ readonly file: KeyFile; readonly ring: KeyRing }> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? error.code : error;
    throw new Failure('bad-params', `${path} cannot be read (${reason}).`, {
      hint: 'It holds the token keys: restore it, and make it readable to the server and nobody else.',
    });
  }
  if (await isOpenToOthers(path)) {
    throw new Failure('bad-params', `${path} holds the token keys and is open to others.`, {
      hint: `Run: chmod 600 ${path} && mv ${path} ${path}.exposed, then start the server anew: everybody logs in again, as they should.`,
    });
  }
  try {
    const file = JSON.parse(text) as KeyFile; // Our own file, closed to others; a wrong shape throws just below.
    return { file, ring: ringOf(file) };
  } catch {
    // The cause could quote the file, and so a key.
    throw new Failure('bad-params', `${path} is not a key ring of secure-inv (half-written or edited).`, {
      hint: 'Restore it, or move it away: a new one is made at the next start, and everybody logs in again.',
    });
  }
}

/** Throws, it does not matter what, when this is no key ring that could sign. */
function ringOf(file: KeyFile): KeyRing {
  const keys = file.keys.map(({ kid, privateKey, since }, at) => {
    const key = createPrivateKey(privateKey);
    const isTimed = since === undefined || !Number.isNaN(Date.parse(since));
    // A key of another kind would be found out only by the next login.
    const canSign = key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
    if (typeof kid !== 'string' || !isTimed || !canSign) throw new Error('a key is wrong');
    return { kid, key, until: endOfKey(file, at) };
  });
  const last = keys.at(-1);
  const refreshSecret = Buffer.from(file.refreshSecret, 'base64url');
  if (!last || refreshSecret.length !== 32) throw new Error('a key is missing');
  const verifying = new Map(keys.map(({ kid, key, until }) => [kid, { key: createPublicKey(key), until }]));
  return { kid: last.kid, signing: last.key, verifying, refreshSecret };
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT',
  );
}
