import { stat } from 'node:fs/promises';
import { takeLockFile } from '../file/lock-file.ts';
import { writeFileAtomically } from '../file/private-file.ts';
import { Failure } from '../model/failure.ts';
import { endOfKey, formatKeyFile, makeKey, readKeyFile } from './key-ring.ts';

/** What signs from now on, and what did until now. */
export interface Rotation {
  readonly kid: string;
  readonly replaced: string;
  /** How long the replaced key verifies: milliseconds since 1970. */
  readonly until: number;
}

/**
 * Adds a new signing key to the file and drops those that no token can hang on any more; a running server takes it up by
 * itself. The refresh secret stays, because logins are chains made with it. Failures: `bad-params` when the file is
 * missing, wrong or somebody else's, `busy` when another rotation does not end, `storage` when it cannot be written.
 */
export async function rotateKeys(path: string, now = Date.now()): Promise<Rotation> {
  await readKeyFile(path); // What is wrong with it is to be told first.
  await assertOwn(path);
  const release = await takeLockFile(`${path}.lock`, 'the token keys').catch(explain(path));
  try {
    const { file, ring } = await readKeyFile(path); // Once more: it may have changed before the lock was ours.
    const kept = file.keys.filter((_, at) => endOfKey(file, at) > now);
    const added = makeKey(now);
    const rotated = { ...file, keys: [...kept, added] };
    await writeFileAtomically(path, formatKeyFile(rotated)).catch(explain(path));
    return { kid: added.kid, replaced: ring.kid, until: endOfKey(rotated, kept.length - 1) };
  } finally {
    await release();
  }
}

/** A file that the server's user does not own would be taken from it by the rename, also if root does it. */
async function assertOwn(path: string): Promise<void> {
  const { uid } = await stat(path);
  const own = process.getuid?.();
  if (own === undefined || own === uid) return;
  throw new Failure('bad-params', `${path} belongs to another user (${uid}; this program runs as ${own}).`, {
    hint: `Run this as its owner: sudo -u '#${uid}' …`,
  });
}

function explain(path: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof Failure) throw error;
    const reason = error instanceof Error && 'code' in error ? error.code : error;
    throw new Failure('storage', `${path} cannot be changed (${reason}). Nothing was rotated.`, {
      hint: 'Check the disk, and who may write in its folder.',
    });
  };
}
