import type { SQLInputValue } from 'node:sqlite';
import { stockSortedMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import type { StockQuery } from '../../model/stock.ts';
import type { Database } from './database.ts';
import {
  type ItemRow,
  isAskedFor,
  itemColumns,
  keyOf,
  type Meant,
  orderOf,
  type StockQuestion,
  sumIn,
} from './stock-question.ts';

/** Items that are few enough to be looked at one by one: SQL for their ids, and its values. */
export interface Few {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/** The items among which the answer is, if they are few: those that are named, of the category, or at the places. */
export function findFew(database: Database, query: StockQuery, { ids, places }: Meant): Few | undefined {
  if (ids) return { sql: 'SELECT value AS id FROM json_each(?)', values: [JSON.stringify(ids)] };
  const all: Few[] = [];
  const there = 'SELECT item_id AS id FROM balance WHERE location_id IN (SELECT value FROM json_each(?))';
  const thereOf = places && JSON.stringify(places);
  if (query.category !== undefined) {
    const category = canonicalKey(query.category);
    // Not of everything: how much of a category is elsewhere is not to be told either.
    if (thereOf !== null) all.push({ sql: `${there} AND category_key = ?`, values: [thereOf, category] });
    else all.push({ sql: 'SELECT id FROM item WHERE category_key = ?', values: [category] });
  }
  if (query.archived && places === null)
    all.push({ sql: 'SELECT id FROM item WHERE archived_at IS NOT NULL', values: [] });
  // What was listed as low, or has moved since. In a scope something else is low.
  if (query.low && !query.archived && query.scope === null) {
    const listed = 'SELECT id FROM item WHERE archived_at IS NULL AND listed <= low_at';
    const moved = 'SELECT item_id FROM movement WHERE seq > (SELECT indexed FROM ledger)';
    all.push({ sql: `${listed} UNION ALL ${moved}`, values: [] });
  }
  if (thereOf !== null) {
    if (query.low) all.push({ sql: `${there} AND low_at IS NOT NULL`, values: [thereOf] });
    all.push({ sql: there, values: [thereOf] });
  }
  if (all.length === 0) all.push({ sql: 'SELECT id FROM item', values: [] });
  return all.find((few) => isFew(database, few, stockSortedMax));
}

export function isFew(database: Database, { sql, values }: Few, most: number): boolean {
  const count = `SELECT count(*) AS found FROM (${sql} LIMIT ?)`;
  return database.one<{ found: number }>(count, ...values, most + 1).found <= most;
}

/** What each sort goes by before the key. What has none comes last, in both directions. */
const columns: Readonly<Record<string, string>> = {
  quantity: 'quantity - since',
  unit: 'unit',
  sku: 'sku',
  barcode: 'barcode',
  category: 'category_key',
  lowAt: 'low_at',
};

/**
 * The first of a few items that fit, in any order. The text of the query is put together from constants only; what the
 * caller sent is bound. Parameters: 1 the places, 2 the scope, 3 the last movement before the first page, 4 the search, 5 the category,
 * 6 and 7 where the page before ended, 8 how many, and those of the few behind them.
 */
export function selectFew(database: Database, question: StockQuestion, few: Few, isFound: boolean): readonly ItemRow[] {
  const { query, places, asOf, position, rowsMax } = question;
  const { column, direction, beyond } = orderOf(query.sort);
  const conditions = [isAskedFor(query), 'quantity IS NOT NULL'];
  if (query.search !== undefined && !isFound)
    conditions.push('fits_search(?4, name, sku, barcode, category, description)');
  if (query.category !== undefined) conditions.push('category_key = ?5');
  if (query.low) conditions.push(`low_at IS NOT NULL AND ${query.scope === null ? 'total' : sumIn('?2')} <= low_at`);
  const isWithout = position?.rank === null;
  const behind = isWithout ? `rank IS NULL AND key ${beyond} ?7` : `((rank, key) ${beyond} (?6, ?7) OR rank IS NULL)`;
  const isHere = places === null ? '' : 'AND location_id IN (SELECT value FROM json_each(?1))';
  return database.all<ItemRow>(
    `WITH
       few AS MATERIALIZED (SELECT DISTINCT id FROM (${numbered(few.sql)})),
       moved AS MATERIALIZED (
         SELECT item_id, sum(delta) AS since FROM movement WHERE seq > ?3 ${isHere} GROUP BY item_id
       ),
       item_here AS (
         SELECT item.*, ${places === null ? 'total' : sumIn('?1')} AS quantity,
           ifnull((SELECT since FROM moved WHERE item_id = item.id), 0) AS since
         FROM few CROSS JOIN item USING (id)
       ),
       fit AS (
         SELECT *, ${columns[column] ?? 'NULL'} AS rank FROM item_here AS item WHERE ${conditions.join(' AND ')}
       )
     SELECT ${itemColumns}, quantity, rank FROM fit AS item
     ${position ? `WHERE ${behind}` : ''}
     ORDER BY rank IS NULL, rank ${direction}, key ${direction} LIMIT ?8`,
    places && JSON.stringify(places),
    query.scope && JSON.stringify(query.scope),
    column === 'quantity' ? asOf : Number.MAX_SAFE_INTEGER,
    query.search ?? null,
    query.category === undefined ? null : canonicalKey(query.category),
    position?.rank ?? null,
    keyOf(position),
    rowsMax,
    ...few.values,
  );
}

/** SQL with the numbers of its parameters, which come behind the others. */
function numbered(sql: string): string {
  let number = 8;
  return sql.replaceAll('?', () => `?${++number}`);
}
