import type * as v from 'valibot';
import { problemsIn } from '../command/check.ts';
import { importColumns, importedRow } from '../command/import/field.ts';
import { closest } from '../model/closest.ts';
import { Failure } from '../model/failure.ts';
import type { ImportProblem } from '../model/import.ts';
import { importProblemsMax } from '../model/limits.ts';
import { canonicalKey, parseName } from '../model/name.ts';
import { printable } from '../model/printable.ts';
import { fixOfNumber } from './number.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A row as somebody has it, not looked at yet; or why it is none, and the item that it seems to be about. */
export type FileRow =
  | { readonly line: number; readonly fields: Fields }
  | (ImportProblem & { readonly item?: string | undefined });

/** A row as it travels. */
export type WireRow = v.InferInput<typeof importedRow>;

/** The first problems by line, and how many there are. */
export class Problems {
  #first: ImportProblem[] = [];
  total = 0;

  add(problems: readonly ImportProblem[], total = problems.length): void {
    this.total += total;
    const last = this.#first.length < importProblemsMax ? undefined : this.#first.at(-1);
    const news = problems.filter(({ line }) => !last || line < last.line);
    if (news.length > 0) {
      this.#first = [...this.#first, ...news].sort((a, b) => a.line - b.line).slice(0, importProblemsMax);
    }
  }

  get first(): readonly ImportProblem[] {
    return this.#first;
  }
}

/** What a row may say of its item, which holds for the item's other rows, too. */
const about = importColumns.filter((column) => !['item', 'quantity', 'location', 'note'].includes(column));

/**
 * Looks at rows one by one, before any is sent. Those that are wrong are sent as well, as far as they are right, because
 * the server is to find what else is wrong; they are never accepted. What hangs on a field that is wrong is left out:
 * of an item whose precision nobody can read no quantity is said to have too many decimals.
 */
export class RowCheck {
  readonly problems = new Problems();
  /** How many rows there are, and how many of them are sent. */
  rows = 0;
  sent = 0;
  /** By the key of an item, what a row says of it that is wrong. */
  readonly #wrong = new Map<string, Set<string>>();

  /** Looks at a row; all of them come before `wireRow`. */
  look(row: FileRow): void {
    this.rows++;
    if ('problem' in row) {
      const { item, ...problem } = row;
      this.problems.add([problem]);
      this.#doubt(item, about);
      return;
    }
    const { line, fields } = row;
    const found = problemsOf(fields, line);
    if (found.length > 0) {
      this.problems.add(found.map(({ field, problem }) => ({ line, problem, fix: fixOf(field, fields[field]) })));
      this.#doubt(
        fields['item'],
        found.map(({ field }) => field).filter((field) => about.includes(field)),
      );
    }
    if (isSent(found)) this.sent++;
  }

  /** The row as it is sent, if it is. */
  wireRow(row: FileRow): WireRow | undefined {
    if ('problem' in row) return undefined;
    const { line, fields } = row;
    if (this.problems.total === 0) return { ...fields, line } as unknown as WireRow; // The schema found nothing wrong.
    const found = problemsOf(fields, line);
    if (!isSent(found)) return undefined;
    const doubted = this.#wrong.get(canonicalKey(parseName(String(fields['item'])))) ?? new Set<string>();
    const isLeftOut = (field: string) =>
      !importColumns.includes(field) || doubted.has(field) || found.some((problem) => problem.field === field);
    const kept = Object.fromEntries(Object.entries(fields).filter(([field]) => !isLeftOut(field)));
    // 0 makes the item known, and is right whatever its precision.
    const isUncertain = kept['quantity'] === undefined || doubted.has('precision');
    if (isUncertain) kept['quantity'] = 0;
    if (doubted.has('precision')) delete kept['lowAt'];
    return { ...kept, line } as unknown as WireRow; // What the schema found wrong is left out.
  }

  #doubt(item: unknown, fields: readonly string[]): void {
    const key = keyOf(item);
    if (key === undefined || fields.length === 0) return;
    this.#wrong.set(key, new Set([...(this.#wrong.get(key) ?? []), ...fields]));
  }
}

/** What somebody wrote, short and fit for a terminal. */
export function quoted(text: string): string {
  return printable(JSON.stringify(text.slice(0, 40)));
}

interface FieldProblem {
  readonly field: string;
  readonly problem: string;
}

/** Everything that is wrong with a row by itself. */
function problemsOf(fields: Fields, line: number): readonly FieldProblem[] {
  // A strict schema names one field too many, and there may be several.
  const unknown = Object.keys(fields).filter((field) => !importColumns.includes(field) && field !== 'line');
  const known = unknown.length === 0 ? fields : Object.fromEntries(importColumns.map((name) => [name, fields[name]]));
  return [
    ...problemsIn(importedRow, { ...known, line }),
    ...unknown.map((field) => ({ field, problem: `There is no column ${quoted(field)}.` })),
  ];
}

/** A row without an item, or at no place, can be held against nothing. */
function isSent(found: readonly FieldProblem[]): boolean {
  return !found.some(({ field }) => field === 'item' || field === 'location');
}

function keyOf(item: unknown): string | undefined {
  if (typeof item !== 'string') return undefined;
  try {
    return canonicalKey(parseName(item));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return undefined;
  }
}

function fixOf(field: string, given: unknown): string {
  if (!importColumns.includes(field)) {
    const meant = closest(field, importColumns);
    return meant ? `Did you mean ${meant}?` : `A row may have ${importColumns.join(', ')}.`;
  }
  if (given === undefined) return 'Fill it in.';
  if (field === 'quantity' || field === 'lowAt') return fixOfNumber(given) ?? 'Write a number such as 200 or 12.5.';
  return field === 'precision' ? 'Write 0, 1, 2 or 3.' : 'Correct it.';
}
