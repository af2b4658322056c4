import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { aboutOwnFile } from './own-file.ts';

/** Not renewed for so long: its maker was killed or stopped, perhaps on another machine. */
const staleMilliseconds = 90_000;
/** Whoever works for longer says so: one who was stopped in the midst does not, and is not waited for. */
const renewalMilliseconds = 20_000;
/** Between making the file and writing into it nothing happens: its maker was killed there. */
const staleEmptyMilliseconds = 2_000;
const pollMilliseconds = 25;

/** Runs `work` while this file exists for nobody but us. */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const owner = makeOwner();
  while (!(await take(file, owner))) await sleep(pollMilliseconds);
  return releaseAfter(file, owner, work);
}

/** The same, waiting for so long at most; undefined, and nothing done, when somebody else has it for longer. */
export async function withFileLockWithin<T>(
  file: string,
  milliseconds: number,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const owner = makeOwner();
  const until = performance.now() + milliseconds;
  while (!(await take(file, owner))) {
    if (performance.now() > until) return undefined;
    await sleep(pollMilliseconds);
  }
  return releaseAfter(file, owner, work);
}

/** The same, unless the file exists: then somebody else does that work already, and nothing is done here. */
export async function unlessLocked(file: string, work: () => Promise<void>): Promise<void> {
  const owner = makeOwner();
  if (await take(file, owner)) await releaseAfter(file, owner, work);
}

/** Whether a process runs. Of another machine's nobody here knows: taken to be. */
export function isRunning({ host, pid }: { readonly host: string; readonly pid: number }): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'; // Somebody else's, but there.
  }
}

function makeOwner(): string {
  return `${hostname()} ${process.pid} ${randomUUID()}`;
}

async function releaseAfter<T>(file: string, owner: string, work: () => Promise<T>): Promise<T> {
  const renewal = setInterval(
    () => void utimes(file, new Date(), new Date()).catch(() => undefined),
    renewalMilliseconds,
  );
  renewal.unref();
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    // Somebody who took this one for dead has the lock now: it is theirs to remove.
    if ((await readFile(file, 'utf8').catch(() => '')) === owner) await rm(file, { force: true });
  }
}

async function take(file: string, owner: string): Promise<boolean> {
  try {
    await writeFile(file, owner, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    const isHeld = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    if (!isHeld) throw aboutOwnFile(file, 'written', error);
  }
  const holder = await readFile(file, 'utf8').catch(() => undefined);
  const age = await stat(file).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0, // Just released.
  );
  if (holder !== undefined && isDead(holder, age)) await removeLockOf(file, holder);
  return false;
}

function isDead(holder: string, age: number): boolean {
  if (age > staleMilliseconds) return true;
  if (holder === '') return age > staleEmptyMilliseconds;
  const [host = '', pid = ''] = holder.split(' ');
  return /^\d+$/.test(pid) && !isRunning({ host, pid: Number(pid) });
}

/** Removes a dead holder's file, and not the one of whoever removed that first and has the lock now. */
async function removeLockOf(file: string, holder: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch {
    return; // Somebody else has removed it.
  }
  const removed = await readFile(aside, 'utf8').catch(() => '');
  if (removed !== holder) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}
