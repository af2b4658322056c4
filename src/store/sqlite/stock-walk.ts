import { stockLookedMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import { defaultUnit, type StockColumn, type StockQuery } from '../../model/stock.ts';
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

type Rank = string | number | null;

/** Items that follow one another in an order, as SQL tells them from all others, in the columns of item and of balance. */
interface Stretch {
  /** What all of it have. */
  readonly isIn: string;
  /** Between which ranks it is, unless among all of its index. */
  readonly above?: string;
  readonly below?: string;
  /** What they are sorted by before their keys, if they differ in it: an index has them in that order. */
  readonly rank?: string;
  /** What they all have for it otherwise. */
  readonly sameRank?: string;
  readonly holds: (rank: Rank) => boolean;
}

const usual = `'${defaultUnit}'`;
const unusual = { isIn: `unit <> ${usual}`, rank: 'unit' } as const;
const isText = (rank: unknown): rank is string => typeof rank === 'string';

/** By each column the stretches of its order from the least on. What has none comes last, in both directions. */
const stretches: Readonly<Record<Exclude<StockColumn, 'quantity'>, readonly Stretch[]>> = {
  name: [{ isIn: 'TRUE', holds: () => true }],
  unit: [
    { ...unusual, below: usual, holds: (rank) => isText(rank) && rank < defaultUnit },
    { isIn: `unit = ${usual}`, sameRank: usual, holds: (rank) => rank === defaultUnit },
    { ...unusual, above: usual, holds: (rank) => isText(rank) && rank > defaultUnit },
  ],
  sku: withAndWithout('sku'),
  barcode: withAndWithout('barcode'),
  category: withAndWithout('category_key'),
  lowAt: withAndWithout('low_at'),
};

function withAndWithout(column: string): readonly Stretch[] {
  return [
    { isIn: `${column} IS NOT NULL`, rank: column, holds: (rank) => rank !== null },
    { isIn: `${column} IS NULL`, holds: (rank) => rank === null },
  ];
}

/** The stretches of what is asked for, in its order. */
function stretchesOf(query: StockQuery): readonly Stretch[] {
  const { column, direction } = orderOf(query.sort);
  // Quantities change too often for an index: whoever asks for them here gets names.
  const fromLeast = stretches[column === 'quantity' ? 'name' : column];
  // What is low has a threshold.
  if (column === 'lowAt' && query.low) return fromLeast.slice(0, 1);
  return column === 'unit' && direction === 'DESC' ? fromLeast.toReversed() : fromLeast;
}

/** What may be looked at for a page of each list, and how long it is. */
interface Most {
  readonly looked: number;
  readonly rows: number;
}

/** Pages by any column but the quantity. A filter leaves what it leaves of the next items: no more than so many are looked at. */
export function walk(database: Database, question: StockQuestion, lookedMax = stockLookedMax): Found {
  const { query, position, places, rowsMax } = question;
  const all = stretchesOf(query);
  const begun = position && all.find(({ holds }) => holds(position.rank));
  const rows: ItemRow[] = [];
  let looked = 0;
  for (const stretch of begun ? all.slice(all.indexOf(begun)) : all) {
    // Shared out among the locations, each of which has a next one at least.
    const each = Math.max(1, Math.floor((lookedMax - looked) / (places?.length ?? 1)));
    const most = { looked: each, rows: rowsMax - rows.length };
    const found = merge(database, question, { stretch, isBegun: stretch === begun }, most);
    rows.push(...found.rows);
    if (rows.length === rowsMax || found.end) return { rows, end: found.end };
    looked += found.looked;
  }
  return { rows };
}

/** A part of the order, and whether the page before ended in it. */
interface Part {
  readonly stretch: Stretch;
  readonly isBegun: boolean;
}

interface Merged extends Found {
  /** How many items were looked at, where the page is not full. */
  readonly looked: number;
}

/** The next items of a stretch, from its beginning or from where the page before ended in it. */
function merge(database: Database, question: StockQuestion, part: Part, most: Most): Merged {
  const sign = orderOf(question.query.sort).direction === 'ASC' ? 1 : -1;
  const inOrder = (a: RowPosition, b: RowPosition) => sign * (compare(a.rank, b.rank) || compare(a.key, b.key));
  let rows: readonly ItemRow[] = [];
  let end: RowPosition | undefined;
  let looked = 0;
  for (const place of question.places ?? [null]) {
    // Of the next location only what comes before the end of a full page.
    const fullAt = rows.length === most.rows ? rows.at(-1) : undefined;
    const here = look(database, question, { ...part, place, fullAt }, most);
    const known = new Set(rows.map(({ id }) => id));
    rows = [...rows, ...here.rows.filter(({ id }) => !known.has(id))].sort(inOrder).slice(0, most.rows);
    if (here.end && (!end || inOrder(here.end, end) < 0)) end = here.end;
    looked += here.looked;
  }
  // Behind the place where one look ended nothing is known of that location.
  const isKnown = (row: RowPosition) => end === undefined || inOrder(row, end) <= 0;
  return { rows: rows.filter(isKnown), end, looked };
}

/** As SQLite does: numbers, or the bytes of texts. Where no index has the ranks, all are the same. */
function compare(a: Rank, b: Rank): number {
  if (isText(a) && isText(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return Number(a) - Number(b);
}

/** What of a stretch is in the whole store, or at one location. */
interface List extends Part {
  /** The location; null: the whole store. */
  readonly place: number | null;
  /** The last row of a page that is full: nothing behind it is asked for. */
  readonly fullAt: RowPosition | undefined;
}

/** The next items of one list. */
function look(database: Database, question: StockQuestion, list: List, most: Most): Merged {
  const { query, places } = question;
  const next = nextItems(query, list);
  const values = valuesOf(question, list);
  const conditions = [isAskedFor(query), list.stretch.isIn];
  if (query.category !== undefined) conditions.push('category_key = ?6');
  if (query.search !== undefined) conditions.push('fits_search(?7, name, sku, barcode, category, description)');
  if (query.low) conditions.push(`low_at IS NOT NULL AND ${query.scope === null ? 'total' : sumIn('?9')} <= low_at`);
  // In the order of the inner one, whose LIMIT makes it one of its own; so it ends as soon as the page is full.
  const rows = database.all<ItemRow>(
    `SELECT ${itemColumns}, ${places === null ? 'total' : sumIn('?8')} AS quantity, next.rank AS rank
     FROM (${next} LIMIT ?10) AS next CROSS JOIN item ON item.id = next.id
     WHERE ${conditions.join(' AND ')} LIMIT ?11`,
    ...values,
    most.looked,
    most.rows,
  );
  if (rows.length === most.rows) return { rows, looked: 0 };
  const count = `SELECT count(*) AS looked FROM (${next} LIMIT ?10)`;
  const { looked } = database.one<{ looked: number }>(count, ...values, most.looked);
  if (looked < most.looked) return { rows, looked };
  const last = `SELECT item.id, item.name, item.key, next.rank AS rank
    FROM (${next} LIMIT 1 OFFSET ?10) AS next CROSS JOIN item ON item.id = next.id`;
  return { rows, end: database.get<RowPosition>(last, ...values, looked - 1), looked };
}

/**
 * Parameters: 1 the location, 2 and 3 where the page before ended, 4 and 5 where this one has to, 6 the category, 7 the
 * search, 8 the locations, 9 the scope.
 */
function valuesOf({ query, position, places }: StockQuestion, { place, fullAt }: List) {
  return [
    ...[place, position?.rank ?? null, keyOf(position), fullAt?.rank ?? null, fullAt?.key ?? null],
    query.category === undefined ? null : canonicalKey(query.category),
    query.search ?? null,
    places && JSON.stringify(places),
    query.scope && JSON.stringify(query.scope),
  ] as const;
}

/** SQL for the ids of the next items, in their order, and what gives them their places in it. */
function nextItems({ sort, category }: StockQuery, { stretch, isBegun, place, fullAt }: List): string {
  const { direction, beyond } = orderOf(sort);
  const { isIn, rank, sameRank = 'NULL', above, below } = stretch;
  const short = beyond === '>' ? '<' : '>';
  const [first, last] = direction === 'ASC' ? [above, below] : [below, above];
  const isBound = (sign: string, bound: string | undefined) =>
    bound === undefined ? [] : [`${rank} ${sign} ${bound}`];
  // The position of a row is within the stretch, and says more than where that ends: of both SQLite might take the other.
  const isBy = (sign: string, [byRank, byKey]: readonly [string, string]) =>
    rank === undefined ? [`key ${sign} ${byKey}`] : [`(${rank}, key) ${sign} (${byRank}, ${byKey})`];
  const conditions = [
    ...(place === null ? [] : ['location_id = ?1']),
    ...(rank === undefined ? [] : [isIn]),
    ...(rank === undefined && category !== undefined ? ['category_key = ?6'] : []),
    ...(isBegun ? isBy(beyond, ['?2', '?3']) : isBound(beyond, first)),
    ...(fullAt ? isBy(short, ['?4', '?5']) : isBound(short, last)),
  ];
  const order = (rank === undefined ? ['key'] : [rank, 'key']).map((by) => `${by} ${direction}`);
  return `SELECT ${place === null ? 'id' : 'item_id AS id'}, key, ${rank ?? sameRank} AS rank
    FROM ${place === null ? 'item' : 'balance'}
    ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''} ORDER BY ${order.join(', ')}`;
}
