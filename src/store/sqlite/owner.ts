import { existsSync, lchownSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

type Owner = Pick<Stats, 'uid' | 'gid'>;

/** Makes the folder that a file lies in, for whoever owns the one above it, who is returned: the file is to be theirs. */
export function makeFolderOf(path: string): Owner {
  const folder = dirname(resolve(path));
  const made = makeFolders(folder);
  const [first] = made;
  if (first === undefined) return statSync(folder);
  const owner = statSync(dirname(first));
  for (const one of made) giveTo(owner, one);
  return owner;
}

/**
 * Makes a folder and what is missing above it, and says which, from the top. One after the other: Node itself tries without
 * end where none can be made, as in /proc. Failures: those of node:fs.
 */
export function makeFolders(folder: string): readonly string[] {
  if (existsSync(folder)) return [];
  const above = makeFolders(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
    return [...above, folder];
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return above; // Another was faster.
    throw error;
  }
}

/** What root makes is given to the server's user, who could not open it otherwise. Of a link, the link itself is. */
export function giveTo({ uid, gid }: Owner, path: string): void {
  if (process.getuid?.() === 0) lchownSync(path, uid, gid);
}
