import type { SQLInputValue } from 'node:sqlite';
import { Failure } from '../../model/failure.ts';
import { canonicalKey } from '../../model/name.ts';
import type { ItemStock, Location, StockQuery } from '../../model/stock.ts';
import type { StockPage } from '../store.ts';
import { formatStockCursor, parseStockCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { itemIdOf } from './items.ts';
import { readHead } from './ledger.ts';
import { findLocation } from './locations.ts';
import { lastSeqAt } from './movement-index.ts';

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

interface BalanceRow {
  readonly item_id: number;
  readonly location: string;
  readonly quantity: number;
}

/** As `Store.view`. Archived items are not shown. */
export function viewStock(database: Database, query: StockQuery): StockPage {
  const location = query.location === undefined ? undefined : findLocation(database, query.location, query.scope);
  const { sql, values } = select(database, query, location);
  // One row more than asked tells whether there is a next page.
  const rows = database.all<ItemRow>(sql, ...values, query.limit + 1);
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  return {
    items: withLocations(database, page, location ? [location.id] : query.scope),
    cursor: last && formatStockCursor({ sort: query.sort, item: last.name, quantity: last.quantity }),
    seq: query.scope === null ? readHead(database).size : lastSeqAt(database, query.scope),
  };
}

function isByName({ sort }: StockQuery): boolean {
  return sort === 'name' || sort === '-name';
}

/** Every item with what there is of it in a scope: NULL if it never was there. A look into the index of the balances. */
const itemsInScope = `
  (SELECT item.*, (
    SELECT sum(quantity) FROM balance
    WHERE item_id = item.id AND location_id IN (SELECT value FROM json_each(?))
  ) AS total_in_scope FROM item)`;

/** The query in SQL. Its text is put together from constants only, so there are few; what the caller sent is bound. */
function select(database: Database, query: StockQuery, location: Location | undefined) {
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
  if (query.items) {
    conditions.push('item.id IN (SELECT value FROM json_each(?))');
    values.push(JSON.stringify(query.items.map((name) => itemIdOf(database, name, query.scope))));
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
  const [order, after] = query.sort.startsWith('-') ? ['DESC', '<'] : ['ASC', '>'];
  // By key and not by id among equals: ids are in the order in which the whole store came to know the items.
  const columns = isByName(query) ? ['item.key'] : [quantity, 'item.key'];
  if (query.cursor !== undefined) {
    const last = parseStockCursor(query.cursor, query.sort);
    conditions.push(`(${columns.join(', ')}) ${after} (${columns.map(() => '?').join(', ')})`);
    values.push(...(isByName(query) ? [] : [last.quantity]), canonicalKey(last.item));
  }
  const sql = `
    SELECT item.id, item.name, unit, precision, sku, barcode, category, description, low_at, ${quantity} AS quantity
    FROM ${query.scope === null ? 'item' : `${itemsInScope} AS item`} ${join}
    WHERE ${conditions.join(' AND ')}
    ORDER BY ${columns.map((column) => `${column} ${order}`).join(', ')}
    LIMIT ?`;
  return { sql, values };
}

/** Every word as the beginning of one. Only letters, digits and marks get in, and quoted: nothing can be syntax. */
function formatMatch(search: string): string {
  const words = search.normalize('NFC').match(/[\p{L}\p{M}\p{N}]+/gu);
  if (!words) throw new Failure('bad-params', 'search must contain a letter or a digit.');
  return words.map((word) => `"${word}"*`).join(' ');
}

/** The rows with what there is at each place; null: at all of them. */
export function withLocations(
  database: Database,
  rows: readonly ItemRow[],
  places: readonly number[] | null,
): ItemStock[] {
  const only = places && JSON.stringify(places);
  const balances = database.all<BalanceRow>(
    `SELECT item_id, location.name AS location, quantity
     FROM balance JOIN location ON location.id = location_id
     WHERE item_id IN (SELECT value FROM json_each(?)) AND quantity > 0
       AND (? IS NULL OR location_id IN (SELECT value FROM json_each(?)))
     ORDER BY item_id, location_id`,
    JSON.stringify(rows.map((row) => row.id)),
    only,
    only,
  );
  const byItem = Map.groupBy(balances, (balance) => balance.item_id);
  return rows.map((row) => ({
    item: row.name,
    quantity: row.quantity,
    unit: row.unit,
    precision: row.precision,
    sku: row.sku,
    barcode: row.barcode,
    category: row.category,
    description: row.description,
    lowAt: row.low_at,
    locations: (byItem.get(row.id) ?? []).map(({ location, quantity }) => ({ location, quantity })),
  }));
}
