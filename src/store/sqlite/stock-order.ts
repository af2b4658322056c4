import { balancesAddedMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import type { StockQuery } from '../../model/stock.ts';
import type { Database } from './database.ts';
import { readIndexed } from './movement-index.ts';
import { type ItemRow, itemColumns, orderOf, positionOf } from './stock-select.ts';

// Pages that an index has in their order, so that they cost the same however much there is. Quantities are in those
// indexes as they were when movements were indexed last (`listed`): what was moved since is looked at one by one, and left
// out of the rest.

/**
 * Pages over all locations: by quantity, or of what is low. Parameters: 1 the last indexed movement, 2 the location, 3 the
 * category, 4 and 5 where the page before ended, 6 how many.
 */
export function selectInWholeStore(database: Database, query: StockQuery, limit: number): readonly ItemRow[] {
  const conditions = ['item.archived_at IS NULL'];
  if (query.category !== undefined) conditions.push('item.category_key = ?3');
  const isLow = (quantity: string) => (query.low ? [`item.low_at IS NOT NULL AND ${quantity} <= item.low_at`] : []);
  const sql = `
    WITH waiting AS MATERIALIZED (SELECT DISTINCT item_id FROM movement WHERE seq > ?1)
    ${halfOf(query, 'item', 'item.listed', 'item.key', [...conditions, notWaiting('item.id'), ...isLow('item.listed')])}
    UNION ALL
    ${halfOf(query, waitingItem, 'item.total', 'item.key', [...conditions, ...isLow('item.total')])}
    ${orderBy(query, 'quantity', 'key')} LIMIT ?6`;
  return select(database, sql, query, 0, limit);
}

/** Pages of what is, or was, at one location, by name or quantity. Parameters as above. */
export function selectAt(database: Database, query: StockQuery, location: number, limit: number): readonly ItemRow[] {
  const conditions = ['item.archived_at IS NULL', 'balance.location_id = ?2'];
  const from = 'balance CROSS JOIN item ON item.id = balance.item_id';
  if (orderOf(query.sort).isByName) {
    const sql = halfOf(query, from, 'balance.quantity', 'balance.key', conditions);
    return select(database, sql, query, location, limit);
  }
  const waiting = 'waiting CROSS JOIN balance USING (item_id) CROSS JOIN item ON item.id = balance.item_id';
  const sql = `
    WITH waiting AS MATERIALIZED (SELECT DISTINCT item_id FROM movement WHERE seq > ?1 AND location_id = ?2)
    ${halfOf(query, from, 'balance.listed', 'balance.key', [...conditions, notWaiting('balance.item_id')])}
    UNION ALL
    ${halfOf(query, waiting, 'balance.quantity', 'balance.key', conditions)}
    ${orderBy(query, 'quantity', 'key')} LIMIT ?6`;
  return select(database, sql, query, location, limit);
}

/** Pages by name of what is, or was, at several locations: of the next one only what comes before the end of a full page. */
export function selectByNameAt(
  database: Database,
  query: StockQuery,
  locations: readonly number[],
  limit: number,
): readonly ItemRow[] {
  const { beyond, direction } = orderOf(query.sort);
  const position = positionOf(query);
  const start = position ? [canonicalKey(position.item)] : [];
  let first: readonly KeyedRow[] = [];
  for (const location of locations) {
    const end = first.length === limit ? first.slice(-1).map(({ key }) => key) : [];
    const here = database.all<KeyedRow>(
      `SELECT ${itemColumns}, balance.key AS key,
         (SELECT sum(part.quantity) FROM balance AS part
          WHERE part.item_id = item.id AND part.location_id IN (SELECT value FROM json_each(?))) AS quantity
       FROM balance CROSS JOIN item ON item.id = balance.item_id
       WHERE balance.location_id = ? AND item.archived_at IS NULL
         ${start.map(() => `AND balance.key ${beyond} ?`).join('')} ${end.map(() => `AND ? ${beyond} balance.key`).join('')}
       ORDER BY balance.key ${direction} LIMIT ?`,
      JSON.stringify(locations),
      location,
      ...start,
      ...end,
      limit,
    );
    const known = new Set(first.map(({ id }) => id));
    first = [...first, ...here.filter(({ id }) => !known.has(id))].sort(byKey(direction)).slice(0, limit);
  }
  return first;
}

/** Whether a page would need the sums of more than others can wait for: such a page is shown by name. */
export function isTooMuchToAdd(database: Database, query: StockQuery): boolean {
  const { scope, location, items, search, category, low, sort } = query;
  if (scope === null || scope.length < 2 || location !== undefined || orderOf(sort).isByName) return false;
  if (items || search !== undefined || category !== undefined || low) return false;
  const sql = `SELECT count(*) AS found FROM
    (SELECT 1 FROM balance WHERE location_id IN (SELECT value FROM json_each(?)) LIMIT ?)`;
  return database.one<{ found: number }>(sql, JSON.stringify(scope), balancesAddedMax + 1).found > balancesAddedMax;
}

/**
 * Pages by quantity of what is, or was, at several locations, whose sums are in no index: all are added up, a microsecond
 * for each balance, in the index that has what is listed at a location; only the items of the page are looked at.
 */
export function selectByQuantityAt(
  database: Database,
  query: StockQuery,
  locations: readonly number[],
  limit: number,
): readonly ItemRow[] {
  const position = positionOf(query);
  const sums = (quantity: string, condition: string) => `
    SELECT item_id, key, sum(${quantity}) AS quantity FROM balance
    WHERE location_id IN (SELECT value FROM json_each(?1)) AND item_id ${condition} (SELECT item_id FROM waiting)
    GROUP BY item_id`;
  const behind = position ? `AND (quantity, key) ${orderOf(query.sort).beyond} (?3, ?4)` : '';
  const sql = `
    WITH
      waiting AS MATERIALIZED (
        SELECT DISTINCT item_id FROM movement
        WHERE seq > ?2 AND location_id IN (SELECT value FROM json_each(?1))
      ),
      page AS MATERIALIZED (
        SELECT * FROM (${sums('listed', 'NOT IN')} UNION ALL ${sums('quantity', 'IN')})
        WHERE item_id NOT IN (SELECT id FROM item WHERE archived_at IS NOT NULL) ${behind}
        ${orderBy(query, 'quantity', 'key')} LIMIT ?5
      )
    SELECT ${itemColumns}, page.quantity AS quantity FROM page CROSS JOIN item ON item.id = page.item_id
    ${orderBy(query, 'page.quantity', 'page.key')}`;
  return database.all<ItemRow>(
    sql,
    JSON.stringify(locations),
    readIndexed(database),
    position?.quantity ?? null,
    position ? canonicalKey(position.item) : null,
    limit,
  );
}

type KeyedRow = ItemRow & { readonly key: string };

function byKey(direction: 'ASC' | 'DESC') {
  const sign = direction === 'ASC' ? 1 : -1;
  return (a: KeyedRow, b: KeyedRow) => sign * Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));
}

