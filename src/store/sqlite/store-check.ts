import type { Database } from './database.ts';
import { sqliteCode, sqliteCorrupt } from './database.ts';
import { repeatedColumns } from './item-facts.ts';
import { readHead } from './ledger.ts';
import { damaged, LedgerCheck, type RawMovement } from './ledger-check.ts';
import { assertOwnSchema, isOfToday } from './schema-check.ts';

const rowsPerStep = 2000;

/** A store that is as it was written. */
export interface CheckedStore {
  readonly movements: number;
  readonly balances: number;
  /** The root over all movements, in hexadecimal. */
  readonly root: string;
}

/** The same of a store that is served from, and the damage that a server had found there, if all of it is well by now. */
export interface VerifiedStore extends CheckedStore {
  readonly mended: string | undefined;
}

interface Balance {
  readonly item_id: number;
  readonly location_id: number;
  readonly quantity: number;
}

/**
 * Looks at all of a store, as it is at one moment: SQLite's pages, what it is made of, every movement's hash, the root, every
 * balance, what it repeats of its item, and every total. Failures: `storage` naming what is wrong.
 */
export function checkStore(database: Database, onMovements: (done: number, all: number) => void): CheckedStore {
  database.script('BEGIN');
  try {
    const pages = database.all<{ integrity_check: string }>('PRAGMA integrity_check(1)');
    const [{ integrity_check: verdict } = { integrity_check: 'ok' }] = pages;
    if (verdict !== 'ok') throw damaged(`The database is damaged: ${verdict.replaceAll('\n', ' ')}.`);
    assertOwnSchema(database);
    if (isOfToday(database)) assertRepeated(database);
    const { size, root } = readHead(database);
    const balances = new Balances();
    const check = new LedgerCheck(database, (movement) => balances.add(movement));
    while (!check.step(rowsPerStep)) onMovements(check.size, size);
    onMovements(size, size);
    return { movements: size, balances: balances.compare(database), root: Buffer.from(root).toString('hex') };
  } catch (error) {
    if (sqliteCode(error) !== sqliteCorrupt) throw error;
    throw damaged(`The database is damaged: ${error instanceof Error ? error.message : error}.`);
  } finally {
    database.script('ROLLBACK');
  }
}

/** Refuses balances that repeat something else of their items than these have: they would be in another order. */
function assertRepeated(database: Database): void {
  const of = (table: string) => repeatedColumns.replaceAll(/\w+/g, `${table}.$&`);
  const sql = `SELECT item_id AS id FROM balance JOIN item ON item.id = item_id
    WHERE (${of('balance')}) IS NOT (${of('item')}) LIMIT 1`;
  const other = database.get<{ id: number }>(sql);
  if (other) throw damaged(`A balance of the item with id ${other.id} is sorted by something else than the item has.`);
}

/** What the movements say that there is. */
class Balances {
  readonly #sums = new Map<string, number>();

  add({ seq, kind, item_id, location_id, delta, balance }: RawMovement): void {
    if (kind === 'item') return;
    const key = `${item_id} ${location_id}`;
    const sum = (this.#sums.get(key) ?? 0) + delta;
    if (sum !== balance) throw damaged(`Movement ${seq} says ${balance} where the movements before it leave ${sum}.`);
    this.#sums.set(key, sum);
  }

  /** How many balances there are, when all are what the movements say. */
  compare(database: Database): number {
    const rows = database.all<Balance>('SELECT item_id, location_id, quantity FROM balance');
    const totals = new Map<number, number>();
    for (const { item_id, location_id, quantity } of rows) {
      const key = `${item_id} ${location_id}`;
      if (quantity !== this.#sums.get(key)) throw wrong(item_id, 'balance', quantity, this.#sums.get(key));
      this.#sums.delete(key);
      totals.set(item_id, (totals.get(item_id) ?? 0) + quantity);
    }
    for (const [key, sum] of this.#sums) throw wrong(Number.parseInt(key, 10), 'balance', undefined, sum);
    for (const { id, total } of database.all<{ id: number; total: number }>('SELECT id, total FROM item')) {
      if (total !== (totals.get(id) ?? 0)) throw wrong(id, 'total', total, totals.get(id));
    }
    return rows.length;
  }
}

function wrong(item: number, what: string, is = 0, should = 0): Error {
  return damaged(`A ${what} of the item with id ${item} is ${is} thousandths; the movements leave ${should}.`);
}
