import { createHash } from 'node:crypto';
import { Failure } from '../../model/failure.ts';
import { pagedMovementsMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import type { StockColumn, StockQuery, StockSort } from '../../model/stock.ts';
import { formatStockCursor, parseStockCursor, type StockPosition } from './cursor.ts';
import type { Database } from './database.ts';
import { itemIdOf } from './items.ts';
import { readHead } from './ledger.ts';
import { findLocation } from './locations.ts';
import { lastSeqAt } from './movement-index.ts';
import { formatMatch } from './search-text.ts';

/** What the names in a query mean. */
export interface Meant {
  readonly ids: readonly number[] | undefined;
  /** The locations; null: all of them. */
  readonly places: readonly number[] | null;
  /** The search as FTS5 reads it. */
  readonly match: string | undefined;
}

/** A page that is asked for. */
export interface StockQuestion extends Meant {
  readonly query: StockQuery;
  /** The last movement that whoever asks may know of. */
  readonly seq: number;
  /** That of the first page. Pages by quantity are in the order of that moment, so that none skips or repeats what moves. */
  readonly asOf: number;
  readonly position: StockPosition | undefined;
  /** One row more than asked for tells whether there is a next page. */
  readonly rowsMax: number;
}

/** An item's row, with how much of it there is in the places that are asked for. */
export interface ItemRow {
  readonly id: number;
  readonly name: string;
  readonly key: string;
  readonly unit: string;
  readonly precision: number;
  readonly sku: string | null;
  readonly barcode: string | null;
  readonly category: string | null;
  readonly description: string | null;
  readonly low_at: number | null;
  readonly quantity: number;
  /** What it is sorted by, before its key: of quantities, that of the first page. Null where the key is all. */
  readonly rank: string | number | null;
}

/** Rows in their order. */
export interface Found {
  readonly rows: readonly ItemRow[];
  /** What was looked at last where the page is not full, because enough was looked at; undefined: that was all there is. */
  readonly end?: RowPosition | undefined;
}

export type RowPosition = Pick<ItemRow, 'id' | 'name' | 'key' | 'rank'>;

/** The columns of an `ItemRow` but for quantity and rank, from item. */
export const itemColumns =
  'item.id, item.name, item.key, item.unit, item.precision, item.sku, item.barcode, item.category, item.description, item.low_at';

/** Looks names up. Failures: `not-found`, `bad-params`. */
export function lookUp(database: Database, { items, location, search, scope }: StockQuery): Meant {
  const places = location === undefined ? scope : [findLocation(database, location, scope).id];
  const ids = items?.map((name) => itemIdOf(database, name, scope));
  return { ids, places, match: search === undefined ? undefined : formatMatch(search) };
}

/** The page in an order, behind the cursor. Failures: `bad-params` for a cursor of another question, or too old a one. */
export function turnTo(database: Database, query: StockQuery, meant: Meant, isOfStock: boolean): StockQuestion {
  const { size } = readHead(database);
  const seq = query.scope === null ? size : lastSeqAt(database, query.scope);
  const cursor = isOfStock ? query.cursor : undefined;
  const position = cursor === undefined ? undefined : parseStockCursor(cursor, digestOf(query), query.sort);
  const asOf = position?.seq ?? seq;
  if (position && orderOf(query.sort).column === 'quantity' && size - asOf > pagedMovementsMax) {
    throw new Failure(
      'bad-params',
      `More than ${pagedMovementsMax.toLocaleString('en')} movements came since the first page.`,
      { hint: 'Begin again without the cursor, or page by name.' },
    );
  }
  return { ...meant, query, seq, asOf, position, rowsMax: query.limit + 1 };
}

/** The cursor of the page that ended with a row. It tells no more than the order needs. */
export function cursorAfter({ query, asOf }: StockQuestion, { name, rank }: RowPosition): string {
  const { column } = orderOf(query.sort);
  const place = { item: name, rank: column === 'name' ? null : rank, seq: column === 'quantity' ? asOf : 0 };
  return formatStockCursor({ sort: query.sort, ...place, question: digestOf(query) });
}

/** Tells questions apart, so that no page goes on with what another was about. */
export function digestOf({ items, search, location, category, low, archived }: StockQuery): string {
  const text = JSON.stringify([items, search, location, category, low, ...(archived ? [archived] : [])]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 8);
}

/** A sort in SQL: by key and not by id among equals, because ids are in the order in which the whole store came to know the items. */
export function orderOf(sort: StockSort) {
  const column = sort.replace(/^-/, '') as StockColumn; // Which a sort is, with or without the sign.
  return sort.startsWith('-')
    ? ({ column, direction: 'DESC', beyond: '<' } as const)
    : ({ column, direction: 'ASC', beyond: '>' } as const);
}

/** What there is of an item at the locations in a parameter, a JSON list; NULL if it never was there. */
export function sumIn(parameter: string): string {
  return `(SELECT sum(quantity) FROM balance
    WHERE item_id = item.id AND location_id IN (SELECT value FROM json_each(${parameter})))`;
}

/** The items that are asked for: those that are archived, or the others. */
export function isAskedFor({ archived }: StockQuery): string {
  return `item.archived_at IS ${archived ? 'NOT NULL' : 'NULL'}`;
}

/** The key of the item that the page before ended with. */
export function keyOf(position: StockPosition | undefined): string | null {
  return position ? canonicalKey(position.item) : null;
}