const waitingItem = 'waiting CROSS JOIN item ON item.id = waiting.item_id';

function notWaiting(column: string): string {
  return `${column} NOT IN (SELECT item_id FROM waiting)`;
}

/** The first of what is listed, or of what was moved since: each in its order, as long as a page. */
function halfOf(query: StockQuery, from: string, quantity: string, key: string, conditions: readonly string[]): string {
  const { isByName, beyond } = orderOf(query.sort);
  const behind = isByName ? `${key} ${beyond} ?5` : `(${quantity}, ${key}) ${beyond} (?4, ?5)`;
  return `SELECT * FROM (
    SELECT ${itemColumns}, ${quantity} AS quantity, ${key} AS key FROM ${from}
    WHERE ${[...conditions, ...(query.cursor === undefined ? [] : [behind])].join(' AND ')}
    ${orderBy(query, quantity, key)} LIMIT ?6)`;
}

function orderBy({ sort }: StockQuery, quantity: string, key: string): string {
  const { isByName, direction } = orderOf(sort);
  return `ORDER BY ${(isByName ? [key] : [quantity, key]).map((column) => `${column} ${direction}`).join(', ')}`;
}

function select(
  database: Database,
  sql: string,
  query: StockQuery,
  location: number,
  limit: number,
): readonly ItemRow[] {
  const last = positionOf(query);
  return database.all<ItemRow>(
    sql,
    readIndexed(database),
    location,
    query.category === undefined ? null : canonicalKey(query.category),
    last?.quantity ?? null,
    last ? canonicalKey(last.item) : null,
    limit,
  );
}
