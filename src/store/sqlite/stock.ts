import { Failure } from '../../model/failure.ts';
import type { ItemEdit, ItemIntent } from '../../model/item.ts';
import { canonicalKey } from '../../model/name.ts';
import { assertPrecision } from '../../model/quantity.ts';
import { shellWord } from '../../model/shell-word.ts';
import type {
  CountIntent,
  LinesIntent,
  Location,
  MoveIntent,
  MovementResult,
  OperationIntent,
  UndoIntent,
} from '../../model/stock.ts';
import { isWithin, type Scope } from '../../model/user.ts';
import { movedSince } from './count.ts';
import type { Database } from './database.ts';
import type { ImportGuard } from './import-guard.ts';
import { editItem } from './item-edits.ts';
import { factsOfNew } from './item-facts.ts';
import { Items, isVisible, newItem, type StockedItem } from './items.ts';
import { Ledger } from './ledger.ts';
import { findLocation } from './locations.ts';
import { insertMovement } from './movements.ts';
import { parseOperationId } from './operation-id.ts';
import { deleteOperation, findOperation, hashBody, insertOperation } from './operations.ts';
import type { Outbox } from './outbox.ts';
import { Plan, type Step } from './plan.ts';
import { assertMayUndo, assertStillFits, findUndone, type Undone } from './undo.ts';
import { unknownItem } from './unknown-item.ts';

/** The only write path of stock: operations come in, movements are appended, balances follow. */
export class Stock {
  readonly #database: Database;
  readonly #items: Items;
  readonly #ledger: Ledger;
  readonly #outbox: Outbox;
  readonly #guard: ImportGuard;
  readonly #locations = new Map<string, Location>();
  readonly #users = new Map<number, string>();

  constructor(database: Database, outbox: Outbox, guard: ImportGuard) {
    this.#database = database;
    this.#outbox = outbox;
    this.#guard = guard;
    this.#items = new Items(database);
    this.#ledger = new Ledger(database);
  }

