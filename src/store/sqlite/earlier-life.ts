import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { Failure } from '../../model/failure.ts';

/** What lies beside a store only when it was whole once. Its lock does not: a first start that was killed leaves one. */
const traces = ['-reserve', '-backup', '-damage'];

/**
 * Refuses to begin where a store is gone or was emptied: a new one in its place would be an inventory of nothing, and
 * nobody would be told. Before SQLite looks at the file. Failures: `storage`.
 */
export function assertNotEmptied(path: string): void {
  if (hasContent(path)) return;
  // SQLite writes a file's first page before it begins a log.
  const trace = [...traces, '-wal'].find((end) => hasContent(`${path}${end}`));
  if (trace !== undefined) throw emptied(path, existsSync(path) ? 'is empty' : 'is gone', trace);
}

/** The same of a database without a single table, whose content was all in a log that is gone. Failures: `storage`. */
export function assertNew(path: string): void {
  const trace = traces.find((end) => hasContent(`${path}${end}`));
  if (trace !== undefined) throw emptied(path, 'has nothing in it', trace);
}

function emptied(path: string, state: string, trace: string): Failure {
  return new Failure('storage', `The store ${path} ${state}, but ${basename(path)}${trace} shows that there was one.`, {
    hint: `Nothing was made in its place. Bring the file back, or move away all that is called ${basename(path)}… there and restore the newest backup: secure-invd restore FILE. Without a restore, the next start makes an empty store.`,
  });
}

function hasContent(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
