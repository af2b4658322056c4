import type { SQLInputValue } from 'node:sqlite';
import { Failure } from '../../model/failure.ts';
import { canonicalKey } from '../../model/name.ts';
import type { Location, StockQuery, StockSort } from '../../model/stock.ts';
import { parseStockCursor, type StockPosition } from './cursor.ts';
import type { Database } from './database.ts';

/** An item's row, with how much of it there is in the places that are asked for. */
export interface ItemRow {
  readonly id: number;
  readonly name: string;
  readonly unit: string;
  readonly precision: number;
  readonly sku: string | null;
  readonly barcode: string | null;
  readonly category: string | null;
  readonly description: string | null;
  readonly low_at: number | null;
  readonly quantity: number;
}

/** The columns of an `ItemRow` but for the quantity, from item. */
export const itemColumns =
  'item.id, item.name, item.unit, item.precision, item.sku, item.barcode, item.category, item.description, item.low_at';

/** A sort in SQL: by key and not by id among equals, because ids are in the order in which the whole store came to know the items. */
export function orderOf(sort: StockSort) {
  const isByName = sort === 'name' || sort === '-name';
  return sort.startsWith('-')
    ? ({ isByName, direction: 'DESC', beyond: '<' } as const)
    : ({ isByName, direction: 'ASC', beyond: '>' } as const);
}

/** Where the page before ended. Failures: `bad-params`. */
export function positionOf({ cursor, sort }: StockQuery): StockPosition | undefined {
  return cursor === undefined ? undefined : parseStockCursor(cursor, sort);
}

/** Every word as the beginning of one. Only letters, digits and marks get in, and quoted: nothing can be syntax. */
export function formatMatch(search: string): string {
  const words = search.normalize('NFC').match(/[\p{L}\p{M}\p{N}]+/gu);
  if (!words) throw new Failure('bad-params', 'search must contain a letter or a digit.');
  return words.map((word) => `"${word}"*`).join(' ');
}

/** Every item with what there is of it in a scope: NULL if it never was there. A look into the index of the balances. */
const itemsInScope = `
  (SELECT item.*, (
    SELECT sum(quantity) FROM balance
    WHERE item_id = item.id AND location_id IN (SELECT value FROM json_each(?))
  ) AS total_in_scope FROM item)`;

/**
 * The first items of all that fit, of these ids if any are given: those that a filter leaves, which are looked at one by one. The text
 * of the query is put together from constants only, so there are few; what the caller sent is bound.
 */
export function selectItems(
  database: Database,
  query: StockQuery,
  ids: readonly number[] | undefined,
  location: Location | undefined,
  limit: number,
): readonly ItemRow[] {
  const { isByName, direction, beyond } = orderOf(query.sort);
  const conditions = ['item.archived_at IS NULL'];
  const values: SQLInputValue[] = [];
  const total = query.scope === null ? 'item.total' : 'item.total_in_scope';
  const quantity = location ? 'balance.quantity' : total;
  // CROSS keeps the items outside, in the order of their index, so that a page ends the search.
  const join = location ? 'CROSS JOIN balance ON balance.item_id = item.id AND balance.location_id = ?' : '';
  if (query.scope !== null) {
    conditions.push('item.total_in_scope IS NOT NULL');
    values.push(JSON.stringify(query.scope));
  }
  if (location) values.push(location.id);
  if (ids) {
    conditions.push('item.id IN (SELECT value FROM json_each(?))');
    values.push(JSON.stringify(ids));
  }
  if (query.search !== undefined) {
    conditions.push('item.id IN (SELECT rowid FROM item_search WHERE item_search MATCH ?)');
    values.push(formatMatch(query.search));
  }
  if (query.category !== undefined) {
    conditions.push('item.category_key = ?');
    values.push(canonicalKey(query.category));
  }
  if (query.low) conditions.push(`item.low_at IS NOT NULL AND ${total} <= item.low_at`);
  const columns = isByName ? ['item.key'] : [quantity, 'item.key'];
  const last = positionOf(query);
  if (last) {
    conditions.push(`(${columns.join(', ')}) ${beyond} (${columns.map(() => '?').join(', ')})`);
    values.push(...(isByName ? [] : [last.quantity]), canonicalKey(last.item));
  }
  return database.all<ItemRow>(
    `SELECT ${itemColumns}, ${quantity} AS quantity
     FROM ${query.scope === null ? 'item' : `${itemsInScope} AS item`} ${join}
     WHERE ${conditions.join(' AND ')}
     ORDER BY ${columns.map((column) => `${column} ${direction}`).join(', ')}
     LIMIT ?`,
    ...values,
    limit,
  );
}
