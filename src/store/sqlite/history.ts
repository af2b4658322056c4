import type { SQLInputValue } from 'node:sqlite';
import { Failure } from '../../model/failure.ts';
import type { HistoryQuery, Movement, MovementKind } from '../../model/stock.ts';
import type { HistoryPage } from '../store.ts';
import { formatHistoryCursor, parseHistoryCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { itemIdOf } from './items.ts';
import { readHead } from './ledger.ts';
import { findLocation } from './locations.ts';
import { type IndexedColumn, movementIndexes, readIndexed } from './movement-index.ts';
import { formatOperationId } from './operation-id.ts';

interface MovementRow {
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
}

/** As `Store.history`. */
export function readHistory(database: Database, query: HistoryQuery): HistoryPage {
  // Nothing is filtered by time: records never go back in time, so a time is a sequence number.
  const { size } = readHead(database);
  const first = query.since === undefined ? 1 : firstSeqFrom(database, query.since, size);
  const end = query.until === undefined ? size + 1 : firstSeqFrom(database, query.until + 1, size);
  const before = query.cursor === undefined ? end : Math.min(end, parseHistoryCursor(query.cursor));
  const rows = findRows(database, filtersOf(database, query), first, before, query.limit + 1);
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  return { movements: page.map(movementOf), cursor: last && formatHistoryCursor(last.seq) };
}

/** Column by column, the value that is asked for. */
type Filters = ReadonlyMap<IndexedColumn | 'kind', SQLInputValue>;

function filtersOf(database: Database, { item, user, location, kind }: HistoryQuery): Filters {
  const filters = new Map<IndexedColumn | 'kind', SQLInputValue>();
  if (item !== undefined) filters.set('item_id', itemIdOf(database, item));
  if (user !== undefined) filters.set('user_id', userIdOf(database, user));
  if (location !== undefined) filters.set('location_id', findLocation(database, location).id);
  if (kind !== undefined) filters.set('kind', kind);
  return filters;
}

/** The newest rows from `first` to the one before `before`: those that wait to be indexed, then those that are. */
function findRows(
  database: Database,
  filters: Filters,
  first: number,
  before: number,
  limit: number,
): readonly MovementRow[] {
  const column = [...filters.keys()].find((filter) => filter !== 'kind');
  if (column === undefined) return selectRows(database, 'movement', filters, first, before, limit);
  const waiting = readIndexed(database) + 1;
  const rows = selectRows(database, 'movement', filters, Math.max(first, waiting), before, limit);
  if (rows.length === limit) return rows;
  const index = movementIndexes[column];
  const indexed = selectRows(database, index, filters, first, Math.min(before, waiting), limit - rows.length);
  return [...rows, ...indexed];
}

/** Rows by way of `table`: an index, or the movements themselves, one by one. */
function selectRows(
  database: Database,
  table: 'movement' | (typeof movementIndexes)[IndexedColumn],
  filters: Filters,
  first: number,
  before: number,
  limit: number,
): readonly MovementRow[] {
  const isIndex = (filter: IndexedColumn | 'kind') => filter !== 'kind' && movementIndexes[filter] === table;
  const conditions = [...filters.keys()].map((filter) => `AND ${isIndex(filter) ? table : 'movement'}.${filter} = ?`);
  // CROSS keeps the index outside, so that its order is the rows' and a page ends the search.
  const join = table === 'movement' ? '' : `CROSS JOIN movement ON movement.seq = ${table}.seq`;
  return database.all<MovementRow>(
    `SELECT movement.seq, at, kind, item, location, delta, balance, user.name AS user, note, operation
     FROM ${table} ${join} CROSS JOIN user ON user.id = movement.user_id
     WHERE ${table}.seq >= ? AND ${table}.seq < ? ${conditions.join(' ')}
     ORDER BY ${table}.seq DESC
     LIMIT ?`,
    first,
    before,
    ...filters.values(),
    limit,
  );
}

function movementOf(row: MovementRow): Movement {
  return { ...row, operation: formatOperationId(row.operation) };
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

function userIdOf(database: Database, name: string): number {
  const row = database.get<{ id: number }>('SELECT id FROM user WHERE name = ?', name);
  if (!row) {
    throw new Failure('not-found', `No user ${JSON.stringify(name)}.`);
  }
  return row.id;
}
