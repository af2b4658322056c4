import { stat, statfs } from 'node:fs/promises';
import { diskFreeBytesMin, eventLoopDelayMillisecondsMax, silenceSecondsMax } from '../model/limits.ts';
import type { Store } from '../store/store.ts';
import { type Check, within } from './readiness.ts';

/** What readiness depends on. */
export interface Watched {
  readonly store: Pick<Store, 'touch' | 'head' | 'health'>;
  /** The database's path. */
  readonly storeFile: string;
  readonly now: () => number;
  readonly certificateEnds: () => readonly { readonly file: string; readonly at: number }[];
  /** Files whose end shuts everybody out. */
  readonly vital: ReadonlySet<string>;
}

/** What must be well before anybody is sent to this server. */
export function checksOf(watched: Watched): readonly Check[] {
  return [
    { name: 'store', look: () => lookAtStore(watched.store) },
    { name: 'certificates', look: async () => endedFile(watched) },
    { name: 'event loop', look: lookAtEventLoop },
    { name: 'disk', look: () => lookAtDisk(watched.storeFile) },
  ];
}

/** A transaction with its fsync: what it writes is never what is there already, which SQLite would not write. */
async function lookAtStore(store: Watched['store']): Promise<string | undefined> {
  await store.touch();
  return (await store.health()).problem ?? undefined;
}

/** Whether the store can still be read, which it can on a full disk, too: if not, a new start is what may help. */
export function storeAnswers(store: Watched['store']): Promise<boolean> {
  const answered = store.head().then(
    () => true,
    () => false,
  );
  return within(answered, silenceSecondsMax * 1000, false);
}

function endedFile({ certificateEnds, vital, now }: Watched): string | undefined {
  const ended = certificateEnds().find(({ file, at }) => vital.has(file) && at <= now());
  return ended && `${ended.file} has ended`;
}

async function lookAtEventLoop(): Promise<string | undefined> {
  const since = performance.now();
  await new Promise((resolve) => setImmediate(resolve));
  const late = performance.now() - since;
  return late > eventLoopDelayMillisecondsMax ? `late by ${Math.round(late)} ms` : undefined;
}

async function lookAtDisk(storeFile: string): Promise<string | undefined> {
  const free = await freeBytes(storeFile);
  return free < diskFreeBytesMin ? `${formatMebibytes(free)} are free where the store is` : undefined;
}

/** What an unprivileged user may still write where this file is, in bytes. */
export async function freeBytes(file: string): Promise<number> {
  const { bavail, bsize } = await statfs(file);
  return bavail * bsize;
}

export function formatMebibytes(bytes: number): string {
  return `${Math.floor(bytes / (1024 * 1024))} MiB`;
}

/** The sizes of a store's files. */
export async function storeBytes(storeFile: string): Promise<Readonly<Record<'database' | 'log', number>>> {
  const sizeOf = (file: string) =>
    stat(file).then(
      ({ size }) => size,
      () => 0, // There is no log while it is merged.
    );
  return { database: await sizeOf(storeFile), log: await sizeOf(`${storeFile}-wal`) };
}
