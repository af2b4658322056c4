import { Failure } from '../../model/failure.ts';
import { quantityMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import { assertPrecision, formatQuantity, quantityThousandthsMax, type Thousandths } from '../../model/quantity.ts';
import type { MovementResult, OperationIntent, OperationLine } from '../../model/stock.ts';
import type { Database } from './database.ts';
import { Items, newItem, type StockedItem } from './items.ts';
import { Ledger } from './ledger.ts';
import { findLocation, type Location } from './locations.ts';
import { insertMovement, type Step } from './movements.ts';
import { parseOperationId } from './operation-id.ts';
import { deleteOperation, findOperation, hashBody, insertOperation } from './operations.ts';

/** The only write path of stock: operations come in, movements are appended, balances follow. */
export class Stock {
  readonly #database: Database;
  readonly #items: Items;
  readonly #ledger: Ledger;
  readonly #locations = new Map<string, Location>();
  readonly #users = new Map<number, string>();

  constructor(database: Database) {
    this.#database = database;
    this.#items = new Items(database);
    this.#ledger = new Ledger(database);
  }

  /** As `Store.apply`, inside a transaction. A `Failure` leaves no trace; any other error spoils the transaction. */
  apply(intent: OperationIntent, now: number): readonly MovementResult[] {
    const id = parseOperationId(intent.operation);
    const bodyHash = hashBody(intent);
    const firstSeq = this.#ledger.size + 1;
    // One statement says that the id is new and spends it; looking first would be one more for every operation.
    const isNew = insertOperation(this.#database, intent.userId, id, bodyHash, firstSeq, intent.lines.length);
    if (!isNew) return findOperation(this.#database, intent, id, bodyHash);
    const steps = this.#planOrForget(intent, id);
    const at = this.#ledger.timeFor(now);
    const user = this.#userName(intent.userId);
    return steps.map((step) => {
      if (step.created) this.#items.add(step.item);
      this.#items.touch(step.item, step.location.id);
      return insertMovement(this.#database, this.#ledger, intent, id, user, step, at);
    });
  }

  /** Writes what the transaction's operations left in memory; call before COMMIT. */
  flush(): void {
    this.#items.flush();
    this.#ledger.flush();
  }

  /** Forgets what memory says, because the file may say otherwise. */
  drop(): void {
    this.#items.drop();
    this.#ledger.drop();
    this.#locations.clear();
    this.#users.clear();
  }

  /** As `#plan`; a refusal gives the operation's id back. */
  #planOrForget(intent: OperationIntent, id: Uint8Array): readonly Step[] {
    try {
      return this.#plan(intent);
    } catch (error) {
      deleteOperation(this.#database, intent.userId, id);
      throw error;
    }
  }

  /** Decides every line, in order, in memory; takes all of it back when one is refused. */
  #plan(intent: OperationIntent): readonly Step[] {
    const steps: Step[] = [];
    const created = new Map<string, StockedItem>();
    try {
      for (const line of intent.lines) {
        const step = this.#decide(intent, line, created);
        step.item.total += step.delta;
        step.item.balances.set(step.location.id, step.balance);
        steps.push(step);
      }
      return steps;
    } catch (error) {
      for (const { item, location, delta } of steps) {
        item.total -= delta;
        item.balances.set(location.id, (item.balances.get(location.id) ?? 0) - delta);
      }
      throw error;
    }
  }

  #decide(intent: OperationIntent, line: OperationLine, created: Map<string, StockedItem>): Step {
    const location = this.#location(line.location);
    const key = canonicalKey(line.item);
    const known = this.#items.find(key) ?? created.get(key);
    const item = known ?? createdBy(intent, line.item, key);
    if (!known) created.set(key, item);
    if (item.isArchived) {
      throw new Failure('conflict', `${item.name} is archived.`, { hint: 'A manager can restore it.' });
    }
    assertPrecision(line.quantity, item.precision, item.name);
    const delta = intent.kind === 'add' ? line.quantity : -line.quantity;
    const balance = (item.balances.get(location.id) ?? 0) + delta;
    if (balance < 0) throw outOfStock(item, location, line.quantity);
    const total = item.total + delta;
    if (total > quantityThousandthsMax) throw tooMany(item);
    const low = item.lowAt !== null && item.total > item.lowAt && total <= item.lowAt;
    return { item, location, delta, balance, created: !known, low };
  }

  #location(name: string): Location {
    const known = this.#locations.get(name);
    if (known) return known;
    const location = findLocation(this.#database, name);
    // Only under its own name: the spellings that find it are without number.
    this.#locations.set(location.name, location);
    return location;
  }

  #userName(id: number): string {
    let name = this.#users.get(id);
    if (name === undefined) {
      ({ name } = this.#database.one<{ name: string }>('SELECT name FROM user WHERE id = ?', id));
      this.#users.set(id, name);
    }
    return name;
  }
}

/** The item that a line creates, if it may. Failures: `not-found`. */
function createdBy(intent: OperationIntent, name: string, key: string): StockedItem {
  if (intent.kind !== 'add') {
    throw new Failure('not-found', `No item ${JSON.stringify(name)}.`, { hint: 'See what there is: secure-inv view' });
  }
  if (/^\d+$/.test(key) && !intent.allowNewCode) {
    throw new Failure('not-found', `No item ${JSON.stringify(name)}; it looks like a scanned code.`, {
      hint: 'Scan it again. If it is a new item, add it with --new.',
    });
  }
  return newItem(name);
}

function outOfStock(item: StockedItem, location: Location, asked: Thousandths): Failure {
  const left = formatQuantity(item.balances.get(location.id) ?? 0);
  return new Failure('out-of-stock', `Only ${left} ${item.name} at ${location.name}; ${formatQuantity(asked)} asked.`);
}

function tooMany(item: StockedItem): Failure {
  const most = quantityMax.toLocaleString('en');
  const now = formatQuantity(item.total);
  return new Failure('bad-params', `An item may have at most ${most} in all locations (${item.name} has ${now}).`);
}
