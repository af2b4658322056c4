import { Failure } from '../model/failure.ts';

/** What a cell may hold: text, a number, or nothing. */
export type Cell = string | number | undefined;

/**
 * What spreadsheets take for a formula. They calculate a cell that begins so also when it is quoted (CWE-1236), but show
 * one that begins with an apostrophe as text.
 */
const formula = /^'*[=+\-@\t\r]/;
const guarded = /^'+[=+\-@\t\r]/;

/** The text with an apostrophe before it if a spreadsheet would calculate it, or if it looks as if it had been given one. */
function guard(text: string): string {
  return formula.test(text) ? `'${text}` : text;
}

/** The text of a cell that `formatCsvRow` may have guarded. */
export function unguard(cell: string): string {
  return guarded.test(cell) ? cell.slice(1) : cell;
}

/** A row by RFC 4180, with its line end. Numbers stay as they are, also negative ones: a program reads them. */
export function formatCsvRow(cells: readonly Cell[]): string {
  // A row of one empty cell would be an empty line, which readers skip.
  const [only] = cells;
  if (cells.length === 1 && (only === undefined || only === '')) return '""\r\n';
  return `${cells.map(formatCell).join(',')}\r\n`;
}

function formatCell(cell: Cell): string {
  if (typeof cell !== 'string') return cell === undefined ? '' : String(cell);
  const text = guard(cell);
  // Semicolons, because half of the world's spreadsheets separate with them.
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What separates cells: the one of these that the first line has most of. */
const delimiters = [',', ';', '\t'] as const;
export type Delimiter = (typeof delimiters)[number];

/** What a first line says that Excel reads and writes, as in `sep=;`: no row, but what separates the cells of all. */
export function separatorLine(text: string): string | undefined {
  return /^"?sep=([^\r\n])"?(?:\r?\n|$)/i.exec(text)?.[1];
}

/** The delimiter of a file, by its first line or its header. Failures: `bad-params` for one that is not read. */
export function detectDelimiter(text: string): Delimiter {
  const told = separatorLine(text);
  if (told !== undefined) {
    const known = delimiters.find((delimiter) => delimiter === told);
    if (known !== undefined) return known;
    throw broken(1, `says that ${JSON.stringify(told)} separates the cells`, 'Separate them with , or ; or tabs.');
  }
  const header = /^[^\r\n]*/.exec(text)?.[0] ?? '';
  const counts = delimiters.map((delimiter) => header.split(delimiter).length);
  return delimiters[counts.indexOf(Math.max(...counts))] ?? ',';
}

/** A row of a file. */
export interface CsvRow {
  /** The line of the file on which it begins, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * The rows of a CSV text, one after another; empty lines are none. Strict, because a quote in the wrong place makes one
 * cell of half a file. Lines end with LF or CRLF. Failures: `bad-params` naming the line.
 */
export function* parseCsv(text: string, delimiter: Delimiter): Generator<CsvRow> {
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const row: CsvRow & { cells: string[] } = { line, cells: [] };
    for (;;) {
      const cell = text[at] === '"' ? quotedCell(text, at, line) : plainCell(text, at, delimiter, line);
      row.cells.push(cell.text);
      at = cell.end;
      line += cell.lines;
      if (text[at] !== delimiter) break;
      at++;
    }
    const isQuoted = text[at - 1] === '"';
    const lineEnd = lineEndLength(text, at);
    if (lineEnd === 0 && at < text.length) throw misplaced(line, isQuoted);
    at += lineEnd;
    line++;
    if (row.cells.length > 1 || row.cells[0] !== '' || isQuoted) yield row;
  }
}

interface ParsedCell {
  readonly text: string;
  /** Where it ends in the file, and how many line ends it holds. */
  readonly end: number;
  readonly lines: number;
}

function plainCell(text: string, start: number, delimiter: Delimiter, line: number): ParsedCell {
  let end = start;
  for (; end < text.length; end++) {
    const character = text[end];
    if (character === delimiter || character === '\n') break;
    if (character === '\r' && text[end + 1] === '\n') break;
    if (character === '"') throw misplaced(line, false);
    if (character === '\r') throw broken(line, 'has a carriage return in the middle', 'Put that cell into quotes (").');
  }
  return { text: text.slice(start, end), end, lines: 0 };
}

function quotedCell(text: string, start: number, line: number): ParsedCell {
  let from = start + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote === -1) throw broken(line, 'begins a quoted cell that never ends', 'Close it with a quote (").');
    if (text[quote + 1] !== '"') {
      const inside = text.slice(start + 1, quote).replaceAll('""', '"');
      return { text: inside, end: quote + 1, lines: inside.split('\n').length - 1 };
    }
    from = quote + 2;
  }
}

function lineEndLength(text: string, at: number): number {
  if (text[at] === '\n') return 1;
  return text[at] === '\r' && text[at + 1] === '\n' ? 2 : 0;
}

function misplaced(line: number, isQuoted: boolean): Failure {
  const what = isQuoted ? 'has text behind the quote that ends a cell' : 'has a quote in the middle of a cell';
  return broken(line, what, 'Put the whole cell into quotes, and write each quote in it twice: "5"" pipe".');
}

function broken(line: number, what: string, hint: string): Failure {
  return new Failure('bad-params', `Line ${line} ${what}.`, { hint });
}
