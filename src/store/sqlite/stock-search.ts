import type { SQLInputValue } from 'node:sqlite';
import { Failure } from '../../model/failure.ts';
import { searchSortedMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import type { Location, StockQuery } from '../../model/stock.ts';
import { parseBroadCursor, parseStockCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { formatMatch, type ItemRow, itemColumns } from './stock-select.ts';

/**
 * Where a page begins of a search that finds too much to be sorted: after the item of this id. Undefined for others, and
 * in a scope, where an order of ids would tell in what order they came to be elsewhere. Failures: `bad-params` for the
 * cursor of a page that was sorted.
 */
export function findBroadStart(database: Database, query: StockQuery): number | undefined {
  const { search, scope, cursor, sort } = query;
  if (search === undefined || scope !== null) return undefined;
  const match = formatMatch(search);
  const after = cursor === undefined ? undefined : parseBroadCursor(cursor);
  if (after !== undefined) return after;
  const { found } = database.one<{ found: number }>(
    'SELECT count(*) AS found FROM (SELECT 1 FROM item_search WHERE item_search MATCH ? LIMIT ?)',
    match,
    searchSortedMax + 1,
  );
  if (found <= searchSortedMax) return undefined;
  if (cursor === undefined) return 0;
  parseStockCursor(cursor, sort);
  throw new Failure('bad-params', `The search finds more than ${searchSortedMax.toLocaleString('en')} items by now.`, {
    hint: 'Begin again without the cursor, or search for more words.',
  });
}

/** The next items that a search finds, of these ids if any are given, in the order of their ids: as the index of the search has them. */
export function selectBroadly(
  database: Database,
  query: StockQuery,
  ids: readonly number[] | undefined,
  location: Location | undefined,
  after: number,
  limit: number,
): readonly ItemRow[] {
  const conditions = ['item_search MATCH ?', 'item_search.rowid > ?', 'item.archived_at IS NULL'];
  const values: SQLInputValue[] = [formatMatch(query.search ?? ''), after];
  if (ids) {
    conditions.push('item.id IN (SELECT value FROM json_each(?))');
    values.push(JSON.stringify(ids));
  }
  if (query.category !== undefined) {
    conditions.push('item.category_key = ?');
    values.push(canonicalKey(query.category));
  }
  if (query.low) conditions.push('item.low_at IS NOT NULL AND item.total <= item.low_at');
  const join = location ? 'CROSS JOIN balance ON balance.item_id = item.id AND balance.location_id = ?' : '';
  return database.all<ItemRow>(
    `SELECT ${itemColumns}, ${location ? 'balance.quantity' : 'item.total'} AS quantity
     FROM item_search CROSS JOIN item ON item.id = item_search.rowid ${join}
     WHERE ${conditions.join(' AND ')}
     ORDER BY item_search.rowid
     LIMIT ?`,
    ...(location ? [location.id] : []),
    ...values,
    limit,
  );
}
