import { importIndexMilliseconds, movementIndexMilliseconds } from '../../model/limits.ts';
import type { Database } from './database.ts';

/** So many movements may wait to be indexed. Whoever reads looks through them one by one, in half a millisecond. */
const waitingMax = 2048;
/** The least that are indexed at once. */
const portionMin = 128;

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
 * Indexes movements in bulk. An index of SQLite's own is written at every insert: two hundred hot items are two hundred
 * pages in the log of each commit, a quarter of all that an add costs. Here a page is written once for all that thousands
 * of movements put there; and when they are of thousands of items, as those of an import, for fewer at a time, because
 * others wait for the commit.
 */
export class MovementIndexer {
  readonly #database: Database;
  #portion = waitingMax;
  /** How long a portion may take. */
  #milliseconds = movementIndexMilliseconds;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Indexes the oldest movements that wait, when they are many. The balances must be in the file. */
  index(size: number): void {
    let indexed = readIndexed(this.#database);
    while (size - indexed >= waitingMax) {
      const begun = performance.now();
      const through = Math.min(indexed + this.#portion, size);
      indexThrough(this.#database, indexed, through);
      indexed = through;
      this.#pace(performance.now() - begun);
    }
  }

  /** As `Stock.expectMany`. */
  expectMany(areMany: boolean): void {
    this.#milliseconds = areMany ? importIndexMilliseconds : movementIndexMilliseconds;
  }

  #pace(milliseconds: number): void {
    const factor = milliseconds > this.#milliseconds ? 0.5 : milliseconds < this.#milliseconds / 4 ? 2 : 1;
    this.#portion = Math.min(waitingMax, Math.max(portionMin, this.#portion * factor));
  }
}

/** Indexes the movements after one, through another, whatever time it takes. */
export function indexThrough(database: Database, indexed: number, through: number): void {
  for (const [column, table] of Object.entries(movementIndexes)) {
    const sql = `INSERT INTO ${table} SELECT ${column}, seq FROM movement WHERE seq > ? AND seq <= ? ORDER BY ${column}, seq`;
    database.run(sql, indexed, through);
  }
  // Once for each item and place, if that is every one of them.
  if (indexed === 0) listAllQuantities(database);
  else listQuantities(database, indexed, through);
  database.run('UPDATE ledger SET indexed = ?', through);
}

/** Puts what was moved by these movements where it belongs in the orders by quantity. What still waits is not read there. */
function listQuantities(database: Database, indexed: number, through: number): void {
  database.run(
    `UPDATE item SET listed = total
     WHERE listed <> total AND id IN (SELECT item_id FROM movement WHERE seq > ? AND seq <= ?)`,
    indexed,
    through,
  );
  database.run(
    `UPDATE balance SET listed = quantity
     WHERE listed <> quantity
       AND (item_id, location_id) IN (SELECT item_id, location_id FROM movement WHERE seq > ? AND seq <= ?)`,
    indexed,
    through,
  );
}

function listAllQuantities(database: Database): void {
  database.run('UPDATE item SET listed = total WHERE listed <> total');
  database.run('UPDATE balance SET listed = quantity WHERE listed <> quantity');
}
