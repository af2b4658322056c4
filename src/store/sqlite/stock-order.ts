import { canonicalKey } from '../../model/name.ts';
import type { Database } from './database.ts';
import { readIndexed } from './movement-index.ts';
import { type ItemRow, itemColumns, keyOf, orderOf, type StockQuestion } from './stock-question.ts';

// Pages that an index has in their order, so that they cost the same however much there is. Quantities are in those
// indexes as they were when movements were indexed last (`listed`). What was moved since, or since the first page, is
// looked at one by one, taken back to what there was of it at the first page, and left out of the rest. Parameters: 1 the
// last movement before the first page, 2 the last indexed one, 3 the location, 4 the category, 5 and 6 where the page
// before ended, 7 how many.

/** Pages over all locations: by quantity, of all items or of a category; or of what is low, by name too. */
export function selectInWholeStore(database: Database, question: StockQuestion): readonly ItemRow[] {
  const { category, low } = question.query;
  const conditions = ['item.archived_at IS NULL', ...(category === undefined ? [] : ['item.category_key = ?4'])];
  const isLow = (quantity: string) => (low ? [`item.low_at IS NOT NULL AND ${quantity} <= item.low_at`] : []);
  return select(
    database,
    question,
    `WITH waiting AS MATERIALIZED (
       SELECT item_id, sum(CASE WHEN seq > ?1 THEN delta ELSE 0 END) AS since
       FROM movement WHERE seq > min(?1, ?2) GROUP BY item_id
     )
     ${half(question, 'item', 'item.total', 'item.listed', 'item.key', [
       ...conditions,
       'item.id NOT IN (SELECT item_id FROM waiting)',
       ...isLow('item.listed'),
     ])}
     UNION ALL
     ${half(
       question,
       'waiting CROSS JOIN item ON item.id = waiting.item_id',
       'item.total',
       'item.total - since',
       'item.key',
       [...conditions, ...isLow('item.total')],
     )}
     ${orderBy(question, 'rank', 'key')} LIMIT ?7`,
  );
}

/** Pages by quantity of what is, or was, at one location. */
export function selectByQuantityAt(database: Database, question: StockQuestion, location: number): readonly ItemRow[] {
  const conditions = ['balance.archived_at IS NULL', 'balance.location_id = ?3'];
  return select(
    database,
    question,
    `WITH waiting AS MATERIALIZED (
       SELECT item_id, sum(CASE WHEN seq > ?1 THEN delta ELSE 0 END) AS since
       FROM movement WHERE seq > min(?1, ?2) AND location_id = ?3 GROUP BY item_id
     )
     ${half(
       question,
       'balance CROSS JOIN item ON item.id = balance.item_id',
       'balance.quantity',
       'balance.listed',
       'balance.key',
       [...conditions, 'balance.item_id NOT IN (SELECT item_id FROM waiting)'],
     )}
     UNION ALL
     ${half(
       question,
       'waiting CROSS JOIN balance USING (item_id) CROSS JOIN item ON item.id = balance.item_id',
       'balance.quantity',
       'balance.quantity - since',
       'balance.key',
       conditions,
     )}
     ${orderBy(question, 'rank', 'key')} LIMIT ?7`,
    location,
  );
}

/** The first of what is listed, or of what was moved since: each in its order, as long as a page. */
function half(
  question: StockQuestion,
  from: string,
  quantity: string,
  rank: string,
  key: string,
  conditions: readonly string[],
): string {
  const { column, beyond } = orderOf(question.query.sort);
  const behind = column === 'quantity' ? `(${rank}, ${key}) ${beyond} (?5, ?6)` : `${key} ${beyond} ?6`;
  return `SELECT * FROM (
    SELECT ${itemColumns}, ${quantity} AS quantity, ${rank} AS rank FROM ${from}
    WHERE ${[...conditions, ...(question.position ? [behind] : [])].join(' AND ')}
    ${orderBy(question, rank, key)} LIMIT ?7)`;
}

function orderBy({ query }: StockQuestion, rank: string, key: string): string {
  const { column, direction } = orderOf(query.sort);
  return `ORDER BY ${(column === 'quantity' ? [rank, key] : [key]).map((by) => `${by} ${direction}`).join(', ')}`;
}

function select(database: Database, question: StockQuestion, sql: string, location = 0): readonly ItemRow[] {
  const { query, asOf, position, rowsMax } = question;
  return database.all<ItemRow>(
    sql,
    asOf,
    readIndexed(database),
    location,
    query.category === undefined ? null : canonicalKey(query.category),
    position?.rank ?? null,
    keyOf(position),
    rowsMax,
  );
}
