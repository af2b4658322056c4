import { existsSync, rmSync } from 'node:fs';
import { host } from '../../model/audit.ts';
import { Failure } from '../../model/failure.ts';
import { addAudit } from './audit.ts';
import { assertHash, type CheckedBackup, verifyBackup } from './backup.ts';
import { forgetDamage } from './damage-note.ts';
import { Database } from './database.ts';
import type { OnProgress } from './file-task.ts';
import { migrate, schemaVersionOf } from './migrations.ts';
import { giveTo, makeFolderOf } from './owner.ts';
import { hashFile, putInPlace, syncPath } from './private-copy.ts';
import { assertOwnSchema } from './schema-check.ts';
import { takeServerLock } from './server-lock.ts';
import { makePrivate } from './store-files.ts';

/** What a restore has ended, because it may have been ended since the backup. */
export interface Ended {
  readonly sessions: number;
  readonly apiTokens: number;
  /** Links that nobody had opened. */
  readonly enrolments: number;
}

/** A store that was made of a backup. */
export interface RestoredStore extends CheckedBackup {
  readonly ended: Ended;
}

/**
 * Makes the store at `path` of a backup that is good, where there is none; root makes it for the folder's owner.
 * Failures: as `verifyBackup`, and `conflict` when something is there.
 */
export function restoreBackup(path: string, file: string, onProgress: OnProgress): RestoredStore {
  assertEmpty(path);
  const checked = verifyBackup(file, onProgress);
  const owner = makeFolderOf(path);
  makePrivate(`${path}-lock`);
  giveTo(owner, `${path}-lock`);
  const lock = takeServerLock(`${path}-lock`);
  if (!lock) throw occupied(path);
  const temporary = `${path}-restore`;
  try {
    assertEmpty(path);
    remove(temporary); // What a restore left that was killed; its lock is ours.
    const onBytes = (done: number) => onProgress({ step: 'copying', done, all: checked.bytes });
    assertHash(file, checked, hashFile(file, onBytes, temporary));
    const ended = prepare(temporary, checked);
    giveTo(owner, temporary);
    syncPath(temporary);
    forgetDamage(path); // Of the store that was there.
    putInPlace(temporary, path);
    return { ...checked, ended };
  } finally {
    remove(temporary);
    lock.release();
  }
}

function assertEmpty(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-journal`]) if (existsSync(file)) throw occupied(file);
}

function occupied(path: string): Failure {
  return new Failure('conflict', `There is something at ${path} already; a restore replaces nothing.`, {
    hint: 'Stop the server and move its files away, or name another place: --store sqlite:FILE',
  });
}

function remove(path: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${end}`, { force: true });
}

/** Brings it up to date, ends what must not come back to life, and leaves one file. */
function prepare(path: string, { at, movements, root }: CheckedBackup): Ended {
  const database = new Database(path);
  try {
    migrate(database, schemaVersionOf(database, path));
    assertOwnSchema(database);
    const ended = database.within(() => {
      const ended = endAccess(database);
      const detail = `the backup of ${new Date(at).toISOString()}, ${movements} movements, root ${root}`;
      addAudit(database, { ...host, event: 'store-restored', subject: null, detail, at: Date.now() });
      return ended;
    });
    database.script('PRAGMA journal_mode = DELETE');
    return ended;
  } finally {
    database.close();
  }
}

/**
 * Logins, API tokens, links and known devices that were ended since the backup was made are in it, and cannot be told from
 * those that were not: all of them end. What remains is in .github/SECURITY.md: passwords, roles and certificates.
 */
function endAccess(database: Database): Ended {
  const ended = {
    sessions: database.run('DELETE FROM session'),
    apiTokens: database.run('DELETE FROM api_token'),
    enrolments: database.run('DELETE FROM enrolment'),
  };
  database.run('DELETE FROM device');
  // Some have been sent since, and what was low then may not be now.
  database.run('DELETE FROM outbox');
  database.run('UPDATE user SET epoch = epoch + 1');
  return ended;
}
