import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a whole file or nothing: a new file beside it with `mode` from its first moment, fsync, rename, fsync of the
 * folder. A reader sees the old content or the new, also after a power cut. Folders that are missing are made 0700.
 */
export async function writeFileAtomically(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}`);
  try {
    await withFile(await open(temporary, 'wx', mode), async (file) => {
      await file.writeFile(content);
      await file.sync();
    });
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // It may never have been made; the first error is the one to tell.
    throw error;
  }
  await withFile(await open(folder, 'r'), (file) => file.sync());
}

/** Removes a file so that no power cut brings it back. One that is not there is removed already. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await withFile(await open(dirname(path), 'r'), (folder) => folder.sync());
}

async function withFile(file: FileHandle, use: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

/** Whether somebody but the owner may read or write the file. Windows has no such modes. */
export async function isOpenToOthers(path: string): Promise<boolean> {
  return process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0;
}