  /**
   * As `Store.apply`, inside a transaction. A `Failure` leaves no trace; any other error spoils the transaction. With
   * `importId` it is the accepted import itself that counts some of its rows.
   */
  apply(intent: OperationIntent, now: number, importId: number | null = null): readonly MovementResult[] {
    // Before the operation is looked up: what somebody did where they may not look any more is not told either.
    const undone = intent.kind === 'undo' ? findUndone(this.#database, intent.seq, intent.scope) : [];
    if (intent.scope !== null && intent.kind !== 'undo') {
      for (const name of locationsOf(intent)) this.#location(name, intent.scope);
    }
    const id = parseOperationId(intent.operation);
    const bodyHash = hashBody(intent);
    const firstSeq = this.#ledger.size + 1;
    const movements = intent.kind === 'undo' ? undone.length : movementsOf(intent);
    // One statement says that the id is new and spends it; looking first would be one more for every operation.
    const isNew = insertOperation(this.#database, intent.userId, id, bodyHash, firstSeq, movements, importId);
    if (!isNew) return findOperation(this.#database, intent, id, bodyHash);
    const steps = this.#planOrForget(intent, undone, id, now, importId !== null);
    const at = this.#ledger.timeFor(now);
    const user = this.#userName(intent.userId);
    return steps.map((step) => {
      if (step.created) this.#items.add(step.item, factsOfNew(step.item.name), at);
      this.#items.touch(step.item, step.location.id, this.#ledger.size + 1);
      const result = insertMovement(this.#database, this.#ledger, intent, id, user, step, at);
      if (step.low) this.#outbox.add(step, result, user);
      return result;
    });
  }

  /** As `Store.editItem`, and as `apply`. */
  edit(intent: ItemIntent, now: number, importId: number | null = null): ItemEdit {
    const guard = importId === null ? this.#guard : undefined;
    const parts = { database: this.#database, items: this.#items, ledger: this.#ledger, guard };
    return editItem(parts, intent, this.#userName(intent.userId), now);
  }

  /** Forgets the locations, because one has changed. */
  dropLocations(): void {
    this.#locations.clear();
  }

  /** Says whether the movements to come are of many items, as those of an import are. */
  expectMany(areMany: boolean): void {
    this.#ledger.expectMany(areMany);
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
    this.#outbox.drop();
    this.#locations.clear();
    this.#users.clear();
  }

  /** Decides every movement in memory; a refusal takes all of it back, and gives the operation's id back. */
  #planOrForget(
    intent: OperationIntent,
    undone: readonly Undone[],
    id: Uint8Array,
    now: number,
    isImport: boolean,
  ): readonly Step[] {
    const plan = new Plan();
    try {
      if (intent.kind === 'undo') this.#planUndo(plan, intent, undone, now);
      else if (intent.kind === 'move') this.#planMove(plan, intent);
      else if (intent.kind === 'count') this.#planCount(plan, intent, now);
      else this.#planLines(plan, intent);
      plan.assertTotals(intent.scope);
      if (!isImport) this.#guard.assertMayMove(plan.steps);
      return plan.steps;
    } catch (error) {
      plan.takeBack();
      deleteOperation(this.#database, intent.userId, id);
      throw error;
    }
  }

  #planLines(plan: Plan, intent: LinesIntent): void {
    const made = new Map<string, StockedItem>();
    const strange = new Set<StockedItem>();
    for (const line of intent.lines) {
      const location = this.#location(line.location, intent.scope);
      const key = canonicalKey(line.item);
      const known = this.#items.find(key) ?? made.get(key);
      const appeared = known === undefined || !isVisible(known, intent.scope);
      if (appeared) assertMayAppear(this.#database, intent, line.item, key);
      const item = known ?? newItem(line.item);
      if (!known) made.set(key, item);
      if (appeared) strange.add(item);
      // How it is spelled elsewhere is not told by a refusal, whichever line is refused.
      assertPrecision(line.quantity, item.precision, strange.has(item) ? line.item : item.name);
      const delta = intent.kind === 'add' ? line.quantity : -line.quantity;
      plan.add({ ...unchanged, item, asked: line.item, location, delta, created: !known, appeared });
    }
  }

  #planMove(plan: Plan, intent: MoveIntent): void {
    for (const line of intent.lines) {
      const from = this.#location(line.from, intent.scope);
      const to = this.#location(line.to, intent.scope);
      if (from.id === to.id) {
        throw new Failure('bad-params', `from and to are both ${to.name}: nothing would move.`, {
          hint: 'See where there is room: secure-inv location list',
        });
      }
      const item = this.#knownItem(line.item, intent.scope);
      assertPrecision(line.quantity, item.precision, item.name);
      const leg = { ...unchanged, item, asked: line.item, isLeg: true };
      plan.add({ ...leg, location: from, delta: -line.quantity });
      plan.add({ ...leg, location: to, delta: line.quantity });
    }
  }

  #planCount(plan: Plan, { line, ifSeq, scope }: CountIntent, now: number): void {
    const location = this.#location(line.location, scope);
    const item = this.#knownItem(line.item, scope);
    assertPrecision(line.quantity, item.precision, item.name);
    const last = this.#items.lastSeq(item, location.id);
    if (ifSeq !== null && ifSeq > this.#ledger.size) {
      throw new Failure('bad-params', `ifSeq is ${ifSeq}, and there is no such movement yet.`, {
        hint: 'Give the last one that you saw: secure-inv history, or "seq" of secure-inv view --json',
      });
    }
    if (ifSeq !== null && last > ifSeq) throw movedSince(this.#database, item, location, { ifSeq, last, now });
    const delta = line.quantity - (item.balances.get(location.id) ?? 0);
    plan.add({ ...unchanged, item, asked: line.item, location, delta, seen: last });
  }

  #planUndo(plan: Plan, intent: UndoIntent, undone: readonly Undone[], now: number): void {
    assertMayUndo(this.#database, intent, undone, now);
    for (const { seq, kind, item_id, location_id, delta } of undone) {
      const item = this.#items.get(item_id);
      const location = this.#locationOf(location_id);
      assertStillFits(item, { seq, delta });
      // 0 − 0 is 0, where −0 is another number.
      const isLeg = kind === 'move';
      plan.add({ ...unchanged, item, asked: item.name, location, delta: 0 - delta, isLeg, undoes: seq });
    }
  }

  /** An item that is there already. Failures: `not-found`, also for one that the scope does not show. */
  #knownItem(name: string, scope: Scope): StockedItem {
    const item = this.#items.find(canonicalKey(name));
    if (item && isVisible(item, scope)) return item;
    throw unknownItem(this.#database, name, scope);
  }

  #location(name: string, scope: Scope): Location {
    const known = this.#locations.get(name);
    if (known && isWithin(scope, known.id)) return known;
    const location = findLocation(this.#database, name, scope);
    // Only under its own name: the spellings that find it are without number.
    this.#locations.set(location.name, location);
    return location;
  }

  /** The location of a movement that is there. Failures: `conflict` when it is archived. */
  #locationOf(id: number): Location {
    const sql = 'SELECT id, name, archived_at FROM location WHERE id = ?';
    const { name, archived_at } = this.#database.one<{ name: string; archived_at: number | null }>(sql, id);
    if (archived_at === null) return { id, name };
    throw new Failure('conflict', `The location ${name} is archived.`, {
      hint: `A manager can bring it back: secure-inv location add ${shellWord(name)}`,
    });
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

/** What most movements of an item that is there already have in common. */
const unchanged = { created: false, appeared: false, isLeg: false, seen: null, undoes: null } as const;

/** Every location that an operation names, in the order in which they are looked at. */
function locationsOf(intent: Exclude<OperationIntent, UndoIntent>): readonly string[] {
  if (intent.kind === 'count') return [intent.line.location];
  if (intent.kind === 'move') return intent.lines.flatMap(({ from, to }) => [from, to]);
  return intent.lines.map(({ location }) => location);
}

/** How many movements an operation makes. */
function movementsOf(intent: Exclude<OperationIntent, UndoIntent>): number {
  if (intent.kind === 'count') return 1;
  return intent.kind === 'move' ? 2 * intent.lines.length : intent.lines.length;
}

/** Only an add makes an item be there, and not by a slip of the scanner. Failures: `not-found`. */
function assertMayAppear(database: Database, intent: LinesIntent, name: string, key: string): void {
  if (intent.kind !== 'add') throw unknownItem(database, name, intent.scope);
  if (/^\d+$/.test(key) && !intent.allowNewCode) {
    throw new Failure('not-found', `No item ${JSON.stringify(name)}; it looks like a scanned code.`, {
      hint: 'Scan it again. If it is a new item, add it with --new.',
    });
  }
}
