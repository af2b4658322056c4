import type { SQLInputValue } from 'node:sqlite';
import { Failure } from '../../model/failure.ts';
import { canonicalKey } from '../../model/name.ts';
import type { ItemStock, StockQuery } from '../../model/stock.ts';
import type { StockPage } from '../store.ts';
import { formatStockCursor, parseStockCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { itemIdOf } from './items.ts';
import { readHead } from './ledger.ts';
import { findLocation, type Location } from './locations.ts';

interface ItemRow {
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
  const location = query.location === undefined ? undefined : findLocation(database, query.location);
  const { sql, values } = select(database, query, location);
  // One row more than asked tells whether there is a next page.
  const rows = database.all<ItemRow>(sql, ...values, query.limit + 1);
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  return {
    items: withLocations(database, page, location),
    cursor:
      last &&
      formatStockCursor({
        sort: query.sort,
        last: isByName(query) ? last.name : last.quantity,
        id: last.id,
      }),
    seq: readHead(database).size,
  };
}

function isByName({ sort }: StockQuery): boolean {
  return sort === 'name' || sort === '-name';
}

/** The query in SQL. Its text is put together from constants only, so there are few; what the caller sent is bound. */
function select(database: Database, query: StockQuery, location: Location | undefined) {
  const conditions = ['item.archived_at IS NULL'];
  const values: SQLInputValue[] = [];
  const quantity = location ? 'balance.quantity' : 'item.total';
  // CROSS keeps the items outside, in the order of their index, so that a page ends the search.
  const join = location ? 'CROSS JOIN balance ON balance.item_id = item.id AND balance.location_id = ?' : '';
  if (location) values.push(location.id);
  if (query.items) {
    conditions.push('item.id IN (SELECT value FROM json_each(?))');
    values.push(JSON.stringify(query.items.map((name) => itemIdOf(database, name))));
  }
  if (query.search !== undefined) {
    conditions.push('item.id IN (SELECT rowid FROM item_search WHERE item_search MATCH ?)');
    values.push(formatMatch(query.search));
  }
  if (query.category !== undefined) {
    conditions.push('item.category = ?');
    values.push(query.category);
  }
  if (query.low) conditions.push('item.low_at IS NOT NULL AND item.total <= item.low_at');
  const [order, after] = query.sort.startsWith('-') ? ['DESC', '<'] : ['ASC', '>'];
  const column = isByName(query) ? 'item.key' : quantity;
  if (query.cursor !== undefined) {
    const { last, id } = parseStockCursor(query.cursor, query.sort);
    conditions.push(`(${column}, item.id) ${after} (?, ?)`);
    values.push(typeof last === 'string' ? canonicalKey(last) : last, id);
  }
  const sql = `
    SELECT item.id, item.name, unit, precision, sku, barcode, category, description, low_at, ${quantity} AS quantity
    FROM item ${join}
    WHERE ${conditions.join(' AND ')}
    ORDER BY ${column} ${order}, item.id ${order}
    LIMIT ?`;
  return { sql, values };
}

/** Every word as the beginning of one. Only letters, digits and marks get in, and quoted: nothing can be syntax. */
function formatMatch(search: string): string {
  const words = search.normalize('NFC').match(/[\p{L}\p{M}\p{N}]+/gu);
  if (!words) throw new Failure('bad-params', 'search must contain a letter or a digit.');
  return words.map((word) => `"${word}"*`).join(' ');
}

function withLocations(database: Database, rows: readonly ItemRow[], only: Location | undefined): ItemStock[] {
  const balances = database.all<BalanceRow>(
    `SELECT item_id, location.name AS location, quantity
     FROM balance JOIN location ON location.id = location_id
     WHERE item_id IN (SELECT value FROM json_each(?)) AND quantity > 0 AND ifnull(location_id = ?, true)
     ORDER BY item_id, location_id`,
    JSON.stringify(rows.map((row) => row.id)),
    only?.id ?? null,
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
