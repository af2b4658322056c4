import { watchLookMax } from '../../model/limits.ts';
import type { WatchQuery } from '../../model/stock.ts';
import type { WatchPage } from '../store.ts';
import type { Database } from './database.ts';
import { type MovementRow, movementColumns, movementOf } from './history.ts';
import { readHead } from './ledger.ts';
import { movementIndexes, readIndexed } from './movement-index.ts';
import { lowFlag } from './movements.ts';

/** As `Store.movementsAfter`. */
export function readMovementsAfter(database: Database, query: WatchQuery): WatchPage {
  const { after, scope, low, limit } = query;
  const { size } = readHead(database);
  if (after >= size) return { movements: [], through: after };
  if (low) {
    // Nothing is told to be low in a scope. The few that cross a threshold are looked for in portions.
    const end = scope === null ? Math.min(size, after + watchLookMax) : size;
    const rows = scope === null ? selectLow(database, after, end, limit) : [];
    return pageOf(rows, query, end);
  }
  if (scope === null) return pageOf(selectAll(database, after, limit), query, size);
  const indexed = readIndexed(database);
  const found = after < indexed ? selectIndexed(database, scope, after, indexed, limit) : [];
  const waiting = found.length < limit ? selectWaiting(database, scope, Math.max(after, indexed), limit) : [];
  return pageOf([...found, ...waiting].slice(0, limit), query, size);
}

/** `end`: up to where everything was found, unless the page is full. */
function pageOf(rows: readonly MovementRow[], { scope, limit }: WatchQuery, end: number): WatchPage {
  const through = rows.length === limit ? (rows.at(-1)?.seq ?? end) : end;
  return { movements: rows.map((row) => movementOf(row, scope)), through };
}

const select = `SELECT ${movementColumns} FROM movement CROSS JOIN user ON user.id = movement.user_id`;

function selectAll(database: Database, after: number, limit: number): readonly MovementRow[] {
  return database.all(`${select} WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit);
}

function selectLow(database: Database, after: number, end: number, limit: number): readonly MovementRow[] {
  const sql = `${select} WHERE seq > ? AND seq <= ? AND flags & ${lowFlag} ORDER BY seq LIMIT ?`;
  return database.all(sql, after, end, limit);
}

/** Those at the locations that are not in the indexes yet, which are not many. */
function selectWaiting(
  database: Database,
  locations: readonly number[],
  after: number,
  limit: number,
): readonly MovementRow[] {
  const sql = `${select} WHERE seq > ? AND location_id IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?`;
  return database.all(sql, after, JSON.stringify(locations), limit);
}

/** The first at the locations by way of their index, one location after another. */
function selectIndexed(
  database: Database,
  locations: readonly number[],
  after: number,
  indexed: number,
  limit: number,
): readonly MovementRow[] {
  const table = movementIndexes.location_id;
  let first: readonly number[] = [];
  for (const location of locations) {
    // Of the next location only what is older than the newest of a page that is full already.
    const end = first.length === limit ? (first.at(-1) ?? indexed) : indexed;
    const sql = `SELECT seq FROM ${table} WHERE location_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`;
    const here = database.all<{ seq: number }>(sql, location, after, end, limit).map(({ seq }) => seq);
    first = [...first, ...here].sort((a, b) => a - b).slice(0, limit);
  }
  return database.all(`${select} WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq`, JSON.stringify(first));
}
