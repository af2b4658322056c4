import type { ItemStock, Location, StockQuery } from '../../model/stock.ts';
import type { StockPage } from '../store.ts';
import { formatBroadCursor, formatStockCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { itemIdOf } from './items.ts';
import { readHead } from './ledger.ts';
import { findLocation } from './locations.ts';
import { lastSeqAt } from './movement-index.ts';
import { isTooMuchToAdd, selectAt, selectByNameAt, selectByQuantityAt, selectInWholeStore } from './stock-order.ts';
import { findBroadStart, selectBroadly } from './stock-search.ts';
import { type ItemRow, orderOf, selectItems } from './stock-select.ts';

interface BalanceRow {
  readonly item_id: number;
  readonly location: string;
  readonly quantity: number;
}

/** As `Store.view`. Archived items are not shown. */
export function viewStock(database: Database, asked: StockQuery): StockPage {
  const query = isTooMuchToAdd(database, asked) ? { ...asked, sort: 'name' as const } : asked;
  const location = query.location === undefined ? undefined : findLocation(database, query.location, query.scope);
  const ids = query.items?.map((name) => itemIdOf(database, name, query.scope));
  const broadStart = findBroadStart(database, query);
  // One row more than asked tells whether there is a next page.
  const limit = query.limit + 1;
  const rows =
    broadStart === undefined
      ? findRows(database, query, ids, location, limit)
      : selectBroadly(database, query, ids, location, broadStart, limit);
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  const cursorOf = ({ id, name, quantity }: ItemRow) =>
    broadStart === undefined ? formatStockCursor({ sort: query.sort, item: name, quantity }) : formatBroadCursor(id);
  return {
    items: withLocations(database, page, location ? [location.id] : query.scope),
    cursor: last && cursorOf(last),
    seq: query.scope === null ? readHead(database).size : lastSeqAt(database, query.scope),
    isUnsorted: broadStart !== undefined || query !== asked,
  };
}

/** The first rows in the order that is asked for, by the way that costs least. */
function findRows(
  database: Database,
  query: StockQuery,
  ids: readonly number[] | undefined,
  location: Location | undefined,
  limit: number,
): readonly ItemRow[] {
  const { scope, search, category, low, sort } = query;
  const { isByName } = orderOf(sort);
  if (ids || search !== undefined) return selectItems(database, query, ids, location, limit);
  if (scope === null && !location) {
    return isByName && !low
      ? selectItems(database, query, ids, location, limit)
      : selectInWholeStore(database, query, limit);
  }
  if (category !== undefined || low) return selectItems(database, query, ids, location, limit);
  const places = location ? [location.id] : (scope ?? []);
  const [only, ...others] = places;
  if (only !== undefined && others.length === 0) return selectAt(database, query, only, limit);
  return (isByName ? selectByNameAt : selectByQuantityAt)(database, query, places, limit);
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
