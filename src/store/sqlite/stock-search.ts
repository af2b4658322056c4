import { Failure } from '../../model/failure.ts';
import { searchSortedMax, stockLookedMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import { parseBroadCursor, parseStockCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { type Few, isFew } from './stock-few.ts';
import {
  digestOf,
  type Found,
  type ItemRow,
  isAskedFor,
  itemColumns,
  type Meant,
  type RowPosition,
  type StockQuestion,
} from './stock-question.ts';

/** What a search finds, if that is little. */
export function findSearched(database: Database, { match }: Meant): Few | undefined {
  if (match === undefined) return undefined;
  const few: Few = { sql: 'SELECT rowid AS id FROM item_search WHERE item_search MATCH ?', values: [match] };
  return isFew(database, few, searchSortedMax) ? few : undefined;
}

/**
 * The next items that a search finds which finds too much to be sorted, in the order of their ids: as the index of words
 * has them. Failures: `bad-params` for the cursor of a page that was sorted.
 */
export function selectBroadly(database: Database, { query, match, rowsMax }: StockQuestion): Found {
  const after = query.cursor === undefined ? 0 : parseBroadCursor(query.cursor, digestOf(query));
  if (after === undefined) {
    parseStockCursor(query.cursor ?? '', digestOf(query), query.sort);
    const most = searchSortedMax.toLocaleString('en');
    throw new Failure('bad-params', `The search finds more than ${most} items by now.`, {
      hint: 'Begin again without the cursor, or search for more words.',
    });
  }
  const found = 'SELECT rowid FROM item_search WHERE item_search MATCH ?1 AND rowid > ?2 ORDER BY rowid';
  const rows = database.all<ItemRow>(
    `SELECT ${itemColumns}, item.total AS quantity, NULL AS rank
     FROM (${found} LIMIT ?3) AS found CROSS JOIN item ON item.id = found.rowid
     WHERE ${isAskedFor(query)} AND (?4 IS NULL OR item.category_key = ?4)
       AND (NOT ?5 OR (item.low_at IS NOT NULL AND item.total <= item.low_at))
     ORDER BY found.rowid LIMIT ?6`,
    match ?? null,
    after,
    stockLookedMax,
    query.category === undefined ? null : canonicalKey(query.category),
    query.low ? 1 : 0,
    rowsMax,
  );
  if (rows.length === rowsMax) return { rows };
  const last = `SELECT id, name, key, NULL AS rank FROM (${found} LIMIT 1 OFFSET ?3) AS found JOIN item ON id = found.rowid`;
  return { rows, end: database.get<RowPosition>(last, match ?? null, after, stockLookedMax - 1) };
}
