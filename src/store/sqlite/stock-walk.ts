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
  sumIn,
} from './stock-question.ts';

// Pages by name, or by what not every item has. Those that have it are in an index in their order (for the unit: those
// with another than most). The others have none that they would pay for when they are made, and are looked for by name.
// The whole store has these orders, and so has each location, of what is or was there; those of several are merged.

/** Items that follow one another in an order, as SQL tells them from all others, in the columns of item and of balance. */
interface Stretch {
  /** What all of it have. */
  readonly isIn: string;
  /** And where in its index it begins and ends, unless with it. */
  readonly after?: string;
  readonly before?: string;
  /** What they are sorted by before their keys. */
  readonly rank: string;
  readonly isIndexed: boolean;
  readonly holds: (rank: string | number | null) => boolean;
}

const usual = `'${defaultUnit}'`;
const unusual = { isIn: `unit <> ${usual}`, rank: 'unit', isIndexed: true } as const;
const isText = (rank: unknown): rank is string => typeof rank === 'string';

/** By each column the stretches of its order from the least on. What has none comes last, in both directions. */
const stretches: Readonly<Record<string, readonly Stretch[]>> = {
  name: [{ isIn: 'TRUE', rank: 'NULL', isIndexed: false, holds: () => true }],
  unit: [
    { ...unusual, before: `unit < ${usual}`, holds: (rank) => isText(rank) && rank < defaultUnit },
    { isIn: `unit = ${usual}`, rank: usual, isIndexed: false, holds: (rank) => rank === defaultUnit },
    { ...unusual, after: `unit > ${usual}`, holds: (rank) => isText(rank) && rank > defaultUnit },
  ],
  sku: withAndWithout('sku'),
  barcode: withAndWithout('barcode'),
  category: withAndWithout('category_key'),
  lowAt: withAndWithout('low_at'),
};

function withAndWithout(column: string): readonly Stretch[] {
  return [
    { isIn: `${column} IS NOT NULL`, rank: column, isIndexed: true, holds: (rank) => rank !== null },
    { isIn: `${column} IS NULL`, rank: 'NULL', isIndexed: false, holds: (rank) => rank === null },
  ];
}

/** Pages by any column but the quantity. A filter leaves what it leaves of the next items: no more than so many are looked at. */
export function walk(database: Database, question: StockQuestion, lookedMax = stockLookedMax): Found {
  const { query, position, rowsMax } = question;
  const { column, direction } = orderOf(query.sort);
  const fromLeast = stretches[column] ?? [];
  const all = direction === 'DESC' && column === 'unit' ? fromLeast.toReversed() : fromLeast;
  const begun = position && all.find(({ holds }) => holds(position.rank));
  const lists = question.places?.length ?? 1;
  const part = { lookedMax: Math.max(rowsMax, Math.floor(lookedMax / all.length / lists)), rowsMax };
  const rows: ItemRow[] = [];
  for (const stretch of begun ? all.slice(all.indexOf(begun)) : all) {
    const found = merge(database, question, stretch, stretch === begun, { ...part, rowsMax: rowsMax - rows.length });
    rows.push(...found.rows);
    if (rows.length === rowsMax || found.end) return { rows, end: found.end };
  }
  return { rows };
}

/** How many items of one list are looked at, and how many rows they may make. */
interface Part {
  readonly lookedMax: number;
  readonly rowsMax: number;
}

/** The next items of a stretch, from its beginning or from where the page before ended in it. */
function merge(database: Database, question: StockQuestion, stretch: Stretch, isBegun: boolean, part: Part): Found {
  const sign = orderOf(question.query.sort).direction === 'ASC' ? 1 : -1;
  const inOrder = (a: RowPosition, b: RowPosition) => sign * (compare(a.rank, b.rank) || compare(a.key, b.key));
  let rows: readonly ItemRow[] = [];
  let end: RowPosition | undefined;
  for (const place of question.places ?? [null]) {
    // Of the next location only what comes before the end of a full page.
    const before = rows.length === part.rowsMax ? rows.at(-1) : undefined;
    const list = new List(database, question, { stretch, isBegun, place, before });
    const here = list.select(part);
    const known = new Set(rows.map(({ id }) => id));
    rows = [...rows, ...here.filter(({ id }) => !known.has(id))].sort(inOrder).slice(0, part.rowsMax);
    const last = here.length === part.rowsMax ? undefined : list.last(part);
    if (last && (!end || inOrder(last, end) < 0)) end = last;
  }
  // Behind the place where one look ended nothing is known of that location.
  const reached = end;
  return { rows: reached ? rows.filter((row) => inOrder(row, reached) <= 0) : rows, end };
}

