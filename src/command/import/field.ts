import * as v from 'valibot';
import type { ImportProblem, ImportRow, ImportStatus } from '../../model/import.ts';
import { importRowsMax } from '../../model/limits.ts';
import { defaultLocation } from '../../model/stock.ts';
import { counted, formatTime, item, location, note } from '../field.ts';
import { givenEntries } from '../item/edits.ts';

/** A whole number from `least` that the store can hold. */
export const whole = (name: string, least: number) => {
  const rule = `${name} must be a whole number from ${least}`;
  return v.pipe(v.number(rule), v.safeInteger(rule), v.minValue(least, rule));
};

/** The number under which the server keeps an import. */
export const importNumber = v.pipe(whole('import', 1), v.description('the number of the import'));

/** One row as the wire and a file have it. What it says of its item is what `item.add` says. */
export const importedRow = v.strictObject({
  line: v.pipe(whole('line', 1), v.description('where the row stands in the file, from 1')),
  item,
  quantity: v.pipe(counted, v.description('how many come in; 0 only makes the item known')),
  location: v.optional(location),
  ...givenEntries,
  note: v.optional(note),
});

/** The columns of a file, in the order in which a person thinks of them. */
export const importColumns = Object.keys(importedRow.entries).filter((name) => name !== 'line');

/** How many rows an import may have. */
export const rowCount = v.pipe(
  whole('rows', 1),
  v.maxValue(importRowsMax, `rows may be at most ${importRowsMax}; split the file`),
  v.description('how many rows the import has in all'),
);

/** What stands between a file and the ledger, line by line. */
export const importProblem = v.object({ line: v.number(), problem: v.string(), fix: v.string() });

export const statusResult = v.object({
  import: v.number(),
  name: v.optional(v.string()),
  user: v.string(),
  state: v.string(),
  rows: v.number(),
  done: v.number(),
  at: v.string(),
  problem: v.optional(importProblem),
  /** While it is looked at, before it is accepted: so many rows. */
  looked: v.optional(v.number()),
});

/** A row as the store takes it. An empty note says nothing. */
export function parseRow(row: v.InferOutput<typeof importedRow>): ImportRow {
  const { line, item, quantity, location = defaultLocation, note, ...about } = row;
  return { line, item, quantity, location, about, note: note || null };
}

/** An import as the wire shows it. */
export function formatStatus({ name, at, problem, looked, ...rest }: ImportStatus): v.InferOutput<typeof statusResult> {
  return {
    ...rest,
    ...(name === null ? {} : { name }),
    at: formatTime(at),
    ...(problem === null ? {} : { problem: formatProblem(problem) }),
    ...(looked === null ? {} : { looked }),
  };
}

function formatProblem({ line, problem, fix }: ImportProblem): v.InferOutput<typeof importProblem> {
  return { line, problem, fix };
}

/** How many rows, for people. */
export function renderRows(rows: number): string {
  return `${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'}`;
}
