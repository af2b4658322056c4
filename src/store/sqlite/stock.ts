import { Failure } from '../../model/failure.ts';
import type { ItemEdit, ItemIntent } from '../../model/item.ts';
import { quantityMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import { assertPrecision, formatQuantity, quantityThousandthsMax, type Thousandths } from '../../model/quantity.ts';
import type { Location, MovementResult, OperationIntent, OperationLine } from '../../model/stock.ts';
import { isWithin, type Scope } from '../../model/user.ts';
import type { Database } from './database.ts';
import { editItem } from './item-edits.ts';
import { Items, isVisible, newItem, type StockedItem } from './items.ts';
import { Ledger } from './ledger.ts';
import { findLocation } from './locations.ts';
import { insertMovement, type Step } from './movements.ts';
import { parseOperationId } from './operation-id.ts';
import { deleteOperation, findOperation, hashBody, insertOperation } from './operations.ts';
import { unknownItem } from './unknown-item.ts';

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
    // Before the operation is looked up: what somebody did where they may not look any more is not told either.
    if (intent.scope !== null) for (const line of intent.lines) this.#location(line.location, intent.scope);
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

  /** As `Store.editItem`, and as `apply`. */
  edit(intent: ItemIntent, now: number): ItemEdit {
    return editItem(this.#database, this.#items, this.#ledger, intent, this.#userName(intent.userId), now);
  }

  /** Forgets the locations, because one has changed. */
  dropLocations(): void {
    this.#locations.clear();
  }

  /** How many movements there are. */
  get size(): number {
    return this.#ledger.size;
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
      // Backwards, so that the first movement of an item at a location is the last to be taken back.
      for (const { item, location, delta, balance, isFirst } of steps.toReversed()) {
        item.total -= delta;
        if (isFirst) item.balances.delete(location.id);
        else item.balances.set(location.id, balance - delta);
      }
      throw error;
    }
  }

  #decide(intent: OperationIntent, line: OperationLine, created: Map<string, StockedItem>): Step {
    const location = this.#location(line.location, intent.scope);
    const key = canonicalKey(line.item);
    const known = this.#items.find(key) ?? created.get(key);
    const appeared = known === undefined || !isVisible(known, intent.scope);
    if (appeared) assertMayAppear(this.#database, intent, line.item, key);
    const item = known ?? newItem(line.item);
    if (!known) created.set(key, item);
    if (item.isArchived) {
      throw new Failure('conflict', `${item.name} is archived.`, {
        hint: 'A manager can bring it back: secure-inv item restore',
      });
    }
    assertPrecision(line.quantity, item.precision, item.name);
    const delta = intent.kind === 'add' ? line.quantity : -line.quantity;
    const balance = (item.balances.get(location.id) ?? 0) + delta;
    if (balance < 0) throw outOfStock(item, location, line.quantity);
    const total = item.total + delta;
    if (total > quantityThousandthsMax) throw tooMany(item, intent.scope);
    const low = item.lowAt !== null && item.total > item.lowAt && total <= item.lowAt;
    const isFirst = !item.balances.has(location.id);
    return { item, location, delta, balance, created: !known, appeared, isFirst, low };
  }

  #location(name: string, scope: Scope): Location {
    const known = this.#locations.get(name);
    if (known && isWithin(scope, known.id)) return known;
    const location = findLocation(this.#database, name, scope);
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

/** Only an add makes an item be there, and not by a slip of the scanner. Failures: `not-found`. */
function assertMayAppear(database: Database, intent: OperationIntent, name: string, key: string): void {
  if (intent.kind !== 'add') {
    throw unknownItem(database, name, intent.scope);
  }
  if (/^\d+$/.test(key) && !intent.allowNewCode) {
    throw new Failure('not-found', `No item ${JSON.stringify(name)}; it looks like a scanned code.`, {
      hint: 'Scan it again. If it is a new item, add it with --new.',
    });
  }
}

function outOfStock(item: StockedItem, location: Location, asked: Thousandths): Failure {
  const left = formatQuantity(item.balances.get(location.id) ?? 0);
  return new Failure('out-of-stock', `Only ${left} ${item.name} at ${location.name}; ${formatQuantity(asked)} asked.`);
}

function tooMany(item: StockedItem, scope: Scope): Failure {
  const most = quantityMax.toLocaleString('en');
  // How many there are elsewhere is not for somebody limited.
  const now = scope === null ? ` (${item.name} has ${formatQuantity(item.total)})` : '';
  return new Failure('bad-params', `An item may have at most ${most} in all locations${now}.`);
}
