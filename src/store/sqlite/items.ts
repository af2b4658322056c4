import { canonicalKey } from '../../model/name.ts';
import type { Thousandths } from '../../model/quantity.ts';
import type { Scope } from '../../model/user.ts';
import type { Database } from './database.ts';
import { type Facts, factColumns, factParameters, factValues, insertSearch, repeatedColumns } from './item-facts.ts';
import { unknownItem } from './unknown-item.ts';

/** Hot items stay in memory; so many cost about 10 MB, whatever the store has. */
const itemsCachedMax = 20_000;

const insertItem = `INSERT INTO item (${factColumns}, archived_at) VALUES (${factParameters}, ?)`;
const updateBalance = 'UPDATE balance SET quantity = ?, seq = ? WHERE item_id = ? AND location_id = ?';
const insertBalance = `INSERT INTO balance (item_id, location_id, quantity, seq, ${repeatedColumns})
  SELECT id, ?, ?, ?, ${repeatedColumns} FROM item WHERE id = ?`;

/** An item with what there is of it, as of the last intent, committed or about to be. */
export interface StockedItem {
  id: number;
  name: string;
  precision: number;
  lowAt: Thousandths | null;
  isArchived: boolean;
  total: Thousandths;
  /** By location id; absent is 0, of an item that was never there. */
  readonly balances: Map<number, Thousandths>;
}

/** A new item that nothing but its name is known of; it has no id until it is added. */
export function newItem(name: string): StockedItem {
  return { id: 0, name, precision: 0, lowAt: null, isArchived: false, total: 0, balances: new Map() };
}

interface ItemRow {
  readonly name: string;
  readonly precision: number;
  readonly low_at: number | null;
  readonly archived_at: number | null;
  readonly total: number;
}

/**
 * The items that operations touch, in memory. A batch changes them here first and writes each balance once, in `flush`:
 * sixty adds of one item are sixty movements, but one row of stock.
 */
export class Items {
  readonly #database: Database;
  readonly #idByKey = new Map<string, number>();
  readonly #byId = new Map<number, StockedItem>();
  /** By item, the locations whose balances differ from the file, each with its last movement. */
  readonly #dirty = new Map<StockedItem, Map<number, number>>();
  /** Items that were added since balances were written: they have none in the file. */
  readonly #added = new Set<StockedItem>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** The item with this canonical key: of its name, SKU or barcode. */
  find(key: string): StockedItem | undefined {
    let id = this.#idByKey.get(key);
    if (id === undefined) {
      id = findItemId(this.#database, key);
      if (id === undefined) return undefined;
      this.#idByKey.set(key, id);
    }
    return this.get(id);
  }

  /** The item with this id, which is one that a movement has. */
  get(id: number): StockedItem {
    return this.#byId.get(id) ?? this.#load(id);
  }

  /** Gives a new item its id, its name, and all else that is known of it but for its codes. */
  add(item: StockedItem, facts: Facts, at: number): void {
    const key = canonicalKey(facts.name);
    item.id = this.#database.insert(insertItem, ...factValues(facts), facts.archived ? at : null);
    this.#database.run('INSERT INTO item_key (key, item_id) VALUES (?, ?)', key, item.id);
    insertSearch(this.#database, item.id, facts);
    this.#idByKey.set(key, item.id);
    this.#byId.set(item.id, item);
    this.#added.add(item);
  }

  /** Says that a key means this item no more. */
  forgetKey(key: string): void {
    this.#idByKey.delete(key);
  }

  /** Says that the item's total and its balance at this location differ from the file, by the movement `seq`. */
  touch(item: StockedItem, locationId: number, seq: number): void {
    const touched = this.#dirty.get(item);
    if (touched) touched.set(locationId, seq);
    else this.#dirty.set(item, new Map([[locationId, seq]]));
  }

  /** The last movement of the item's balance at a location; 0 when there was none. */
  lastSeq(item: StockedItem, locationId: number): number {
    const seq = this.#dirty.get(item)?.get(locationId);
    if (seq !== undefined) return seq;
    const sql = 'SELECT seq FROM balance WHERE item_id = ? AND location_id = ?';
    return this.#database.get<{ seq: number }>(sql, item.id, locationId)?.seq ?? 0;
  }

  /** Writes every touched total and balance. */
  flush(): void {
    for (const [item, locations] of this.#dirty) {
      this.#database.run('UPDATE item SET total = ? WHERE id = ?', item.total, item.id);
      for (const [location, seq] of locations) this.#writeBalance(item, location, seq);
    }
    this.#dirty.clear();
    this.#added.clear();
    // Only here, because an item that waits to be written must be found in memory. The ones loaded first go first.
    trim(this.#byId);
    trim(this.#idByKey);
  }

  #writeBalance(item: StockedItem, location: number, seq: number): void {
    const quantity = item.balances.get(location) ?? 0;
    const isNew = this.#added.has(item);
    if (!isNew && this.#database.run(updateBalance, quantity, seq, item.id, location) === 1) return;
    if (this.#database.run(insertBalance, location, quantity, seq, item.id) === 1) return;
    throw new Error(`The store is damaged: no item with the id ${item.id}`);
  }

  /** Forgets what memory says, because the file may say otherwise. */
  drop(): void {
    this.#added.clear();
    this.#idByKey.clear();
    this.#byId.clear();
    this.#dirty.clear();
  }

  #load(id: number): StockedItem {
    const row = this.#database.one<ItemRow>(
      'SELECT name, precision, low_at, archived_at, total FROM item WHERE id = ?',
      id,
    );
    const balances = this.#database.all<{ location_id: number; quantity: number }>(
      'SELECT location_id, quantity FROM balance WHERE item_id = ?',
      id,
    );
    const item: StockedItem = {
      id,
      name: row.name,
      precision: row.precision,
      lowAt: row.low_at,
      isArchived: row.archived_at !== null,
      total: row.total,
      balances: new Map(balances.map((balance) => [balance.location_id, balance.quantity])),
    };
    this.#byId.set(id, item);
    return item;
  }
}

/** The id behind a canonical key, if any item has it. */
export function findItemId(database: Database, key: string): number | undefined {
  return database.get<{ item_id: number }>('SELECT item_id FROM item_key WHERE key = ?', key)?.item_id;
}

/** The item that a name, SKU or barcode means. Failures: `not-found`, also for one that the scope does not show. */
export function itemIdOf(database: Database, name: string, scope: Scope): number {
  const id = findItemId(database, canonicalKey(name));
  if (id !== undefined && (scope === null || wasAt(database, id, scope))) return id;
  throw unknownItem(database, name, scope);
}

/** What makes an item visible in a scope: a balance at one of its locations, be it 0. */
export function isVisible({ balances }: StockedItem, scope: Scope): boolean {
  return scope === null || scope.some((location) => balances.has(location));
}

/** As `isVisible`, in the file. */
export function wasAt(database: Database, id: number, locations: readonly number[]): boolean {
  const sql = 'SELECT 1 FROM balance WHERE item_id = ? AND location_id IN (SELECT value FROM json_each(?)) LIMIT 1';
  return database.get(sql, id, JSON.stringify(locations)) !== undefined;
}

function trim(cache: Map<unknown, unknown>): void {
  for (const key of cache.keys()) {
    if (cache.size <= itemsCachedMax) return;
    cache.delete(key);
  }
}
