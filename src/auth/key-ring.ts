import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isOpenToOthers, writeFileAtomically } from '../file/private-file.ts';
import { Failure } from '../model/failure.ts';

/** The secrets behind all tokens of a server. They lie beside the store, 0600, and are in no backup. */
export interface KeyRing {
  /** Names the key that signs now; every key in `verifying` is good for tokens signed before. */
  readonly kid: string;
  readonly signing: KeyObject;
  readonly verifying: ReadonlyMap<string, KeyObject>;
  /** Derives each refresh token from the one before (security.md 13). */
  readonly refreshSecret: Uint8Array;
}

interface KeyFile {
  readonly keys: readonly { readonly kid: string; readonly privateKey: string }[];
  readonly refreshSecret: string;
}

/** Reads the key ring in this file, or makes it. The last key signs. Failures: `bad-params` naming the file. */
export async function openKeyRing(path: string): Promise<KeyRing> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      throw new Failure('bad-params', `${path} cannot be read (${error}).`, {
        hint: 'Make it readable to the server.',
      });
    }
    text = JSON.stringify(makeKeys(), null, 2);
    await writeFileAtomically(path, text);
  }
  if (await isOpenToOthers(path)) {
    throw new Failure('bad-params', `${path} holds the token keys and is open to others.`, {
      hint: `Run: chmod 600 ${path} && mv ${path} ${path}.exposed (the latter logs everybody out, as it should).`,
    });
  }
  return parseKeys(text, path);
}

function makeKeys(): KeyFile {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    keys: [
      {
        kid: randomBytes(9).toString('base64url'),
        privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      },
    ],
    refreshSecret: randomBytes(32).toString('base64url'),
  };
}

function parseKeys(text: string, path: string): KeyRing {
  try {
    const file = JSON.parse(text) as KeyFile; // Our own file, closed to others; a wrong shape throws just below.
    const keys = file.keys.map(({ kid, privateKey }) => ({ kid, key: createPrivateKey(privateKey) }));
    const last = keys.at(-1);
    const refreshSecret = Buffer.from(file.refreshSecret, 'base64url');
    if (!last || refreshSecret.length !== 32) throw new Error('a key is missing');
    const verifying = new Map(keys.map(({ kid, key }) => [kid, createPublicKey(key)]));
    return { kid: last.kid, signing: last.key, verifying, refreshSecret };
  } catch {
    // The cause could quote the file, and so a key.
    throw new Failure('bad-params', `${path} is not a key ring of secure-inv (half-written or edited).`, {
      hint: 'Restore it, or move it away: a new one is made and everybody logs in again.',
    });
  }
}
