import { Failure } from '../../model/failure.ts';
import type { ImportedAbout, ImportProblem, ImportRow } from '../../model/import.ts';
import { quantityMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import { assertPrecision, formatQuantity, quantityThousandthsMax, type Thousandths } from '../../model/quantity.ts';
import { defaultUnit, type Location } from '../../model/stock.ts';
import type { Scope } from '../../model/user.ts';
import type { Database } from './database.ts';
import { isEmpty, type NumberedRow, readRow } from './import-rows.ts';
import { findItemId, wasAt } from './items.ts';
import { sha256 } from './ledger.ts';
import { findLocation } from './locations.ts';

/** All that a row may say of an item, as it is. */
type Facts = { readonly [Field in keyof ImportedAbout]-?: Exclude<ImportedAbout[Field], undefined> | null };

interface KnownItem extends Facts {
  readonly id: number;
  readonly name: string;
  readonly total: Thousandths;
  readonly archived: number;
}

type Problem = Omit<ImportProblem, 'line'>;

const words: Readonly<Record<keyof ImportedAbout, string>> = {
  unit: 'unit',
  precision: 'precision',
  sku: 'SKU',
  barcode: 'barcode',
  category: 'category',
  description: 'description',
  lowAt: 'lowAt',
};

/**
 * Looks at the rows of one import, in their order, against the store and against the rows before. What it remembers of
 * those is two numbers for each item and one for each code, and nothing is written: a row can be looked at in microseconds.
 * By these numbers the guard knows afterwards what must stay as it is.
 */
export class ImportCheck {
  readonly importId: number;
  readonly scope: Scope;
  readonly #database: Database;
  /** By the mark of a name or code that the store does not know: the first row that has it. */
  readonly #firstRows = new Map<string, number>();
  /** By the id of an item, or the mark of a new one, what all rows so far add up to. */
  readonly #sums = new Map<string | number, Thousandths>();
  readonly #locations = new Map<string, Location>();
  /** The row to look at next. */
  next: number;
  problems = 0;
  /** An item would have more than it may by what is where whoever asks may not look. */
  isOverElsewhere = false;
  /** The most that the rows so far add to one item. */
  most: Thousandths = 0;
  /** All rows were looked at. */
  isWhole = false;
  /** Something has changed that a row that was looked at depends on. */
  isSpoiled = false;

  constructor(database: Database, importId: number, scope: Scope, next: number) {
    this.#database = database;
    this.importId = importId;
    this.scope = scope;
    this.next = next;
  }

  /** Whether a row that was looked at depends on this item, or on what one of these keys means. */
  dependsOn(itemId: number | undefined, keys: readonly string[]): boolean {
    return (itemId !== undefined && this.#sums.has(itemId)) || keys.some((key) => this.#firstRows.has(markOf(key)));
  }

  /** Everything that is wrong with the next row. */
  look(row: NumberedRow): readonly ImportProblem[] {
    this.next = row.number + 1;
    const location = this.#location(row.location);
    const found = 'id' in location ? [] : [location];
    const problems = [...found, ...this.#lookAtItem(row)];
    this.problems += problems.length;
    return problems.map((problem) => ({ line: row.line, ...problem }));
  }

  #location(name: string): Location | Problem {
    const known = this.#locations.get(name);
    if (known) return known;
    const found = this.#findLocation(name);
    // Only those that are there, and under their own names: of spellings and mistakes there is no end.
    if ('id' in found) this.#locations.set(found.name, found);
    return found;
  }

  #findLocation(name: string): Location | Problem {
    try {
      return findLocation(this.#database, name, this.scope);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const more = this.scope === null ? ` Add it: secure-inv location add ${JSON.stringify(name)}` : '';
      return { problem: error.message, fix: `${error.details.hint ?? ''}${more}` };
    }
  }

  #lookAtItem(row: NumberedRow): readonly Problem[] {
    const key = canonicalKey(row.item);
    const item = knownItem(this.#database, key);
    const problems = this.#mayDescribe(row, item) ? [] : [mayNotDescribe];
    if (!item) return [...problems, ...this.#lookAtNew(row, key)];
    if (problems.length > 0) return problems;
    // How it is spelled elsewhere is not told by a refusal.
    const isKnown = this.scope === null || wasAt(this.#database, item.id, this.scope);
    const name = isKnown ? item.name : row.item;
    if (item.archived) return [{ problem: `${name} is archived.`, fix: `Bring it back, or leave out the line.` }];
    return [
      ...differences(row.about, item, name, 'in the inventory'),
      ...precisionProblems(row.quantity, item.precision ?? 0, name),
      ...this.#addUp(item.id, row, item.total),
    ];
  }

  /** Items are the same at all locations: who is limited to some says nothing of those that are not there. */
  #mayDescribe({ about, quantity }: ImportRow, known: KnownItem | undefined): boolean {
    if (this.scope === null || (isEmpty(about) && quantity > 0)) return true;
    return known !== undefined && wasAt(this.#database, known.id, this.scope);
  }

  #lookAtNew(row: NumberedRow, key: string): readonly Problem[] {
    const first = this.#firstRow(key, row.number);
    const firstRow = first === row.number ? row : readRow(this.#database, this.importId, first);
    if (canonicalKey(firstRow.item) !== key) return [takenInFile(row.item, 'item', firstRow)];
    const facts = factsOf(firstRow.about);
    const given = firstRow === row ? [] : differences(row.about, facts, row.item, `in line ${firstRow.line}`);
    return [
      ...given,
      ...this.#lookAtCode('sku', row, key),
      ...this.#lookAtCode('barcode', row, key),
      ...precisionProblems(row.quantity, facts.precision ?? 0, row.item),
      ...(row.about.lowAt === undefined ? [] : precisionProblems(row.about.lowAt, facts.precision ?? 0, row.item)),
      ...this.#addUp(markOf(key), row, 0),
    ];
  }

  /** Names, SKUs and barcodes are one namespace. */
  #lookAtCode(field: 'sku' | 'barcode', row: NumberedRow, itemKey: string): readonly Problem[] {
    const code = row.about[field];
    if (code === undefined) return [];
    const key = canonicalKey(code);
    const other = knownItem(this.#database, key);
    if (other) {
      const who = this.scope === null ? `${other.name} in the inventory` : 'another item';
      return [
        { problem: `The ${words[field]} ${code} is that of ${who}.`, fix: 'Each code finds one item: correct it.' },
      ];
    }
    const first = readRow(this.#database, this.importId, this.#firstRow(key, row.number));
    return canonicalKey(first.item) === itemKey ? [] : [takenInFile(code, words[field], first)];
  }

  #firstRow(key: string, number: number): number {
    const mark = markOf(key);
    const first = this.#firstRows.get(mark);
    if (first !== undefined) return first;
    this.#firstRows.set(mark, number);
    return number;
  }

  #addUp(item: string | number, { quantity }: ImportRow, present: Thousandths): readonly Problem[] {
    // No sum of many leaves the exact integers.
    const sum = Math.min((this.#sums.get(item) ?? 0) + quantity, quantityThousandthsMax + 1);
    this.#sums.set(item, sum);
    this.most = Math.max(this.most, sum);
    if (present + sum <= quantityThousandthsMax) return [];
    if (this.scope !== null && sum <= quantityThousandthsMax) {
      this.isOverElsewhere = true;
      return [];
    }
    const most = quantityMax.toLocaleString('en');
    return [{ problem: `An item may have at most ${most} in all locations.`, fix: 'Correct the quantity.' }];
  }
}

const markBytes = 32;

/** What stands for a key in memory: of a long one its hash, so that a million rows take no more than their number says. */
function markOf(key: string): string {
  return key.length < markBytes ? key : Buffer.from(sha256(key)).toString('latin1');
}

const mayNotDescribe: Problem = {
  problem: 'You are limited to some locations, and this item is not known there.',
  fix: 'Leave empty what describes it, and add more than 0.',
};

function takenInFile(text: string, what: string, first: ImportRow): Problem {
  return {
    problem: `The ${what} ${text} means ${first.item} in line ${first.line}.`,
    fix: 'Names, SKUs and barcodes must all differ, because each finds one item.',
  };
}

function factsOf(about: ImportedAbout): Facts {
  const nothing = { sku: null, barcode: null, category: null, description: null, lowAt: null };
  return Object.assign({ unit: defaultUnit, precision: 0, ...nothing }, about);
}

function precisionProblems(quantity: Thousandths, precision: number, item: string): readonly Problem[] {
  try {
    assertPrecision(quantity, precision, item);
    return [];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ problem: error.message, fix: 'Round it, or give a new item a precision.' }];
  }
}

/** The item behind a key, as the file has it. */
function knownItem(database: Database, key: string): KnownItem | undefined {
  const id = findItemId(database, key);
  if (id === undefined) return undefined;
  return database.one<KnownItem>(
    `SELECT id, name, unit, precision, sku, barcode, category, description, low_at AS lowAt, total,
       archived_at IS NOT NULL AS archived
     FROM item WHERE id = ?`,
    id,
  );
}

const codes: ReadonlySet<string> = new Set(['sku', 'barcode', 'category']);

/** What a row says of an item that is otherwise. What it leaves empty is as it is. */
function differences(about: ImportedAbout, facts: Facts, name: string, where: string): readonly Problem[] {
  return (Object.keys(words) as (keyof ImportedAbout)[]).flatMap((field) => {
    // Object.keys forgets the key type.
    const asked = about[field];
    const is = facts[field];
    if (asked === undefined || asked === is) return [];
    const isSameCode = codes.has(field) && is !== null && canonicalKey(String(asked)) === canonicalKey(String(is));
    if (isSameCode) return [];
    const shown = is === null ? 'none' : String(field === 'lowAt' ? formatQuantity(Number(is)) : is);
    const fix = is === null ? 'Leave it empty, or change the item first.' : `Write ${shown}, or leave it empty.`;
    return [{ problem: `The ${words[field]} of ${name} is ${shown} ${where}.`, fix }];
  });
}

/** Why a row does not fit the store any more, if its item is known by now: as when it was looked at. */
export function problemsWithKnown(database: Database, row: ImportRow): readonly Problem[] | undefined {
  const item = knownItem(database, canonicalKey(row.item));
  return item && differences(row.about, item, item.name, 'in the inventory');
}
