import { Failure } from '../../model/failure.ts';
import type { Importer, ImportState } from '../../model/import.ts';
import { importRowsMax, importsStagedMax } from '../../model/limits.ts';
import type { Database } from './database.ts';

/** An import as its table has it. */
export interface ImportRecord {
  readonly id: number;
  readonly user_id: number;
  readonly user: string;
  readonly name: string | null;
  readonly digest: Uint8Array;
  readonly seed: Uint8Array;
  readonly again: number;
  readonly rows: number;
  readonly pages: number;
  readonly done: number;
  readonly state: ImportState | 'forgotten';
  readonly at: number;
  readonly credential: string | null;
  readonly source: string | null;
  readonly scope: string | null;
  readonly problem: string | null;
}

/** One whose rows still come. Failures: `not-found`, `conflict`. */
export function ownStagedImport(database: Database, importer: Importer, importId: number): ImportRecord {
  const record = ownImport(database, importer, importId);
  if (record.state === 'staged') return record;
  throw new Failure('conflict', `Import ${importId} was accepted already.`, {
    hint: `See: secure-inv import status ${importId}`,
  });
}

/** One whose rows are all there, and not all counted. Failures: `not-found`, `conflict`. */
export function ownOpenImport(database: Database, importer: Importer, importId: number): ImportRecord {
  const record = ownImport(database, importer, importId);
  if (record.state === 'stopped') return record;
  if (record.state !== 'staged') return ownStagedImport(database, importer, importId);
  if (record.done === record.rows) return record;
  throw new Failure('conflict', `Import ${importId} has ${record.done} of its ${record.rows} rows.`, {
    hint: 'Send the rest first.',
  });
}

/** An import of this user. Failures: `not-found`. */
export function ownImport(database: Database, { userId }: Importer, importId: number): ImportRecord {
  const record = findImport(database, importId);
  if (record && record.user_id === userId && record.state !== 'forgotten') return record;
  throw unknownImport(importId);
}

/** Whosever it is. */
export function findImport(database: Database, importId: number): ImportRecord | undefined {
  const sql = 'SELECT import.*, user.name AS user FROM import JOIN user ON user.id = user_id WHERE import.id = ?';
  return database.get<ImportRecord>(sql, importId);
}

/** The one that has been in this state for longest. */
export function nextImport(database: Database, state: ImportRecord['state']): ImportRecord | undefined {
  return database.get<ImportRecord>(
    `SELECT import.*, user.name AS user FROM import JOIN user ON user.id = user_id
     WHERE state = ? AND state IN ('staged', 'accepted', 'forgotten') ORDER BY at, import.id LIMIT 1`,
    state,
  );
}

/**
 * Refuses a file that was accepted before. By whom and when is told to whoever may see all imports, and of their own:
 * a digest is what a client says it is, and proves no sight of the rows. Failures: `conflict`.
 */
export function assertNotImported(
  database: Database,
  digest: Uint8Array,
  { userId, scope }: Importer,
  byWhom: 'anybody' | 'themselves',
): void {
  const found = database.get<ImportRecord>(
    `SELECT import.*, user.name AS user FROM import JOIN user ON user.id = user_id
     WHERE digest = ? AND state IN ('accepted', 'stopped', 'done') AND (? IS NULL OR user_id = ?)
     ORDER BY import.id DESC LIMIT 1`,
    digest,
    byWhom === 'anybody' ? null : userId,
    userId,
  );
  if (!found) return;
  if (scope !== null && found.user_id !== userId) {
    throw new Failure('conflict', 'This file was imported already.', {
      hint: 'Ask an administrator whether all of it is counted, before you give it once more with --again.',
    });
  }
  const at = new Date(found.at).toISOString().slice(0, 16).replace('T', ' ');
  const end = found.state === 'stopped' ? ', and has stopped half way' : '';
  throw new Failure('conflict', `This file was imported on ${at} UTC by ${found.user} (import ${found.id})${end}.`, {
    hint: hintFor(found, found.user_id === userId),
  });
}

/** Only of a file that is counted as a whole `--again` counts nothing that was to be counted once. */
function hintFor({ id, state, user, done, rows }: ImportRecord, isOwn: boolean): string {
  if (state === 'accepted') return `It is being counted. See: secure-inv import status ${id}`;
  if (state !== 'stopped') return 'If all of it really came in once more: --again';
  const rest = isOwn ? 'For the rest' : `The rest is for ${user} to count`;
  return `${done} of its ${rows} rows are counted. ${rest}: secure-inv import accept ${id}`;
}

/** What a user staged and did not accept makes room for what they stage now, the oldest first. */
export function makeRoom(database: Database, userId: number, rows: number): void {
  const staged = database.all<{ id: number; rows: number }>(
    `SELECT id, rows FROM import WHERE state = 'staged' AND user_id = ? ORDER BY at DESC, id DESC`,
    userId,
  );
  let sum = rows;
  for (const [newer, older] of staged.entries()) {
    sum += older.rows;
    if (sum > importRowsMax || newer + 1 >= importsStagedMax) forget(database, older.id);
  }
}

/** Its rows go in portions. One that has none goes at once, so that whoever only begins leaves nothing to do. */
function forget(database: Database, importId: number): void {
  if (database.run('DELETE FROM import WHERE id = ? AND done = 0', importId) > 0) return;
  database.run(`UPDATE import SET state = 'forgotten' WHERE id = ?`, importId);
}

/** The rows before it are counted. */
export function firstRow({ state, done }: ImportRecord): number {
  return state === 'stopped' ? done : 0;
}

/** The refusal of an import that whoever asks has not. */
export function unknownImport(importId: number): Failure {
  return new Failure('not-found', `No import ${importId}.`, { hint: 'See: secure-inv import --help' });
}
