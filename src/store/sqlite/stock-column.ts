import { stockLookedMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import { defaultUnit } from '../../model/stock.ts';
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
} from './stock-question.ts';

// Pages by what not every item has. Those that have it are in an index in their order (for the unit: those with another
// than most). The others have none that they would pay for when they are made, and are looked for by name.

/** Items that follow one another in an order, as SQL tells them from all others. */
interface Stretch {
  /** Of one that an index has: what all of the index have. */
  readonly isIn: string;
  /** And where in the index it begins and ends, unless with it. */
  readonly after?: string;
  readonly before?: string;
  /** What they are sorted by before their keys. */
  readonly rank: string;
  readonly isIndexed: boolean;
  readonly holds: (rank: string | number | null) => boolean;
}

const usual = `'${defaultUnit}'`;
const unusual = { isIn: `item.unit <> ${usual}`, rank: 'item.unit', isIndexed: true } as const;
const isText = (rank: unknown): rank is string => typeof rank === 'string';

/** By each column the stretches of its order from the least on. What has none comes last, in both directions. */
const stretches: Readonly<Record<string, readonly Stretch[]>> = {
  unit: [
    { ...unusual, before: `item.unit < ${usual}`, holds: (rank) => isText(rank) && rank < defaultUnit },
    { isIn: `item.unit = ${usual}`, rank: usual, isIndexed: false, holds: (rank) => rank === defaultUnit },
    { ...unusual, after: `item.unit > ${usual}`, holds: (rank) => isText(rank) && rank > defaultUnit },
  ],
  sku: withAndWithout('item.sku'),
  barcode: withAndWithout('item.barcode'),
  category: withAndWithout('item.category_key'),
  lowAt: withAndWithout('item.low_at'),
};

function withAndWithout(column: string): readonly Stretch[] {
  return [
    { isIn: `${column} IS NOT NULL`, rank: column, isIndexed: true, holds: (rank) => rank !== null },
    { isIn: `${column} IS NULL`, rank: 'NULL', isIndexed: false, holds: (rank) => rank === null },
  ];
}

/** Whether pages by this column can be found so. */
export function isWalked(column: string): boolean {
  return column in stretches;
}

/**
 * Pages by such a column. A filter leaves what it leaves of the next items, and no more than so many are looked at. Not for
 * a scope: where a page ends, an item may be that is elsewhere.
 */
export function walkByColumn(database: Database, question: StockQuestion, lookedMax = stockLookedMax): Found {
  const { query, position, rowsMax } = question;
  const { column, direction } = orderOf(query.sort);
  const fromLeast = stretches[column] ?? [];
  const all = direction === 'DESC' && column === 'unit' ? fromLeast.toReversed() : fromLeast;
  const begun = position && all.find(({ holds }) => holds(position.rank));
  const rows: ItemRow[] = [];
  let left = lookedMax;
  for (const stretch of begun ? all.slice(all.indexOf(begun)) : all) {
    const walk = new Walk(database, question, stretch, stretch === begun);
    rows.push(...walk.select(left, rowsMax - rows.length));
    if (rows.length === rowsMax) return { rows };
    const end = walk.last(left);
    if (end) return { rows, end };
    left -= walk.count(left);
  }
  return { rows };
}

/** The next items of a stretch, from its beginning or from where the page before ended in it. */
class Walk {
  readonly #database: Database;
  readonly #question: StockQuestion;
  readonly #stretch: Stretch;
  readonly #next: string;

  constructor(database: Database, question: StockQuestion, stretch: Stretch, isBegun: boolean) {
    this.#database = database;
    this.#question = question;
    this.#stretch = stretch;
    this.#next = nextItems(question, stretch, isBegun);
  }

  /** Those that fit among so many of them. */
  select(lookedMax: number, rowsMax: number): readonly ItemRow[] {
    const { query, places } = this.#question;
    const { rank, isIn } = this.#stretch;
    const conditions = [isAskedFor(query), isIn];
    if (query.category !== undefined) conditions.push('item.category_key = ?4');
    if (query.low) conditions.push('item.low_at IS NOT NULL AND item.total <= item.low_at');
    if (query.search !== undefined) {
      conditions.push('fits_search(?5, item.name, item.sku, item.barcode, item.category, item.description)');
    }
    // Of an item that is elsewhere no more is read than its place in the order.
    const here = 'CROSS JOIN balance ON balance.item_id = next.id AND balance.location_id = ?3';
    // In the order of the inner one, so that it ends as soon as the page is full.
    return this.#database.all<ItemRow>(
      `SELECT ${itemColumns}, ${places === null ? 'item.total' : 'balance.quantity'} AS quantity, ${rank} AS rank
       FROM (${this.#next} LIMIT ?6) AS next ${places === null ? '' : here} CROSS JOIN item ON item.id = next.id
       WHERE ${conditions.join(' AND ')} LIMIT ?7`,
      ...this.#values(),
      query.search ?? null,
      lookedMax,
      rowsMax,
    );
  }

  /** The last of so many, if there are as many. */
  last(lookedMax: number): RowPosition | undefined {
    const { rank } = this.#stretch;
    const sql = `SELECT item.id, item.name, item.key, ${rank} AS rank
      FROM (${this.#next} LIMIT 1 OFFSET ?5) AS next CROSS JOIN item ON item.id = next.id`;
    return this.#database.get<RowPosition>(sql, ...this.#values(), lookedMax - 1);
  }

  count(most: number): number {
    const sql = `SELECT count(*) AS found FROM (${this.#next} LIMIT ?5)`;
    return this.#database.one<{ found: number }>(sql, ...this.#values(), most).found;
  }

  /** Parameters: 1 and 2 where the page before ended, 3 the place, 4 the category. */
  #values() {
    const { query, position, places } = this.#question;
    const category = query.category === undefined ? null : canonicalKey(query.category);
    return [position?.rank ?? null, keyOf(position), places?.[0] ?? null, category] as const;
  }
}

/** SQL for the ids of the next items, in their order. */
function nextItems({ query, places }: StockQuestion, stretch: Stretch, isBegun: boolean): string {
  const { direction, beyond } = orderOf(query.sort);
  if (stretch.isIndexed) {
    const { isIn, rank, after, before } = stretch;
    const [first, last] = direction === 'ASC' ? [after, before] : [before, after];
    // Where the page before ended is within the stretch, and says more than its beginning.
    const from = isBegun ? `(${rank}, item.key) ${beyond} (?1, ?2)` : first;
    return `SELECT item.id FROM item ${where([isIn, from, last])}
      ORDER BY ${rank} ${direction}, item.key ${direction}`;
  }
  const from = (key: string) => (isBegun ? `${key} ${beyond} ?2` : undefined);
  if (places !== null) {
    return `SELECT item_id AS id FROM balance ${where(['location_id = ?3', from('key')])} ORDER BY key ${direction}`;
  }
  const isRight = query.category === undefined ? undefined : 'item.category_key = ?4';
  return `SELECT item.id FROM item ${where([isRight, from('item.key')])} ORDER BY item.key ${direction}`;
}

function where(conditions: readonly (string | undefined)[]): string {
  const given = conditions.filter((condition) => condition !== undefined);
  return given.length === 0 ? '' : `WHERE ${given.join(' AND ')}`;
}
