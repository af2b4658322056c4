import { DatabaseSync } from 'node:sqlite';
import { sqliteBusy, sqliteCode } from './database.ts';

/** Two servers that start in the same moment can refuse each other once; neither does so for this long. */
const busyMillisecondsMax = 200;

/** Holds the right to serve from a store; the kernel releases it when the process dies, however it dies. */
export interface ServerLock {
  release(): void;
}

/** Takes the lock beside a store, or says with undefined that another process has it. Node has no flock. */
export function takeServerLock(path: string): ServerLock | undefined {
  const database = new DatabaseSync(path, { timeout: busyMillisecondsMax });
  try {
    // Nothing is ever written here, so no journal need lie about after a kill.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    // On a read-only file system SQLite has opened the file for reading, where an exclusive transaction locks nothing and
    // is no error; this, which is never committed, is one.
    database.exec('PRAGMA user_version = 1');
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    if (sqliteCode(error) === sqliteBusy) return undefined;
    throw error;
  }
}
