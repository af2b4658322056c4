import { createHash } from 'node:crypto';
import { Failure } from '../../model/failure.ts';
import type { ImportProblem } from '../../model/import.ts';
import { importCommitRowsMax, importSliceMilliseconds, importSliceMillisecondsMax } from '../../model/limits.ts';
import type { Scope } from '../../model/user.ts';
import type { ImportSlice } from '../store.ts';
import type { Database } from './database.ts';
import { problemsWithKnown } from './import-check.ts';
import type { ImportRecord } from './import-records.ts';
import { deleteRows, isEmpty, type NumberedRow, readRows } from './import-rows.ts';
import { formatOperationId } from './operation-id.ts';
import type { Stock } from './stock.ts';

/** The least that a slice has. */
const sliceRowsMin = 16;
const commitsOnMean = 16;

/** Counts the rows of the accepted import, so many at once as others can wait for. */
export class ImportRoll {
  readonly #database: Database;
  readonly #stock: Stock;
  /** How many rows are counted in a commit. */
  #sliceRows = sliceRowsMin;
  /** What everybody waits for with each commit, on the mean of the last ones. */
  #commitMilliseconds = 0;

  constructor(database: Database, stock: Stock) {
    this.#database = database;
    this.#stock = stock;
  }

  /** A commit took so long. */
  noteCommit(milliseconds: number): void {
    this.#commitMilliseconds += (milliseconds - this.#commitMilliseconds) / commitsOnMean;
  }

  /** Counts a slice, inside a transaction: how it stands with the import then. */
  forward(record: ImportRecord, now: number): ImportSlice & { readonly isAtEnd: boolean } {
    const begun = performance.now();
    const rows = readRows(this.#database, record.id, record.done, this.#sliceRows);
    let { done } = record;
    let problem: ImportProblem | undefined;
    for (const run of runsOf(rows)) {
      problem = this.#countRun(record, run, now);
      if (problem) break;
      done += run.length;
    }
    deleteRows(this.#database, record.id, done, importCommitRowsMax);
    const state = problem ? 'stopped' : done === record.rows ? 'done' : 'accepted';
    const sql = 'UPDATE import SET done = ?, state = ?, problem = ? WHERE id = ?';
    this.#database.run(sql, done, state, problem ? JSON.stringify(problem) : null, record.id);
    this.#pace(performance.now() - begun);
    return { more: true, stopped: problem ? { import: record.id, problem } : null, isAtEnd: state !== 'accepted' };
  }

  /** So many rows next time as take the time that others may wait. */
  #pace(milliseconds: number): void {
    const allowed = Math.min(importSliceMillisecondsMax, Math.max(importSliceMilliseconds, this.#commitMilliseconds));
    const factor = milliseconds > allowed ? 0.5 : milliseconds < allowed / 2 ? 2 : 1;
    this.#sliceRows = Math.min(importCommitRowsMax, Math.max(sliceRowsMin, this.#sliceRows * factor));
  }

  /** Counts rows with the same note as one operation, or stops before the first that does not fit any more. */
  #countRun(record: ImportRecord, rows: readonly NumberedRow[], now: number): ImportProblem | undefined {
    const [first] = rows;
    if (!first) return undefined;
    const asked = {
      note: first.note,
      userId: record.user_id,
      credential: record.credential ?? '',
      source: record.source ?? '',
    };
    try {
      for (const row of rows) {
        const [problem] = this.#fit(record, row, asked, now);
        if (problem) return { line: row.line, ...problem };
      }
      const lines = rows.filter(({ quantity }) => quantity > 0);
      if (lines.length === 0) return undefined;
      const scope = JSON.parse(record.scope ?? 'null') as Scope; // `accept` wrote it.
      const operation = operationOf(record, first.number, 'add');
      this.#stock.apply({ kind: 'add', ...asked, operation, lines, allowNewCode: true, scope }, now, record.id);
      return undefined;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { line: first.line, problem: error.message, fix: error.details.hint ?? 'Change what is in the way.' };
    }
  }

  /** Makes an item that is to be more than a name; of one that is known by now, what does not agree. */
  #fit(
    record: ImportRecord,
    row: NumberedRow,
    asked: { note: string | null; userId: number; credential: string; source: string },
    now: number,
  ): readonly Omit<ImportProblem, 'line'>[] {
    if (isEmpty(row.about) && row.quantity > 0) return [];
    const problems = problemsWithKnown(this.#database, row);
    if (problems) return problems;
    const operation = operationOf(record, row.number, 'item');
    const change = { name: row.item, ...row.about };
    this.#stock.edit({ ...asked, operation, isNew: true, item: row.item, change }, now, record.id);
    return [];
  }
}

/** The rows in runs with the same note. An item that a run makes is known to the rest of it. */
function runsOf(rows: readonly NumberedRow[]): readonly (readonly NumberedRow[])[] {
  const runs: NumberedRow[][] = [];
  for (const row of rows) {
    const run = runs.at(-1);
    if (run && run[0]?.note === row.note) run.push(row);
    else runs.push([row]);
  }
  return runs;
}

/**
 * The operation that begins with this row, always the same: a UUID of version 8 (RFC 9562) that is ordered by time and
 * row, so that the table of operations grows at its end.
 */
function operationOf({ id, seed, at }: ImportRecord, row: number, what: 'add' | 'item'): string {
  const uuid = createHash('sha256').update(`secure-inv import ${id} ${row} ${what} `).update(seed).digest();
  const bytes = uuid.subarray(0, 16);
  bytes.writeUIntBE(at, 0, 6);
  bytes.writeUInt16BE(0x8000 | (row >>> 8), 6);
  bytes.writeUInt8(0x80, 8);
  bytes.writeUInt8(row & 0xff, 9);
  return formatOperationId(bytes);
}
