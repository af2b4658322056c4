import { stockLookedMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import type { Database } from './database.ts';
import {
  type Found,
  type ItemRow,
  isAskedFor,
  itemColumns,
  keyOf,
  orderOf,
  type RowPosition,
  type StockQuestion,
  sumIn,
} from './stock-question.ts';

/**
 * Pages by name of what is, or was, at some locations, each of which has an index by name: these are merged. A filter
 * leaves what it leaves of the next balances, and no more than so many are looked at.
 */
export function walkByName(database: Database, question: StockQuestion, places: readonly number[]): Found {
  const { query, rowsMax } = question;
  const { direction } = orderOf(query.sort);
  const sign = direction === 'ASC' ? 1 : -1;
  const compare = (a: string, b: string) => sign * Buffer.compare(Buffer.from(a), Buffer.from(b));
  const lookedMax = Math.max(rowsMax, Math.floor(stockLookedMax / places.length));
  let rows: readonly ItemRow[] = [];
  let end: RowPosition | undefined;
  for (const place of places) {
    // Of the next location only what comes before the end of a full page.
    const full = rows.length === rowsMax ? rows.at(-1)?.key : undefined;
    const here = selectNext(database, question, places, place, full ?? null, lookedMax);
    const known = new Set(rows.map(({ id }) => id));
    const all = [...rows, ...here.filter(({ id }) => !known.has(id))];
    rows = all.sort((a, b) => compare(a.key, b.key)).slice(0, rowsMax);
    if (here.length === rowsMax) continue;
    const last = lastLooked(database, question, place, full ?? null, lookedMax);
    if (last && (!end || compare(last.key, end.key) < 0)) end = last;
  }
  // Behind the place where one look ended nothing is known of that location.
  const { key } = end ?? {};
  const sure = key === undefined ? rows : rows.filter((row) => compare(row.key, key) <= 0);
  return { rows: sure, end };
}

/** Parameters: 1 the location, 2 where the page before ended, 3 where this one has to end, 4 how many balances. */
function nextBalances({ query }: StockQuestion, before: string | null): string {
  const { direction, beyond } = orderOf(query.sort);
  const from = query.cursor === undefined ? '?2 IS NULL' : `key ${beyond} ?2`;
  // Both are ends of one stretch of the index, or the rest of the location would be read to its end.
  const to = before === null ? '?3 IS NULL' : `key ${beyond === '>' ? '<' : '>'} ?3`;
  return `SELECT item_id, key FROM balance WHERE location_id = ?1 AND ${from} AND ${to} ORDER BY key ${direction}`;
}

function selectNext(
  database: Database,
  question: StockQuestion,
  places: readonly number[],
  place: number,
  before: string | null,
  lookedMax: number,
): readonly ItemRow[] {
  const { query, position, rowsMax } = question;
  const { direction } = orderOf(query.sort);
  const conditions = [isAskedFor(query)];
  if (query.category !== undefined) conditions.push('item.category_key = ?6');
  if (query.search !== undefined) {
    conditions.push('fits_search(?7, item.name, item.sku, item.barcode, item.category, item.description)');
  }
  if (query.low) {
    const total = query.scope === null ? 'item.total' : sumIn('?8');
    conditions.push(`item.low_at IS NOT NULL AND ${total} <= item.low_at`);
  }
  return database.all<ItemRow>(
    `SELECT ${itemColumns}, ${sumIn('?5')} AS quantity, NULL AS rank
     FROM (${nextBalances(question, before)} LIMIT ?4) AS next CROSS JOIN item ON item.id = next.item_id
     WHERE ${conditions.join(' AND ')} ORDER BY next.key ${direction} LIMIT ?9`,
    place,
    keyOf(position),
    before,
    lookedMax,
    JSON.stringify(places),
    query.category === undefined ? null : canonicalKey(query.category),
    query.search ?? null,
    query.scope && JSON.stringify(query.scope),
    rowsMax,
  );
}

/** The last balance that was looked at, if there are more behind it. */
function lastLooked(
  database: Database,
  question: StockQuestion,
  place: number,
  before: string | null,
  lookedMax: number,
): RowPosition | undefined {
  return database.get(
    `SELECT item.id, item.name, next.key, NULL AS rank
     FROM (${nextBalances(question, before)} LIMIT 1 OFFSET ?4) AS next CROSS JOIN item ON item.id = next.item_id`,
    place,
    keyOf(question.position),
    before,
    lookedMax - 1,
  );
}

/**
 * Items by name, where so many are archived, or low and of a category, that no index has what is asked for: no more than so
 * many are looked at.
 */
export function walkAll(database: Database, { query, position, rowsMax }: StockQuestion): Found {
  const { direction, beyond } = orderOf(query.sort);
  const category = query.category === undefined ? null : canonicalKey(query.category);
  const isRight = category === null ? '?3 IS NULL' : 'category_key = ?3';
  const from = position ? `key ${beyond} ?1` : '?1 IS NULL';
  const next = `SELECT * FROM item WHERE ${isRight} AND ${from} ORDER BY key ${direction}`;
  const rows = database.all<ItemRow>(
    `SELECT ${itemColumns}, item.total AS quantity, NULL AS rank FROM (${next} LIMIT ?2) AS item
     WHERE ${isAskedFor(query)} AND (NOT ?4 OR (item.low_at IS NOT NULL AND item.total <= item.low_at))
     ORDER BY item.key ${direction} LIMIT ?5`,
    keyOf(position),
    stockLookedMax,
    category,
    query.low ? 1 : 0,
    rowsMax,
  );
  if (rows.length === rowsMax) return { rows };
  const last = `SELECT id, name, key, NULL AS rank FROM (${next} LIMIT 1 OFFSET ?2)`;
  return { rows, end: database.get<RowPosition>(last, keyOf(position), stockLookedMax - 1, category) };
}
