import type { SQLInputValue } from 'node:sqlite';
import { Failure } from '../../model/failure.ts';
import { parseChange } from '../../model/item.ts';
import { historyLookedMax } from '../../model/limits.ts';
import type { HistoryQuery, Movement, MovementKind } from '../../model/stock.ts';
import type { Scope } from '../../model/user.ts';
import type { HistoryPage } from '../store.ts';
import { formatHistoryCursor, parseHistoryCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { itemIdOf } from './items.ts';
import { readHead } from './ledger.ts';
import { findLocation } from './locations.ts';
import { type IndexedColumn, movementIndexes, readIndexed } from './movement-index.ts';
import { isLow } from './movements.ts';
import { formatOperationId } from './operation-id.ts';

/** A movement as it is read. */
export interface MovementRow {
  readonly seq: number;
  readonly at: number;
  readonly kind: MovementKind;
  readonly item: string;
  readonly location: string;
  readonly delta: number;
  readonly balance: number;
  readonly user: string;
  readonly note: string | null;
  readonly operation: Uint8Array;
  readonly change: string | null;
  readonly flags: number;
  readonly undoes: number | null;
}

/** The columns of a `MovementRow`, from movement and user. */
export const movementColumns =
  'movement.seq, at, movement.kind, item, location, delta, balance, user.name AS user, note, operation, change, flags, undoes';

/** So many movements with one value are few enough to be looked through: a millisecond's work. */
const rareMovements = 1000;

/** As `Store.history`. */
export function readHistory(database: Database, query: HistoryQuery): HistoryPage {
  // Nothing is filtered by time: records never go back in time, so a time is a sequence number.
  const { size } = readHead(database);
  const first = query.since === undefined ? 1 : firstSeqFrom(database, query.since, size);
  const end = query.until === undefined ? size + 1 : firstSeqFrom(database, query.until + 1, size);
  const before = query.cursor === undefined ? end : Math.min(end, parseHistoryCursor(query.cursor));
  const filters = filtersOf(database, query);
  // Edits happened nowhere.
  const isNothing = query.kind === 'item' && (filters.has('location_id') || filters.has('scope'));
  const found = isNothing ? { rows: [] } : findRows(database, filters, query.scope, first, before, query.limit + 1);
  const page = found.rows.slice(0, query.limit);
  const last = found.rows.length > query.limit ? page.at(-1)?.seq : found.end;
  const cursor = last === undefined ? undefined : formatHistoryCursor(last);
  return { movements: page.map((row) => movementOf(row, query.scope)), cursor };
}

interface Found {
  readonly rows: readonly MovementRow[];
  /** The oldest movement that was looked at where the page is not full, because enough was; undefined: that was all. */
  readonly end?: number | undefined;
}

/** Column by column, the value that is asked for; in a scope also the JSON of those that a location may have. */
type Filter = IndexedColumn | 'scope';
type Filters = ReadonlyMap<Filter, SQLInputValue>;

function filtersOf(database: Database, { item, user, location, kind, scope }: HistoryQuery): Filters {
  const filters = new Map<Filter, SQLInputValue>();
  if (item !== undefined) filters.set('item_id', itemIdOf(database, item, scope));
  if (user !== undefined) filters.set('user_id', userIdOf(database, user, scope));
  if (location !== undefined) filters.set('location_id', findLocation(database, location, scope, 'also archived').id);
  else if (scope !== null) filters.set('scope', JSON.stringify(scope));
  if (kind !== undefined) filters.set('kind', kind);
  return filters;
}

/** The newest rows from `first` to the one before `before`: those that wait to be indexed, then those that are. */
function findRows(
  database: Database,
  filters: Filters,
  scope: Scope,
  first: number,
  before: number,
  limit: number,
): Found {
  const column = rarest(database, filters, before);
  if (column === undefined && !filters.has('scope'))
    return selectRows(database, 'movement', filters, first, before, limit);
  const waiting = readIndexed(database) + 1;
  const { rows } = selectRows(database, 'movement', filters, Math.max(first, waiting), before, limit);
  if (rows.length === limit) return { rows };
  const end = Math.min(before, waiting);
  const left = limit - rows.length;
  const indexed =
    column === undefined
      ? mergeLocations(database, filters, scope ?? [], first, end, left)
      : selectRows(database, movementIndexes[column], filters, first, end, left);
  return { rows: [...rows, ...indexed.rows], end: indexed.end };
}

/** The newest rows of several locations by way of their index, one location after another. */
function mergeLocations(
  database: Database,
  filters: Filters,
  locations: readonly number[],
  first: number,
  before: number,
  limit: number,
): Found {
  const lookedMax = Math.max(limit, Math.floor(historyLookedMax / locations.length));
  let newest: readonly MovementRow[] = [];
  let end: number | undefined;
  for (const location of locations) {
    // Of the next location only what is newer than the oldest row of a page that is full already.
    const from = newest.length === limit ? (newest.at(-1)?.seq ?? first) : first;
    const here = new Map(filters).set('location_id', location);
    here.delete('scope');
    const found = selectRows(database, movementIndexes.location_id, here, from, before, limit, lookedMax);
    newest = [...newest, ...found.rows].sort((a, b) => b.seq - a.seq).slice(0, limit);
    if (found.end !== undefined) end = Math.max(end ?? 0, found.end);
  }
  // Before the place where one look ended nothing is known of that location.
  return { rows: newest.filter(({ seq }) => end === undefined || seq >= end), end };
}

function isColumn(filter: Filter): filter is IndexedColumn {
  return filter !== 'scope';
}

/**
 * The column by whose index least is looked through in vain: of several the one whose value is so rare that its
 * thousandth movement, counted backwards, lies furthest back. Of a kind in a scope, the scope's own index has less.
 */
function rarest(database: Database, filters: Filters, before: number): IndexedColumn | undefined {
  const columns = [...filters.keys()].filter(isColumn).filter((column) => column !== 'kind' || !filters.has('scope'));
  if (columns.length < 2) return columns[0];
  const farBack = columns.map((column) => {
    const sql = `SELECT seq FROM ${movementIndexes[column]} WHERE ${column} = ? AND seq < ? ORDER BY seq DESC LIMIT 1 OFFSET ?`;
    return database.get<{ seq: number }>(sql, filters.get(column) ?? null, before, rareMovements)?.seq ?? 0;
  });
  return columns[farBack.indexOf(Math.min(...farBack))];
}

/** Rows by way of `table`: an index, or the movements themselves, one by one, of which so many are looked at. */
function selectRows(
  database: Database,
  table: 'movement' | (typeof movementIndexes)[IndexedColumn],
  filters: Filters,
  first: number,
  before: number,
  limit: number,
  lookedMax: number = historyLookedMax,
): Found {
  const own = [...filters].filter(([filter]) => isColumn(filter) && movementIndexes[filter] === table);
  const others = [...filters].filter((filter) => !own.includes(filter));
  const conditions = others.map(([filter]) =>
    filter === 'scope' ? 'AND movement.location_id IN (SELECT value FROM json_each(?))' : `AND movement.${filter} = ?`,
  );
  const looked = `SELECT seq FROM ${table} WHERE seq >= ? AND seq < ? ${own.map(([column]) => `AND ${column} = ?`).join('')} ORDER BY seq DESC`;
  const bounds = [first, before, ...own.map(([, value]) => value)];
  // CROSS keeps the index outside, so that its order is the rows' and a page ends the search.
  const rows = database.all<MovementRow>(
    `SELECT ${movementColumns}
     FROM (${looked} LIMIT ?) AS looked CROSS JOIN movement USING (seq) CROSS JOIN user ON user.id = movement.user_id
     WHERE true ${conditions.join(' ')}
     ORDER BY looked.seq DESC
     LIMIT ?`,
    ...bounds,
    lookedMax,
    ...others.map(([, value]) => value),
    limit,
  );
  if (rows.length === limit || others.length === 0) return { rows };
  return { rows, end: database.get<{ seq: number }>(`${looked} LIMIT 1 OFFSET ?`, ...bounds, lookedMax - 1)?.seq };
}

/** The movement in a row, as somebody in this scope may know it. */
export function movementOf({ flags, operation, change, undoes, ...row }: MovementRow, scope: Scope): Movement {
  const changed = change === null ? null : parseChange(JSON.parse(change));
  const undone = undoes === null ? undefined : { undoes };
  const low = isLow(flags, scope);
  return { ...row, operation: formatOperationId(operation), change: changed, low, ...undone };
}

/** The first movement at or after a time, by binary search: an index on time would cost every write. */
function firstSeqFrom(database: Database, time: number, size: number): number {
  let low = 1;
  let high = size + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { at } = database.one<{ at: number }>('SELECT at FROM movement WHERE seq = ?', middle);
    if (at < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Has done nothing, and never will: ids begin at 1. */
const nobody = 0;

/** In a scope nobody learns who there is elsewhere: an unknown user is one who did nothing here. */
function userIdOf(database: Database, name: string, scope: Scope): number {
  const row = database.get<{ id: number }>('SELECT id FROM user WHERE name = ?', name);
  if (row) return row.id;
  if (scope !== null) return nobody;
  throw new Failure('not-found', `No user ${JSON.stringify(name)}.`);
}
