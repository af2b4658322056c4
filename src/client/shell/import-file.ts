import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { importColumns } from '../../command/import/field.ts';
import { closest } from '../../model/closest.ts';
import { Failure } from '../../model/failure.ts';
import type { ImportProblem } from '../../model/import.ts';
import { importFileBytesMax } from '../../model/limits.ts';
import { detectDelimiter, parseCsv, unguard } from '../csv.ts';
import { parseJsonArray, parseJsonLines } from '../json-rows.ts';
import { parseNumber } from './pairs.ts';

/** The forms that a file may have. */
export const importFormats = ['csv', 'json', 'jsonl'] as const;
export type ImportFormat = (typeof importFormats)[number];

/** A file that was read as a whole. */
export interface ImportFile {
  /** How the server is to call it. */
  readonly name: string | undefined;
  /** SHA-256 of its bytes, hex. */
  readonly digest: string;
  readonly text: string;
  readonly format: ImportFormat;
}

/** A row as a file has it, not looked at yet; or why it is none. */
export type FileRow = { readonly line: number; readonly fields: Readonly<Record<string, unknown>> } | ImportProblem;

/** Reads a file, or with `-` standard input. Failures: `bad-params` (not there, too large, no text). */
export async function readImportFile(path: string, format: ImportFormat | undefined): Promise<ImportFile> {
  const name = path === '-' ? undefined : basename(path);
  const bytes = path === '-' ? await readBounded(process.stdin, 'Standard input') : await readFileBounded(path);
  const text = decode(bytes, name ?? 'Standard input');
  const digest = createHash('sha256').update(bytes).digest('hex');
  return { name, digest, text, format: format ?? guessFormat(name, text) };
}

async function readFileBounded(path: string): Promise<Buffer> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > importFileBytesMax) throw tooLarge(basename(path), size);
    return await readBounded(file.createReadStream({ autoClose: false }), basename(path));
  } catch (error) {
    if (error instanceof Failure || !(error instanceof Error && 'code' in error)) throw error;
    throw new Failure('bad-params', `${path} cannot be read (${error.code}).`);
  }
}

async function readBounded(stream: NodeJS.ReadableStream, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > importFileBytesMax) throw tooLarge(what, size);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

const mebibyte = 1024 * 1024;

function tooLarge(what: string, size: number): Failure {
  const most = importFileBytesMax / mebibyte;
  const message = `${what} has ${Math.ceil(size / mebibyte)} MiB or more; a file may have at most ${most} MiB.`;
  return new Failure('bad-params', message, { hint: 'Split it into several files, each with the header.' });
}

/** Text in UTF-8, with or without a byte order mark. */
function decode(bytes: Buffer, what: string): string {
  const zip = bytes.subarray(0, 2).toString('latin1') === 'PK';
  try {
    if (bytes.includes(0)) throw new TypeError('A zero byte is in no text.');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // What a decoder throws.
    throw new Failure('bad-params', `${what} is not text in UTF-8.`, {
      hint: zip
        ? 'It looks like a spreadsheet: save it as "CSV UTF-8" there.'
        : 'Save it as "CSV UTF-8", or convert it.',
    });
  }
}

function guessFormat(name: string | undefined, text: string): ImportFormat {
  const ending = /\.([^.]+)$/.exec(name ?? '')?.[1]?.toLowerCase();
  const named = importFormats.find((format) => format === ending);
  if (named || name !== undefined) return named ?? 'csv';
  const [first] = text.trimStart();
  return first === '[' ? 'json' : first === '{' ? 'jsonl' : 'csv';
}

/** The rows of a file, from the first again at each call. Failures: `bad-params` when it is broken as a whole. */
export function rowsOf({ text, format }: ImportFile): Generator<FileRow> {
  if (format === 'csv') return csvRows(text);
  return jsonRows(format === 'json' ? parseJsonArray(text) : parseJsonLines(text));
}

const numbers: ReadonlySet<string> = new Set(['quantity', 'precision', 'lowAt']);

function* csvRows(text: string): Generator<FileRow> {
  const rows = parseCsv(text, detectDelimiter(text));
  const header = rows.next();
  if (header.done) throw new Failure('bad-params', 'The file is empty.', { hint: columnsHint });
  const columns = header.value.cells.map(columnOf);
  assertColumns(columns);
  for (const { line, cells } of rows) {
    if (cells.every((cell) => cell.trim() === '')) continue; // Spreadsheets leave such rows at the end.
    if (cells.length !== columns.length) {
      const problem = `The line has ${cells.length} cells, and the header ${columns.length}.`;
      yield { line, problem, fix: 'Cells that hold the separator must be in quotes (").' };
      continue;
    }
    const fields: Record<string, unknown> = {};
    for (const [at, cell] of cells.entries()) {
      const column = columns[at] ?? '';
      if (cell.trim() !== '') fields[column] = numbers.has(column) ? parseNumber(cell.trim()) : unguard(cell);
    }
    yield { line, fields };
  }
}

const columnsHint = `The columns are ${importColumns.join(', ')}; item and quantity must be there.`;

/** Spelled with other capitals or with spaces it is the same column: people write headers. */
const spelled = (name: string) => name.toLowerCase().replace(/[\s_-]/g, '');

function columnOf(name: string): string {
  const column = importColumns.find((known) => spelled(known) === spelled(name));
  if (column !== undefined) return column;
  const meant = closest(name, importColumns);
  throw new Failure('bad-params', `There is no column ${JSON.stringify(name.slice(0, 40))}.`, {
    hint: meant ? `Did you mean ${meant}? ${columnsHint}` : columnsHint,
  });
}

function assertColumns(columns: readonly string[]): void {
  const twice = columns.find((column, at) => columns.indexOf(column) !== at);
  if (twice !== undefined) throw new Failure('bad-params', `The column ${twice} is there twice.`);
  const missing = ['item', 'quantity'].find((column) => !columns.includes(column));
  if (missing !== undefined) {
    throw new Failure('bad-params', `The column ${missing} is missing.`, { hint: columnsHint });
  }
}

function* jsonRows(values: Iterable<{ line: number; value: unknown }>): Generator<FileRow> {
  for (const { line, value } of values) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      yield { line, problem: 'This is not an object.', fix: 'Write {"item": "Soap", "quantity": 200}.' };
    } else {
      const given = Object.entries(value).filter(([, field]) => field !== null && field !== '');
      yield { line, fields: Object.fromEntries(given) };
    }
  }
}
