import { balancesShownMax } from '../../model/limits.ts';
import type { ItemStock, StockQuery } from '../../model/stock.ts';
import type { StockPage } from '../store.ts';
import { formatBroadCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { type Few, findFew, selectFew } from './stock-few.ts';
import { selectByQuantityAt, selectInWholeStore } from './stock-order.ts';
import {
  cursorAfter,
  digestOf,
  type Found,
  type ItemRow,
  lookUp,
  type Meant,
  orderOf,
  type RowPosition,
  type StockQuestion,
  turnTo,
} from './stock-question.ts';
import { findSearched, selectBroadly } from './stock-search.ts';
import { walk } from './stock-walk.ts';

/** How the answer is found: in the order of an index, or by looking at a few one by one. */
type Way =
  | { readonly by: 'index of all' }
  | { readonly by: 'index of a place'; readonly place: number }
  | { readonly by: 'few'; readonly few: Few; readonly isFound: boolean }
  | { readonly by: 'walk' }
  | { readonly by: 'words' };

/** As `Store.view`. */
export function viewStock(database: Database, given: StockQuery): StockPage {
  const asked = byNameIfSame(given);
  const meant = lookUp(database, asked);
  const way = wayTo(database, asked, meant);
  const isByWords = way.by === 'words';
  const isByName = way.by === 'walk' && orderOf(asked.sort).column === 'quantity';
  const query = isByName ? { ...asked, sort: 'name' as const } : asked;
  const question = turnTo(database, query, meant, !isByWords);
  const { rows, end } = find(database, question, way);
  const items = withLocations(database, rows.slice(0, query.limit), meant.places);
  const last = items.length < rows.length ? rows[items.length - 1] : end;
  const cursorOf = (row: RowPosition) =>
    isByWords ? formatBroadCursor(row.id, digestOf(query)) : cursorAfter(question, row);
  return { items, cursor: last && cursorOf(last), seq: question.seq, isUnsorted: isByWords || isByName };
}

function find(database: Database, question: StockQuestion, way: Way): Found {
  switch (way.by) {
    case 'index of all':
      return { rows: selectInWholeStore(database, question) };
    case 'index of a place':
      return { rows: selectByQuantityAt(database, question, way.place) };
    case 'few':
      return { rows: selectFew(database, question, way.few, way.isFound) };
    case 'walk':
      return walk(database, question);
    case 'words':
      return selectBroadly(database, question);
  }
}

/** The way that costs least, and never more than others can wait for. */
function wayTo(database: Database, query: StockQuery, meant: Meant): Way {
  const { search, category, low, archived, sort } = query;
  const { column } = orderOf(sort);
  const { ids, places } = meant;
  const isOfAll = ids === undefined && search === undefined && !archived;
  const isPlain = isOfAll && category === undefined && !low;
  // A category has names in order, everywhere and at each place.
  if ((isPlain && column !== 'quantity') || (isOfAll && !low && column === 'name')) return { by: 'walk' };
  const isListed = column === 'quantity' || column === 'name';
  if (isOfAll && places === null && isListed && !(category !== undefined && low)) return { by: 'index of all' };
  const [only, ...others] = places ?? [];
  if (isPlain && only !== undefined && others.length === 0) return { by: 'index of a place', place: only };
  // In a scope what is few there goes first: how much a search finds elsewhere is not to be told by the order of a page.
  const here = ids || search === undefined || places !== null ? findFew(database, query, meant) : undefined;
  if (here) return { by: 'few', few: here, isFound: false };
  const searched = findSearched(database, meant);
  if (searched) return { by: 'few', few: searched, isFound: true };
  if (search === undefined || places !== null) return { by: 'walk' };
  const few = findFew(database, query, meant);
  return few ? { by: 'few', few, isFound: false } : { by: 'words' };
}

/** All of a category are alike in it, and all that is archived is used up. */
function byNameIfSame(query: StockQuery): StockQuery {
  const { column, direction } = orderOf(query.sort);
  const isSame = (column === 'category' && query.category !== undefined) || (column === 'quantity' && query.archived);
  return isSame ? { ...query, sort: direction === 'ASC' ? 'name' : '-name' } : query;
}

/**
 * The rows with what there is at each place; null: at all of them. Fewer rows when there are so many places that the reply
 * would be too large for a client.
 */
export function withLocations(
  database: Database,
  rows: readonly ItemRow[],
  places: readonly number[] | null,
): ItemStock[] {
  const nameOf = namesOf(database);
  const items: ItemStock[] = [];
  let shown = 0;
  for (const [row, balances] of eachWithBalances(database, rows, places)) {
    shown += balances.length;
    if (shown > balancesShownMax && items.length > 0) break;
    items.push({
      item: row.name,
      quantity: row.quantity,
      unit: row.unit,
      precision: row.precision,
      sku: row.sku,
      barcode: row.barcode,
      category: row.category,
      description: row.description,
      lowAt: row.low_at,
      locations: balances.map(([location, quantity]) => ({ location: nameOf(location), quantity })),
    });
  }
  return items;
}

type Balance = readonly [location: number, quantity: number];

/** For so many items at once balances are read. */
const itemsAtOnce = 20;

/** The rows, each with what there is of its item. */
function* eachWithBalances(
  database: Database,
  rows: readonly ItemRow[],
  places: readonly number[] | null,
): Generator<readonly [ItemRow, readonly Balance[]]> {
  const isHere = places === null ? '' : 'AND location_id IN (SELECT value FROM json_each(?2))';
  // One row for each item: to hand over a row for each balance takes twice as long, and so does the name of its location.
  const sql = `SELECT (
      SELECT json_group_array(json_array(location_id, quantity)) FROM balance
      WHERE item_id = page.value AND quantity > 0 ${isHere}
    ) AS balances
    FROM json_each(?1) AS page ORDER BY page.key`;
  for (let begin = 0; begin < rows.length; begin += itemsAtOnce) {
    const some = rows.slice(begin, begin + itemsAtOnce);
    const ids = JSON.stringify(some.map(({ id }) => id));
    const lists = database.all<{ balances: string }>(sql, ids, ...(places ? [JSON.stringify(places)] : []));
    for (const [at, row] of some.entries()) {
      const balances = JSON.parse(lists[at]?.balances ?? '[]') as Balance[]; // The query has made it.
      yield [row, balances.sort(([a], [b]) => a - b)]; // An aggregate promises no order.
    }
  }
}

/** Tells the name of a location, and looks each up once. */
function namesOf(database: Database): (location: number) => string {
  const names = new Map<number, string>();
  return (location) => {
    let name = names.get(location);
    if (name === undefined) {
      ({ name } = database.one<{ name: string }>('SELECT name FROM location WHERE id = ?', location));
      names.set(location, name);
    }
    return name;
  };
}
