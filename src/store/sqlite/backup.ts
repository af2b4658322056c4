import { closeSync, existsSync, lstatSync, openSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Failure } from '../../model/failure.ts';
import { Database } from './database.ts';
import { assertNotEmptied } from './earlier-life.ts';
import type { OnProgress } from './file-task.ts';
import { writeLastBackup } from './last-backup.ts';
import { schemaVersionOf } from './migrations.ts';
import { hashFile, putWhereNothingIs, syncPath } from './private-copy.ts';
import { readSeal, type Seal, sealFileOf, writeSeal } from './seal.ts';
import { type CheckedStore, checkStore } from './store-check.ts';
import { assertWalIntact } from './wal-check.ts';

/** A backup that is good, and how large it is. */
export interface CheckedBackup extends Seal, CheckedStore {
  readonly bytes: number;
}

/**
 * Writes the store as it is at one moment into a new file, looks at all of it, and writes its hash beside it. A server
 * goes on: it is read from a connection of its own. Failures: `conflict` when the file is there, `storage`.
 */
export function makeBackup(
  path: string,
  { file, unfinished: temporary }: { readonly file: string; readonly unfinished: string },
  onProgress: OnProgress,
): CheckedBackup {
  for (const path of [file, sealFileOf(file)]) if (isThere(path)) throw taken(path);
  const at = Date.now();
  try {
    closeSync(openSync(temporary, 'wx', 0o600)); // So that SQLite need not make it, and it is never open to others.
    copyStore(path, temporary, onProgress);
    const { about, checked } = look(temporary, onProgress);
    syncPath(temporary);
    const hash = hashFile(temporary, () => undefined);
    const { size: bytes } = statSync(temporary);
    putWhereNothingIs(temporary, file);
    const seal: Seal = { hash, ...about, movements: checked.movements, root: checked.root, at };
    writeSeal(file, seal); // Last: without it the file is no backup.
    noteBackup(path, at);
    return { ...seal, ...checked, bytes };
  } catch (error) {
    rmSync(temporary, { force: true });
    // Another backup was given the same name, and has been faster.
    throw error instanceof Error && 'code' in error && error.code === 'EEXIST' ? taken(file) : error;
  }
}

function taken(path: string): Failure {
  return new Failure('conflict', `${path} is there already; a backup replaces nothing.`, {
    hint: 'Give a new name, such as one with the date.',
  });
}

/**
 * Looks at all of a backup: its hash, and what is in it. Failures: `not-found` without its hash, `bad-params` when the hash
 * is wrong, `storage` when what is in it is damaged, foreign, or newer than this program.
 */
export function verifyBackup(file: string, onProgress: OnProgress): CheckedBackup {
  if (!existsSync(file)) throw new Failure('not-found', `There is no ${file}.`, { hint: 'Give the path of a backup.' });
  const seal = readSeal(file);
  const { size: bytes } = statSync(file);
  assertHash(
    file,
    seal,
    hashFile(file, (done) => onProgress({ step: 'hashing', done, all: bytes })),
  );
  const { about, checked } = look(file, onProgress);
  if (checked.root !== seal.root || about.schema !== seal.schema || about.store !== seal.store) {
    throw new Failure('bad-params', `${sealFileOf(file)} does not describe ${file}.`, { hint: 'Use another backup.' });
  }
  return { ...seal, ...checked, bytes };
}

/** Failures: `bad-params`. */
export function assertHash(file: string, seal: Seal, hash: string): void {
  if (hash === seal.hash) return;
  throw new Failure('bad-params', `${file} is damaged: its hash is not the one in ${sealFileOf(file)}.`, {
    hint: 'Copy it again from where it was kept, or use another backup.',
  });
}

/** `VACUUM INTO` reads one snapshot; the server writes on meanwhile, into its log. */
function copyStore(path: string, target: string, onProgress: OnProgress): void {
  const database = openForReading(path);
  try {
    const { bytes } = database.one<{ bytes: number }>(
      'SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size',
    );
    onProgress({ step: 'copying', done: 0, all: bytes, target });
    database.run('VACUUM INTO ?', target);
  } finally {
    database.close();
  }
}

/** The store from a connection that only reads, also beside a server. Failures: `not-found`, `storage`. */
export function openForReading(path: string): Database {
  assertNotEmptied(path);
  if (!existsSync(path)) {
    throw new Failure('not-found', `There is no store ${path}.`, { hint: 'Correct "store" in the config.' });
  }
  assertWalIntact(path);
  const database = new Database(path, true);
  try {
    schemaVersionOf(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function look(file: string, onProgress: OnProgress): { about: Pick<Seal, 'schema' | 'store'>; checked: CheckedStore } {
  const url = pathToFileURL(resolve(file));
  url.searchParams.set('immutable', '1'); // So that nothing is made beside it.
  const database = new Database(url, true);
  try {
    const schema = schemaVersionOf(database, file);
    const checked = checkStore(database, (done, all) => onProgress({ step: 'checking', done, all }));
    return { about: { schema, store: database.one<{ id: string }>('SELECT id FROM meta').id }, checked };
  } finally {
    database.close();
  }
}

/** The backup is good also when nobody can be told of it. */
function noteBackup(path: string, at: number): void {
  try {
    writeLastBackup(path, at);
  } catch {
    // A folder that cannot be written is told of by the server.
  }
}

/** Also a link to nowhere. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
