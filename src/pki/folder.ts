import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLockFile } from '../file/lock-file.ts';
import { writeFileAtomically } from '../file/private-file.ts';
import { Failure } from '../model/failure.ts';
import { accessFailure } from './certificate-file.ts';

/** A file to write into the folder. */
export interface NewFile {
  readonly file: string;
  readonly content: string | Uint8Array;
}

const lockFile = '.gen-certs.lock';

const isOurs = /^(README\.md|\.gitignore|\.?client-issued\.jsonl.*|.*\.(pem|p12).*)$/;

/** The names in the folder; none when it does not exist. */
export async function listFolder(folder: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(folder));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Set();
    throw await accessFailure(folder, '', error);
  }
}

/** Makes the folder, for its owner only. A folder that has other things in it is left as it is: it may be /tmp. */
async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (process.platform === 'win32' || ((await stat(folder)).mode & 0o077) === 0) return;
  const others = [...(await listFolder(folder))].filter((name) => !isOurs.test(name));
  if (others.length > 0) {
    throw new Failure('bad-params', `${folder} is open to other users and holds other files, such as ${others[0]}.`, {
      hint: 'Give the certificates a folder of their own.',
    });
  }
  await chmod(folder, 0o700);
}

/**
 * Does what changes the folder while nobody else does: without this, the server's own renewal of the revocation list
 * could overwrite a revocation made in the same moment. A lock left by a killed program is never taken over silently.
 */
export async function changeFolder<T>(folder: string, change: () => Promise<T>): Promise<T> {
  let release: () => Promise<void>;
  try {
    await prepareFolder(folder);
    release = await takeLockFile(join(folder, lockFile), 'the certificates');
  } catch (error) {
    throw error instanceof Failure ? error : await accessFailure(folder, '', error, 'changed');
  }
  try {
    return await change();
  } finally {
    await release();
  }
}

function modeOf(file: string): number {
  if (file.endsWith('-ca-key.pem')) return 0o400;
  return /(-key\.pem|\.p12|\.jsonl)$/.test(file) ? 0o600 : 0o644;
}

/** Writes files, each whole or not at all; a key is never open to others, not for a moment. */
export async function writeFiles(folder: string, newFiles: readonly NewFile[]): Promise<void> {
  for (const { file, content } of newFiles) {
    try {
      await writeFileAtomically(join(folder, file), content, modeOf(file));
    } catch (error) {
      throw await accessFailure(folder, file, error, 'written');
    }
  }
}