/** As SQLite does: numbers, or the bytes of texts. All of a stretch without an index have the same rank. */
function compare(a: string | number | null, b: string | number | null): number {
  if (isText(a) && isText(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return Number(a) - Number(b);
}

/** What of a stretch is in the whole store, or at one location. */
interface Listed {
  readonly stretch: Stretch;
  /** Whether the page before ended in it. */
  readonly isBegun: boolean;
  /** The location; null: the whole store. */
  readonly place: number | null;
  /** The row before which this page has to end. */
  readonly before: RowPosition | undefined;
}

/** The next items of one list. */
class List {
  readonly #database: Database;
  readonly #question: StockQuestion;
  readonly #listed: Listed;
  readonly #next: string;

  constructor(database: Database, question: StockQuestion, listed: Listed) {
    this.#database = database;
    this.#question = question;
    this.#listed = listed;
    this.#next = nextItems(question, listed);
  }

  /** Those that fit among so many of them. */
  select({ lookedMax, rowsMax }: Part): readonly ItemRow[] {
    const { query, places } = this.#question;
    const { stretch } = this.#listed;
    const conditions = [isAskedFor(query), stretch.isIn];
    if (query.category !== undefined) conditions.push('category_key = ?6');
    if (query.search !== undefined) conditions.push('fits_search(?7, name, sku, barcode, category, description)');
    if (query.low) conditions.push(`low_at IS NOT NULL AND ${query.scope === null ? 'total' : sumIn('?9')} <= low_at`);
    // In the order of the inner one, so that it ends as soon as the page is full.
    return this.#database.all<ItemRow>(
      `SELECT ${itemColumns}, ${places === null ? 'total' : sumIn('?8')} AS quantity, next.rank AS rank
       FROM (${this.#next} LIMIT ?10) AS next CROSS JOIN item ON item.id = next.id
       WHERE ${conditions.join(' AND ')} LIMIT ?11`,
      ...this.#values(),
      lookedMax,
      rowsMax,
    );
  }

  /** The last of so many, if there are as many. */
  last({ lookedMax }: Part): RowPosition | undefined {
    const sql = `SELECT item.id, item.name, item.key, next.rank AS rank
      FROM (${this.#next} LIMIT 1 OFFSET ?10) AS next CROSS JOIN item ON item.id = next.id`;
    return this.#database.get<RowPosition>(sql, ...this.#values(), lookedMax - 1);
  }

  /**
   * Parameters: 1 the location, 2 and 3 where the page before ended, 4 and 5 where this one has to, 6 the category, 7 the
   * search, 8 the locations, 9 the scope.
   */
  #values() {
    const { query, position, places } = this.#question;
    const { place, before } = this.#listed;
    return [
      ...[place, position?.rank ?? null, keyOf(position), before?.rank ?? null, before?.key ?? null],
      query.category === undefined ? null : canonicalKey(query.category),
      query.search ?? null,
      places && JSON.stringify(places),
      query.scope && JSON.stringify(query.scope),
    ] as const;
  }
}

/** SQL for the ids of the next items, in their order, and what gives them their places in it. */
function nextItems({ query }: StockQuestion, { stretch, isBegun, place, before }: Listed): string {
  const { direction, beyond } = orderOf(query.sort);
  const short = beyond === '>' ? '<' : '>';
  const { isIn, rank, isIndexed } = stretch;
  const conditions = place === null ? [] : ['location_id = ?1'];
  if (isIndexed) {
    const [first, last] = direction === 'ASC' ? [stretch.after, stretch.before] : [stretch.before, stretch.after];
    // Where the page before ended is within the stretch, and says more than its beginning.
    const from = isBegun ? `(${rank}, key) ${beyond} (?2, ?3)` : first;
    conditions.push(isIn, ...(from ? [from] : []), ...(last ? [last] : []));
    if (before) conditions.push(`(${rank}, key) ${short} (?4, ?5)`);
  } else {
    if (query.category !== undefined) conditions.push('category_key = ?6');
    if (isBegun) conditions.push(`key ${beyond} ?3`);
    if (before) conditions.push(`key ${short} ?5`);
  }
  const order = (isIndexed ? [rank, 'key'] : ['key']).map((by) => `${by} ${direction}`);
  return `SELECT ${place === null ? 'id' : 'item_id AS id'}, key, ${rank} AS rank
    FROM ${place === null ? 'item' : 'balance'}
    ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''} ORDER BY ${order.join(', ')}`;
}
