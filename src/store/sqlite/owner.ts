import { lchownSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

type Owner = Pick<Stats, 'uid' | 'gid'>;

/** Makes the folder that a file lies in, for whoever owns the one above it, who is returned: the file is to be theirs. */
export function makeFolderOf(path: string): Owner {
  const folder = dirname(resolve(path));
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return statSync(folder);
  const owner = statSync(dirname(first));
  for (let made = folder; made.length >= first.length; made = dirname(made)) giveTo(owner, made);
  return owner;
}

/** What root makes is given to the server's user, who could not open it otherwise. Of a link, the link itself is. */
export function giveTo({ uid, gid }: Owner, path: string): void {
  if (process.getuid?.() === 0) lchownSync(path, uid, gid);
}
