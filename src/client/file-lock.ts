import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Older than any refresh takes, which connects (10 s) and asks (60 s): its maker was killed. */
const staleMilliseconds = 90_000;
const pollMilliseconds = 25;

/** Runs `work` while this file exists for nobody but us. */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const owner = randomUUID();
  while (!(await take(file, owner))) await sleep(pollMilliseconds);
  return releaseAfter(file, owner, work);
}

/** The same, unless the file exists: then somebody else does that work already, and nothing is done here. */
export async function unlessLocked(file: string, work: () => Promise<void>): Promise<void> {
  const owner = randomUUID();
  if (await take(file, owner)) await releaseAfter(file, owner, work);
}

async function releaseAfter<T>(file: string, owner: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    // Somebody who took this one for dead has the lock now: it is theirs to remove.
    if ((await readFile(file, 'utf8').catch(() => '')) === owner) await rm(file, { force: true });
  }
}

async function take(file: string, owner: string): Promise<boolean> {
  try {
    await writeFile(file, owner, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const age = await stat(file).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0, // Just released.
  );
  if (age > staleMilliseconds) await rm(file, { force: true });
  return false;
}
