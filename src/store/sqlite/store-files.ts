import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Failure } from '../../model/failure.ts';
import { shellWord } from '../../model/shell-word.ts';
import { readDamage } from './damage-note.ts';
import { Database, sqliteCode, sqliteNoDatabase } from './database.ts';
import { DiskReserve } from './disk-reserve.ts';
import { assertNew, assertNotEmptied } from './earlier-life.ts';
import type { WorkerOptions } from './message.ts';
import { migrate, notOurs, schemaVersion, schemaVersionOf } from './migrations.ts';
import { makeFolders } from './owner.ts';
import { type ServerLock, takeServerLock } from './server-lock.ts';
import { StorePlace } from './store-place.ts';
import { assertWalIntact } from './wal-check.ts';
import { WriteGate } from './write-gate.ts';

/** An opened store: its database, and the lock if it was opened to serve from. */
export interface StoreFiles {
  readonly id: string;
  readonly database: Database;
  readonly lock: ServerLock | undefined;
  readonly gate: WriteGate;
}

/** Opens a store's files and brings them up to date. Failures: as `openStore`. */
export function openStoreFiles({ path, exclusive }: WorkerOptions): StoreFiles {
  try {
    assertNoneOfOthers(path);
    makeFolders(dirname(resolve(path)));
    makePrivate(`${path}-lock`);
    const lock = takeServerLock(`${path}-lock`);
    if (exclusive && !lock) throw alreadyServed(path);
    try {
      if (lock) assertNotEmptied(path);
      makePrivate(path);
      if (exclusive) assertOneName(path);
      // Before SQLite reads its log, and only where no server is writing to it.
      if (lock) assertWalIntact(path);
      const { id, database } = openDatabase(path, lock !== undefined);
      if (!exclusive) lock?.release();
      const gate = new WriteGate(path, exclusive ? served(path) : undefined);
      return { id, database, lock: exclusive ? lock : undefined, gate };
    } catch (error) {
      lock?.release();
      throw error;
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure('storage', `The store ${path} cannot be opened: ${reason}.`, {
      hint: 'The server needs to read and write this file and its folder.',
    });
  }
}

function served(path: string) {
  return { reserve: new DiskReserve(path), place: new StorePlace(path), damage: readDamage(path) };
}

/** A slip in the path must change nothing of somebody else's file, neither its mode nor what lies beside it. */
function assertNoneOfOthers(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || (found.isFile() && found.size === 0)) return;
  if (!found.isFile()) throw notOurs(path);
  const url = pathToFileURL(resolve(path));
  // So that nothing is made beside it, and its log is not read: our own file tells what it is before any log is merged.
  url.searchParams.set('immutable', '1');
  const database = new Database(url, true);
  try {
    schemaVersionOf(database, path);
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (sqliteCode(error) === sqliteNoDatabase) throw notOurs(path);
    // Whatever else is wrong with it, or is being written by its server, is for whoever reads the log as well.
  } finally {
    database.close();
  }
}

/** Only who holds the lock may migrate: a server that is running expects the schema it found. */
function openDatabase(path: string, mayMigrate: boolean): { id: string; database: Database } {
  const database = new Database(path);
  try {
    const version = schemaVersionOf(database, path);
    if (version === 0) assertNew(path);
    if (mayMigrate) {
      migrate(database, version);
    } else if (version < schemaVersion) {
      throw new Failure('conflict', `The store ${path} is in use by an older version of the server.`, {
        hint: 'Restart the server first.',
      });
    }
    return { id: database.one<{ id: string }>('SELECT id FROM meta').id, database };
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Makes the file with the mode that SQLite then gives to its companions, too. An existing file must not be opened here:
 * closing it would release the locks that this very process may hold on it (POSIX).
 */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  }
}

/** Lock and log go by the name: under another one of the same file, a second server would find neither. */
function assertOneName(path: string): void {
  if (statSync(path).nlink <= 1) return;
  throw new Failure('storage', `The store ${path} has another name, a hard link, by which it could be served twice.`, {
    hint: `Delete the other name: find / -xdev -samefile ${shellWord(path)} shows it. A backup is made by: secure-invd backup FILE`,
  });
}

function alreadyServed(path: string): Failure {
  return new Failure('conflict', `Another server has the store ${path}.`, {
    hint: 'Stop that server, or give this one another "store" in its config.',
  });
}
