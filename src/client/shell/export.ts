import { open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { Option } from 'commander';
import { checkParams } from '../../command/check.ts';
import { movement } from '../../command/field.ts';
import { history } from '../../command/history.ts';
import { view } from '../../command/view.ts';
import { Failure } from '../../model/failure.ts';
import { movementKinds } from '../../model/stock.ts';
import type { ClientSession } from '../call.ts';
import type { Cell } from '../csv.ts';
import { type ExportRow, exportPages, type Subject, subjects } from '../export.ts';
import { openProgress } from '../progress.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell, subcommand } from './shell.ts';

const formats = ['csv', 'json', 'jsonl'] as const;
type Format = (typeof formats)[number];

type Row = Readonly<Record<string, unknown>>;

const about = ['unit', 'precision', 'sku', 'barcode', 'category', 'description', 'lowAt'] as const;

/** The columns of each export, in their order. Those of stock and items are what `import` reads. */
const columns: Readonly<Record<Subject, readonly string[]>> = {
  stock: ['item', 'location', 'quantity', ...about],
  items: ['item', 'quantity', ...about],
  history: Object.keys(movement.entries),
};

/** The options that narrow each export down: those of the commands that it asks. */
const stockFilters = ['at', 'search', 'category', 'low'] as const;
const filtersOf = {
  stock: stockFilters,
  // Of what is archived there is no stock.
  items: [...stockFilters, 'archived'],
  history: ['at', 'item', 'by', 'kind', 'since', 'until'],
} as const satisfies Record<Subject, readonly string[]>;
type Filter = (typeof filtersOf)[Subject][number];

const describe: Readonly<Record<Filter, string>> = {
  at: 'only what is, or happened, at this location',
  search: 'stock, items: only items with words that begin so',
  category: 'stock, items: only items of this category',
  low: 'stock, items: only items at or below their low-stock threshold',
  archived: 'items: only archived ones, which are not exported otherwise',
  item: 'history: only of this item',
  by: 'history: only what this user did',
  kind: 'history: only movements of this kind',
  since: 'history: from this time on (RFC 3339)',
  until: 'history: up to this time (RFC 3339)',
};

/** `export`: everything there is, for a spreadsheet, a program or a move to another server. */
export function addExport(shell: Shell): void {
  const line = subcommand(shell.program, ['export'], 'Write stock, items or history as CSV or JSON.')
    .argument('[what]', `${subjects.join(', ')} (default: stock)`)
    .option('--output <file>', 'write there, whole or not at all, and not to standard output');
  line.addOption(new Option('--format <format>', 'how it is written; jsonl is one object a line').choices(formats));
  for (const filter of new Set([...filtersOf.items, ...filtersOf.history])) {
    const option = new Option(isFlag(filter) ? `--${filter}` : `--${filter} <${filter}>`, describe[filter]);
    line.addOption(filter === 'kind' ? option.choices(movementKinds) : option);
  }
  line.addHelpText(
    'after',
    examplesText([
      'secure-inv export > stock.csv',
      'secure-inv export items --format json --output items.json',
      'secure-inv export items --archived',
      'secure-inv export history --since 2026-05-01 --by clerk1',
    ]),
  );
  line.action((what: string | undefined, options: Readonly<Record<string, string | boolean>>) => {
    const { format, output, ...filters } = options;
    const asked = format ?? (shell.options().json ? 'json' : undefined);
    return exportAll(shell, parseSubject(what), filters, parseFormat(asked, output), output as string | undefined); // An option with a value.
  });
}

function isFlag(filter: Filter): boolean {
  return filter === 'low' || filter === 'archived';
}

function parseSubject(what = 'stock'): Subject {
  const subject = subjects.find((one) => one === what);
  if (subject) return subject;
  throw new Failure('bad-params', `There is no export of ${JSON.stringify(what)}.`, {
    hint: `Export one of ${subjects.join(', ')}.`,
  });
}

/** What was asked for, or else what the file's name says. */
function parseFormat(format: unknown, output: unknown): Format {
  const ending = /\.([^.]+)$/.exec(String(output ?? ''))?.[1]?.toLowerCase();
  return formats.find((one) => one === (format ?? ending)) ?? 'csv';
}

async function exportAll(
  shell: Shell,
  subject: Subject,
  filters: Readonly<Record<string, unknown>>,
  format: Format,
  output: string | undefined,
): Promise<void> {
  const pages = pagesOf(subject, filters);
  // Loaded by who exports only: every other command starts without it.
  const formatter = format === 'csv' ? csvFormatter((await import('../csv.ts')).formatCsvRow) : jsonFormatter(format);
  await withSession(shell, async (session) => {
    // Where the rows are read, they show how far it is, and a line of ours would wipe out one of theirs.
    const isShown = output === undefined && process.stdout.isTTY;
    const progress = isShown ? undefined : openProgress('rows');
    try {
      const write = (sink: Writable) => writeRows(sink, pages(session), columns[subject], formatter, progress?.show);
      if (output === undefined) await toStandardOutput(write);
      else await toFile(output, write);
    } finally {
      progress?.clear();
    }
  });
}

type Pages = (session: ClientSession) => AsyncGenerator<readonly ExportRow[]>;

/** The pages of an export. Failures, before anything is asked: `bad-params`. */
function pagesOf(subject: Subject, { at, by, ...rest }: Readonly<Record<string, unknown>>): Pages {
  const known: readonly string[] = filtersOf[subject];
  const given = { at, by, ...rest };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || known.includes(name)) continue;
    throw new Failure('bad-params', `An export of ${subject} cannot be narrowed down by --${name}.`, {
      hint: `It can be by ${known.map((filter) => `--${filter}`).join(', ')}.`,
    });
  }
  const asked = { ...rest, location: at, user: by };
  const params = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  checkParams(subject === 'history' ? history : view, params);
  return (session) => exportPages(session, subject, params);
}

