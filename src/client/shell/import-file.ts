import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { importColumns } from '../../command/import/field.ts';
import { closest } from '../../model/closest.ts';
import { Failure } from '../../model/failure.ts';
import { importFileBytesMax } from '../../model/limits.ts';
import { detectDelimiter, parseCsv, separatorLine, unguard } from '../csv.ts';
import { type FileRow, quoted } from '../import-rows.ts';
import { type JsonRow, parseJsonArray, parseJsonLines } from '../json-rows.ts';
import { parseNumber } from '../number.ts';
import { unreadable } from '../own-file.ts';

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

/** Reads a file, or with `-` standard input. Failures: `bad-params` (not there, too large, no text). */
export async function readImportFile(path: string, format: ImportFormat | undefined): Promise<ImportFile> {
  const name = path === '-' ? undefined : basename(path);
  const bytes = path === '-' ? await readBounded(process.stdin, 'Standard input') : await readFileBounded(path);
  const text = withLineFeeds(decode(bytes, name ?? 'Standard input'));
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
    throw new Failure('bad-params', unreadable(path, error));
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

/** Some programs end lines as the first Macintosh did. */
function withLineFeeds(text: string): string {
  return text.includes('\n') ? text : text.replaceAll('\r', '\n');
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
  if (format === 'jsonl') return jsonRows(parseJsonLines(text));
  return jsonRows(isOneLine({ text, format }) ? numbered(parseJsonArray(text)) : parseJsonArray(text));
}

/** Whether a file has all its rows in one line, so that it is their numbers that tell where they stand. */
export function isOneLine({ text, format }: Pick<ImportFile, 'text' | 'format'>): boolean {
  return format === 'json' && !text.trim().includes('\n');
}

function* numbered(rows: Iterable<JsonRow>): Generator<JsonRow> {
  let line = 0;
  for (const row of rows) yield { ...row, line: ++line };
}

const numbers: ReadonlySet<string> = new Set(['quantity', 'precision', 'lowAt']);

function* csvRows(text: string): Generator<FileRow> {
  const rows = parseCsv(text, detectDelimiter(text));
  if (separatorLine(text) !== undefined) rows.next();
  const header = rows.next();
  if (header.done) throw new Failure('bad-params', 'The file is empty.', { hint: columnsHint });
  const columns = parseHeader(header.value.cells);
  for (const { line, cells } of rows) {
    if (cells.every((cell) => cell.trim() === '')) continue; // Spreadsheets leave such rows at the end.
    const item = unguard(cells[columns.indexOf('item')] ?? '');
    if (cells.length !== columns.length) {
      const problem = `The line has ${cells.length} cells, and the header ${columns.length}.`;
      yield { line, problem, fix: 'Cells that hold the separator must be in quotes (").', item };
      continue;
    }
    const fields: Record<string, unknown> = {};
    let unnamed = '';
    for (const [at, cell] of cells.entries()) {
      const column = columns[at] ?? '';
      if (column === '') unnamed ||= cell.trim();
      else if (cell.trim() !== '') fields[column] = numbers.has(column) ? parseNumber(cell.trim()) : unguard(cell);
    }
    if (unnamed === '') yield { line, fields };
    else {
      const problem = `${quoted(unnamed)} stands in a column without a name.`;
      yield { line, problem, fix: 'Name the column in the header, or leave it empty.', item };
    }
  }
}

const columnsHint = `The columns are ${importColumns.join(', ')}; item and quantity must be there.`;

/** Spelled with other capitals or with spaces it is the same column: people write headers. */
const spelled = (name: string) => name.toLowerCase().replace(/[\s_-]/g, '');

/** So many of a header's mistakes are told; a file that is none of ours has hundreds. */
const mistakesMax = 8;

/** The columns by our names; '' for one without a name, which spreadsheets leave behind the last. Failures: `bad-params` with all that is wrong. */
function parseHeader(cells: readonly string[]): readonly string[] {
  const columns = cells.map((cell) => importColumns.find((known) => spelled(known) === spelled(cell)) ?? cell.trim());
  const unknown = columns.filter((column) => column !== '' && !importColumns.includes(column));
  const twice = importColumns.filter((column) => columns.indexOf(column) !== columns.lastIndexOf(column));
  const missing = ['item', 'quantity'].filter((column) => !columns.includes(column));
  const mistakes = [
    ...unknown.map((column) => `There is no column ${quoted(column)}.`),
    ...twice.map((column) => `The column ${column} is there twice.`),
    ...missing.map((column) => `The column ${column} is missing.`),
  ];
  if (mistakes.length === 0) return columns;
  const meant = unknown.flatMap((column) => closest(column, importColumns) ?? []).slice(0, mistakesMax);
  const first = missing.length === 2 ? 'The first line must name the columns. ' : '';
  const more = mistakes.length > mistakesMax ? ` And ${mistakes.length - mistakesMax} more.` : '';
  throw new Failure('bad-params', `${mistakes.slice(0, mistakesMax).join(' ')}${more}`, {
    hint: `${first}${meant.length > 0 ? `Did you mean ${[...new Set(meant)].join(', ')}? ` : ''}${columnsHint}`,
  });
}

function* jsonRows(values: Iterable<JsonRow>): Generator<FileRow> {
  for (const { line, value, problem } of values) {
    if (problem !== undefined)
      yield { line, problem, fix: 'Write one object, such as {"item": "Soap", "quantity": 200}.' };
    else if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      yield { line, problem: 'This is not an object.', fix: 'Write {"item": "Soap", "quantity": 200}.' };
    } else {
      const given = Object.entries(value).filter(([, field]) => field !== null && field !== '');
      yield { line, fields: Object.fromEntries(given) };
    }
  }
}
