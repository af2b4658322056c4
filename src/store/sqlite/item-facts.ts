import type { SQLInputValue } from 'node:sqlite';
import { Failure } from '../../model/failure.ts';
import type { ItemChange } from '../../model/item.ts';
import { canonicalKey } from '../../model/name.ts';
import { fitsPrecision, formatQuantity, precisionOf } from '../../model/quantity.ts';
import { defaultUnit } from '../../model/stock.ts';
import type { Database } from './database.ts';
import type { StockedItem } from './items.ts';
import { foldSearch } from './search-text.ts';

/** Of so many places a refusal tells how much is there. */
const toldPlacesMax = 5;

/** All that an edit can set of an item. */
export type Facts = { readonly [Field in keyof ItemChange]-?: Exclude<ItemChange[Field], undefined> };

/** What is known of an item of which only its name is. */
export function factsOfNew(name: string): Facts {
  const nothing = { sku: null, barcode: null, category: null, description: null, lowAt: null };
  return { name, unit: defaultUnit, precision: 0, ...nothing, archived: false };
}

/** What is known of an item. */
export function readFacts(database: Database, id: number): Facts {
  const { archived, ...facts } = database.one<Omit<Facts, 'archived'> & { archived: number }>(
    `SELECT name, unit, precision, sku, barcode, category, description, low_at AS lowAt,
       archived_at IS NOT NULL AS archived
     FROM item WHERE id = ?`,
    id,
  );
  return { ...facts, archived: archived === 1 };
}

/** The columns of an item's row that say what is known of it, but for when it was archived. */
export const factColumns = 'name, key, unit, precision, sku, barcode, category, category_key, description, low_at';

/** A parameter for each. */
export const factParameters = factColumns.replaceAll(/\w+/g, '?');

/** Their values. */
export function factValues({ name, unit, precision, sku, barcode, category, description, lowAt }: Facts) {
  const categoryKey = category === null ? null : canonicalKey(category);
  return [name, canonicalKey(name), unit, precision, sku, barcode, category, categoryKey, description, lowAt] as const;
}

/** The columns that each of its balances repeats, because `view` sorts by them at a location, or leaves it out. */
export const repeatedColumns = 'key, unit, sku, barcode, category_key, low_at, archived_at';

/** Makes an item be found by the words of what is known of it. */
export function insertSearch(database: Database, id: number, facts: Facts): void {
  const { name, sku, barcode, category, description } = facts;
  database.run(
    'INSERT INTO item_search (rowid, name, sku, barcode, category, description) VALUES (?, ?, ?, ?, ?, ?)',
    id,
    ...[name, sku, barcode, category, description].map((text): SQLInputValue => text && foldSearch(text)),
  );
}

/** The canonical keys that find an item, each with a spelling of it. */
export function keysOf({ name, sku, barcode }: Facts): ReadonlyMap<string, string> {
  const spellings = [barcode, sku, name].filter((text) => text !== null);
  return new Map(spellings.map((text) => [canonicalKey(text), text]));
}

/** The refusal of a name or a code that means another item already. */
export function keyTaken(database: Database, asked: string, { id, isArchived }: StockedItem): Failure {
  const { name, sku, barcode } = readFacts(database, id);
  const is = (text: string | null) => text !== null && canonicalKey(text) === canonicalKey(asked);
  const what = is(name)
    ? `There is an item ${name} already`
    : `${JSON.stringify(asked)} is the ${is(sku) ? 'SKU' : is(barcode) ? 'barcode' : 'code'} of ${name} already`;
  return new Failure('conflict', `${what}${isArchived ? ', which is archived' : ''}.`, {
    hint: isArchived
      ? 'Bring it back (secure-inv item restore), or give it another name (secure-inv item rename).'
      : 'Names, SKUs and barcodes must all differ, because each of them finds one item.',
  });
}

/** Refuses a precision that what there is, or the threshold, does not have. Failures: `conflict`, `bad-params`. */
export function assertFits(database: Database, item: StockedItem, { precision, lowAt }: Facts): void {
  for (const [location, quantity] of item.balances) {
    if (fitsPrecision(quantity, precision)) continue;
    const there = `${formatQuantity(quantity)} ${item.name} at ${nameOfLocation(database, location)}`;
    throw new Failure('conflict', `There are ${there}, which takes a precision of ${precisionOf(quantity)} or more.`, {
      hint: 'Take out, or add, what is too much or too little first.',
    });
  }
  if (lowAt === null || fitsPrecision(lowAt, precision)) return;
  const takes = `takes a precision of ${precisionOf(lowAt)} or more`;
  throw new Failure('bad-params', `A low-stock threshold of ${formatQuantity(lowAt)} ${takes}, not ${precision}.`, {
    hint: 'The precision says how many decimals an item is counted with: --precision',
  });
}

/** Refuses to archive what is there still, and to do what is done already. Failures: `conflict`. */
export function assertArchived(database: Database, item: StockedItem, archived: boolean): void {
  if (archived === item.isArchived) {
    throw new Failure('conflict', `${item.name} is ${archived ? 'archived already' : 'not archived'}.`);
  }
  if (!archived || item.total === 0) return;
  const places = [...item.balances].filter(([, quantity]) => quantity > 0);
  const told = places
    .slice(0, toldPlacesMax)
    .map(([location, quantity]) => `${formatQuantity(quantity)} at ${nameOfLocation(database, location)}`);
  const more = places.length > told.length ? ', …' : '';
  throw new Failure(
    'conflict',
    `There are still ${formatQuantity(item.total)} ${item.name}: ${told.join(', ')}${more}.`,
    {
      hint: 'Take them out first: secure-inv take',
    },
  );
}

function nameOfLocation(database: Database, id: number): string {
  return database.one<{ name: string }>('SELECT name FROM location WHERE id = ?', id).name;
}
