import { createHash } from 'node:crypto';
import { importColumns } from '../command/import/field.ts';
import { importRowsMax } from '../model/limits.ts';
import type { ClientSession } from './call.ts';
import { type ImportProgress, type ImportStatus, importRows } from './import.ts';
import { type FileRow, RowCheck, type WireRow } from './import-rows.ts';

/** So many of an item come in; of a new item, what it is like. What an export of stock gives is one. */
export type ImportRow = Omit<WireRow, 'line'>;

export interface ImportOptions {
  /** What the rows are called, as a file's name is. */
  readonly name?: string;
  /** Only looks for problems. */
  readonly dryRun?: boolean;
  /** The very same rows may have been imported before. */
  readonly again?: boolean;
  /** Is told how far it is, many times. */
  readonly onProgress?: (progress: ImportProgress) => void;
}

/** Imports a program's rows; the first has line 1. Failures: as `importRows`. */
export async function importTyped(
  session: ClientSession,
  given: Iterable<ImportRow> | AsyncIterable<ImportRow>,
  { name, dryRun, again, onProgress = () => undefined }: ImportOptions,
): Promise<ImportStatus> {
  const rows: FileRow[] = [];
  const check = new RowCheck();
  const digest = createHash('sha256');
  // The server is told beforehand how many there are, and by their digest knows whether they came before.
  for await (const fields of given) {
    const row = { line: rows.length + 1, fields: { ...fields } };
    check.look(row);
    // However their fields are ordered. What is wrong may be no JSON, and is never accepted.
    if (check.problems.total === 0) digest.update(`${JSON.stringify(fields, importColumns)}\n`);
    rows.push(row);
    if (rows.length > importRowsMax) break; // Refused below, and perhaps without end.
  }
  return importRows(session, {
    name,
    digest: digest.digest('hex'),
    check,
    rows: () => rows,
    dryRun,
    again,
    onProgress,
  });
}
