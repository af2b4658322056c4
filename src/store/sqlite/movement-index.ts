import type { Database } from './database.ts';

/** So many movements may wait to be indexed. Whoever reads looks through them one by one, in about a millisecond. */
const waitingMax = 4096;

/** For each column that history is asked by, the table with the seqs that each of its values has. */
export const movementIndexes = {
  item_id: 'item_movement',
  user_id: 'user_movement',
  location_id: 'location_movement',
  kind: 'kind_movement',
} as const;

export type IndexedColumn = keyof typeof movementIndexes;

/** The last movement that is in the indexes. */
export function readIndexed(database: Database): number {
  return database.one<{ indexed: number }>('SELECT indexed FROM ledger').indexed;
}

/** The last movement at any of these locations; 0 when there is none. */
export function lastSeqAt(database: Database, locations: readonly number[]): number {
  const places = JSON.stringify(locations);
  const waiting = database.get<{ seq: number }>(
    `SELECT seq FROM movement WHERE seq > ? AND location_id IN (SELECT value FROM json_each(?))
     ORDER BY seq DESC LIMIT 1`,
    readIndexed(database),
    places,
  );
  if (waiting) return waiting.seq;
  return database.one<{ seq: number }>(
    `SELECT ifnull(max((SELECT max(seq) FROM location_movement WHERE location_id = value)), 0) AS seq
     FROM json_each(?)`,
    places,
  ).seq;
}

/**
 * Indexes the movements that wait, when they are many. An index of SQLite's own is written at every insert: two hundred
 * hot items are two hundred pages in the log of each commit, a quarter of all that an add costs. Here a page is written
 * once for all that thousands of movements put there.
 */
export function indexMovements(database: Database, size: number): void {
  const indexed = readIndexed(database);
  if (size - indexed < waitingMax) return;
  for (const [column, table] of Object.entries(movementIndexes)) {
    const sql = `INSERT INTO ${table} SELECT ${column}, seq FROM movement WHERE seq > ? ORDER BY ${column}, seq`;
    database.run(sql, indexed);
  }
  listQuantities(database, indexed);
  database.run('UPDATE ledger SET indexed = ?', size);
}

/** Puts what was moved after a movement where it belongs in the orders by quantity. The balances must be in the file. */
function listQuantities(database: Database, indexed: number): void {
  database.run(
    `UPDATE item SET listed = total
     WHERE listed <> total AND id IN (SELECT item_id FROM movement WHERE seq > ?)`,
    indexed,
  );
  database.run(
    `UPDATE balance SET listed = quantity
     WHERE listed <> quantity AND (item_id, location_id) IN (SELECT item_id, location_id FROM movement WHERE seq > ?)`,
    indexed,
  );
}
