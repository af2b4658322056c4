import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

const blockBytes = 1024 * 1024;

/** Writes a small file as a whole, for its owner alone, and onto the disk. */
export function writePrivately(path: string, text: string): void {
  const temporary = `${path}.${randomUUID()}`;
  try {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    putInPlace(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Gives a file that is on the disk its name, and that, too, onto the disk. */
export function putInPlace(temporary: string, path: string): void {
  renameSync(temporary, path);
  syncPath(dirname(path));
}

/** As `putInPlace`, where it must replace nothing, not even what came a moment ago. Failures: `EEXIST` of node:fs. */
export function putWhereNothingIs(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw error;
    // A memory stick's file system has no links.
    copyFileSync(temporary, path, constants.COPYFILE_EXCL);
    syncPath(path);
  }
  rmSync(temporary);
  syncPath(dirname(path));
}

/** What was written to a file or folder before is on the disk now. */
export function syncPath(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** SHA-256 of a file in hexadecimal, of any size; with `copy`, which must not be there, what is hashed is also copied. */
export function hashFile(path: string, onBytes: (bytes: number) => void, copy?: string): string {
  const hash = createHash('sha256');
  const block = Buffer.alloc(blockBytes);
  const source = openSync(path, 'r');
  try {
    const target = copy === undefined ? undefined : openSync(copy, 'wx', 0o600);
    try {
      let done = 0;
      for (let bytes = readSync(source, block); bytes > 0; bytes = readSync(source, block)) {
        const part = block.subarray(0, bytes);
        hash.update(part);
        if (target !== undefined) for (let from = 0; from < bytes; ) from += writeSync(target, part, from);
        done += bytes;
        onBytes(done);
      }
      if (target !== undefined) fsyncSync(target);
    } finally {
      if (target !== undefined) closeSync(target);
    }
    return hash.digest('hex');
  } finally {
    closeSync(source);
  }
}
