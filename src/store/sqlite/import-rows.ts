import type { ImportedAbout, ImportRow } from '../../model/import.ts';
import type { Database } from './database.ts';

/** A staged row; numbers count from 0 within an import. */
export interface NumberedRow extends ImportRow {
  readonly number: number;
}

interface StoredRow {
  readonly number: number;
  readonly line: number;
  readonly item: string;
  readonly location: string;
  readonly quantity: number;
  readonly about: string | null;
  readonly note: string | null;
}

/** Stages a row. */
export function insertRow(database: Database, importId: number, number: number, row: ImportRow): void {
  const { line, item, location, quantity, about, note } = row;
  database.run(
    `INSERT INTO import_row (import_id, number, line, item, location, quantity, about, note)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    importId,
    number,
    line,
    item,
    location,
    quantity,
    isEmpty(about) ? null : JSON.stringify(about),
    note,
  );
}

/** The rows from this number on, at most `limit`. */
export function readRows(database: Database, importId: number, from: number, limit: number): readonly NumberedRow[] {
  const sql = `SELECT number, line, item, location, quantity, about, note FROM import_row
    WHERE import_id = ? AND number >= ? ORDER BY number LIMIT ?`;
  return database.all<StoredRow>(sql, importId, from, limit).map(parseRow);
}

/** A row that is there. */
export function readRow(database: Database, importId: number, number: number): NumberedRow {
  const [row] = readRows(database, importId, number, 1);
  if (row?.number !== number) throw new Error(`Import ${importId} has no row ${number}.`);
  return row;
}

/** Drops the rows before this number, at most `limit`; says how many. */
export function deleteRows(database: Database, importId: number, before: number, limit: number): number {
  const sql = `DELETE FROM import_row WHERE import_id = ? AND number IN
    (SELECT number FROM import_row WHERE import_id = ? AND number < ? ORDER BY number LIMIT ?)`;
  return database.run(sql, importId, importId, before, limit);
}

/** Whether a row says nothing of its item. */
export function isEmpty(about: ImportedAbout): boolean {
  return Object.values(about).every((value) => value === undefined);
}

function parseRow({ about, ...row }: StoredRow): NumberedRow {
  return { ...row, about: about === null ? {} : (JSON.parse(about) as ImportedAbout) }; // `insertRow` wrote it.
}
