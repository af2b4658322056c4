import type { SQLInputValue } from 'node:sqlite';
import { Failure } from '../../model/failure.ts';
import type { HistoryQuery, Movement, MovementKind } from '../../model/stock.ts';
import type { HistoryPage } from '../store.ts';
import { formatHistoryCursor, parseHistoryCursor } from './cursor.ts';
import type { Database } from './database.ts';
import { itemIdOf } from './items.ts';
import { readHead } from './ledger.ts';
import { findLocation } from './locations.ts';
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
  const conditions: string[] = [];
  const values: SQLInputValue[] = [];
  function where(condition: string, value: SQLInputValue): void {
    conditions.push(condition);
    values.push(value);
  }
  // Nothing is filtered by time: records never go back in time, so a time is a sequence number.
  const { size } = readHead(database);
  const first = query.since === undefined ? 1 : firstSeqFrom(database, query.since, size);
  const end = query.until === undefined ? size + 1 : firstSeqFrom(database, query.until + 1, size);
  const before = query.cursor === undefined ? end : Math.min(end, parseHistoryCursor(query.cursor));
  where('movement.seq >= ?', first);
  where('movement.seq < ?', before);
  if (query.item !== undefined) where('item_id = ?', itemIdOf(database, query.item));
  if (query.user !== undefined) where('user_id = ?', userIdOf(database, query.user));
  if (query.location !== undefined) where('location_id = ?', findLocation(database, query.location).id);
  if (query.kind !== undefined) where('kind = ?', query.kind);
  const rows = database.all<MovementRow>(
    `SELECT seq, at, kind, item, location, delta, balance, user.name AS user, note, operation
     FROM movement JOIN user ON user.id = user_id
     WHERE ${conditions.join(' AND ')}
     ORDER BY seq DESC
     LIMIT ?`,
    ...values,
    query.limit + 1,
  );
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  return { movements: page.map(movementOf), cursor: last && formatHistoryCursor(last.seq) };
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