/** How rows become text, from the first character to the last. */
interface Formatter {
  readonly begin: (columns: readonly string[]) => string;
  readonly row: (row: Row, columns: readonly string[], isFirst: boolean) => string;
  readonly end: string;
}

function csvFormatter(formatRow: (cells: readonly Cell[]) => string): Formatter {
  return { begin: formatRow, row: (row, columns) => formatRow(columns.map((name) => cellOf(row[name]))), end: '' };
}

/** An edit of an item is several values in one: in a cell it is JSON. */
function cellOf(value: unknown): Cell {
  if (value === undefined || typeof value === 'string' || typeof value === 'number') return value;
  return JSON.stringify(value);
}

function jsonFormatter(format: Exclude<Format, 'csv'>): Formatter {
  const object = (row: Row, columns: readonly string[]) =>
    JSON.stringify(Object.fromEntries(columns.map((name) => [name, row[name]])));
  if (format === 'jsonl') return { begin: () => '', row: (row, columns) => `${object(row, columns)}\n`, end: '' };
  const row: Formatter['row'] = (row, columns, isFirst) => `${isFirst ? '\n' : ',\n'}${object(row, columns)}`;
  return { begin: () => '[', row, end: '\n]\n' };
}

/** Writes page by page, no faster than the sink takes it. */
async function writeRows(
  sink: Writable,
  pages: AsyncGenerator<readonly ExportRow[]>,
  columns: readonly string[],
  formatter: Formatter,
  onRows: (rows: number) => void = () => undefined,
): Promise<void> {
  let rows = 0;
  let text = formatter.begin(columns);
  for await (const page of pages) {
    for (const row of page) text += formatter.row(row, columns, rows++ === 0);
    await writeText(sink, text);
    text = '';
    onRows(rows);
  }
  await writeText(sink, text + formatter.end);
}

/** Resolves when the sink has taken the text; rejects when it never will. */
function writeText(sink: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    sink.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** Whoever reads may have read enough (`| head`): that is no failure, and there is nobody to tell more. */
async function toStandardOutput(write: (sink: Writable) => Promise<void>): Promise<void> {
  process.stdout.on('error', () => undefined); // Told by `writeText`.
  try {
    await write(process.stdout);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
  }
}

/** Beside the file first: what is cut off in the middle never looks like the whole. Failures: `bad-params`. */
async function toFile(given: string, write: (sink: Writable) => Promise<void>): Promise<void> {
  // What a link names is replaced, not the link; and a device or a pipe not at all.
  const path = await realpath(given).catch(() => given);
  const known = await stat(path).catch(() => undefined);
  // Through /dev/stdout that is whatever file the shell has opened, with what is in it already.
  const isDevice = /^\/(dev\/(std(in|out|err)$|fd\/)|proc\/)/.test(resolve(given));
  if (isDevice || (known && !known.isFile())) {
    throw new Failure('bad-params', `--output: ${given} is no ordinary file.`, {
      hint: 'Leave --output out, and send what is printed there.',
    });
  }
  const temporary = `${path}.${process.pid}.part`;
  try {
    const file = await open(temporary, 'wx');
    const sink = file.createWriteStream({ flush: true });
    sink.on('error', () => undefined); // Told by `errored`.
    try {
      await write(sink);
    } finally {
      sink.end();
      if (!sink.closed) await new Promise<void>((resolve) => sink.once('close', () => resolve()));
    }
    if (sink.errored) throw sink.errored;
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // It may never have been made.
    if (error instanceof Failure || !(error instanceof Error && 'code' in error)) throw error;
    throw new Failure('bad-params', `--output: ${path} cannot be written (${error.code}).`);
  }
}
