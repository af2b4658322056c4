import { Failure } from '../../model/failure.ts';
import { quantityMax } from '../../model/limits.ts';
import { formatQuantity, quantityThousandthsMax, type Thousandths } from '../../model/quantity.ts';
import { shellWord } from '../../model/shell-word.ts';
import type { Location } from '../../model/stock.ts';
import type { Scope } from '../../model/user.ts';
import type { StockedItem } from './items.ts';

/** What one movement is to change. */
export interface Change {
  readonly item: StockedItem;
  readonly location: Location;
  readonly delta: Thousandths;
  /** The item was not there at all. */
  readonly created: boolean;
  /** The item was not there for the one who asks: not at all, or not in their scope. */
  readonly appeared: boolean;
  /** One leg of two, which leave the item's total as it was. */
  readonly isLeg: boolean;
  /** Of a count, the last movement that the counter had seen; otherwise null. */
  readonly seen: number | null;
  /** Of an undo, the movement that is taken back; otherwise null. */
  readonly undoes: number | null;
}

/** A change that is decided but not yet written. */
export interface Step extends Change {
  readonly balance: Thousandths;
  /** The item was never at this location. */
  readonly isFirst: boolean;
  readonly low: boolean;
}

/** What an operation does, decided in memory, each step on what the ones before it left. */
export class Plan {
  readonly steps: Step[] = [];
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** The next step. Failures: `out-of-stock`, `bad-params` for more than an item may have, `conflict` for an archived one. */
  add(change: Change): void {
    const { item, location, delta, isLeg } = change;
    if (item.isArchived) {
      throw new Failure('conflict', `${item.name} is archived.`, {
        hint: `A manager can bring it back: secure-inv item restore ${shellWord(item.name)}`,
      });
    }
    const balance = (item.balances.get(location.id) ?? 0) + delta;
    if (balance < 0) throw outOfStock(change);
    const total = item.total + delta;
    if (total > quantityThousandthsMax) throw tooMany(item, this.#scope);
    const low = !isLeg && item.lowAt !== null && item.total > item.lowAt && total <= item.lowAt;
    const isFirst = !item.balances.has(location.id);
    item.total = total;
    item.balances.set(location.id, balance);
    this.steps.push({ ...change, balance, isFirst, low });
  }

  /** Makes memory as it was before the first step. */
  takeBack(): void {
    // Backwards, so that the first movement of an item at a location is the last to be taken back.
    for (const { item, location, delta, balance, isFirst } of this.steps.toReversed()) {
      item.total -= delta;
      if (isFirst) item.balances.delete(location.id);
      else item.balances.set(location.id, balance - delta);
    }
  }
}

function outOfStock({ item, location, delta, undoes }: Change): Failure {
  const left = formatQuantity(item.balances.get(location.id) ?? 0);
  const asked = formatQuantity(-delta);
  const purpose = undoes === null ? `${asked} asked` : `undoing movement ${undoes} takes ${asked}`;
  return new Failure('out-of-stock', `Only ${left} ${item.name} at ${location.name}; ${purpose}.`);
}

function tooMany(item: StockedItem, scope: Scope): Failure {
  const most = quantityMax.toLocaleString('en');
  // How many there are elsewhere is not for somebody limited.
  const now = scope === null ? ` (${item.name} has ${formatQuantity(item.total)})` : '';
  return new Failure('bad-params', `An item may have at most ${most} in all locations${now}.`);
}
