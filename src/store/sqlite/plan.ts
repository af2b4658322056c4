import { Failure } from '../../model/failure.ts';
import { quantityMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import { formatQuantity, quantityThousandthsMax, type Thousandths } from '../../model/quantity.ts';
import { shellWord } from '../../model/shell-word.ts';
import type { Location } from '../../model/stock.ts';
import type { Scope } from '../../model/user.ts';
import type { StockedItem } from './items.ts';

/** What one movement is to change. */
export interface Change {
  readonly item: StockedItem;
  /** By which of its names or codes. */
  readonly asked: string;
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
  readonly low: boolean;
  /** What memory said of the item before; no balance when it was never at this location. */
  readonly before: { readonly total: Thousandths; readonly balance: Thousandths | undefined };
}

/** What an operation does, decided in memory, each step on what the ones before it left. */
export class Plan {
  readonly steps: Step[] = [];

  /** The next step. Failures: `out-of-stock`, `conflict` for an archived item. */
  add(change: Change): void {
    const { item, location, delta, isLeg } = change;
    if (item.isArchived) throw archived(change);
    const before = { total: item.total, balance: item.balances.get(location.id) };
    const balance = (before.balance ?? 0) + delta;
    if (balance < 0) throw outOfStock(change);
    const total = item.total + delta;
    const low = !isLeg && item.lowAt !== null && item.total > item.lowAt && total <= item.lowAt;
    item.total = total;
    item.balances.set(location.id, balance);
    this.steps.push({ ...change, balance, low, before });
  }

  /**
   * Refuses totals above what an item may have: last, when nothing else is wrong. Otherwise whoever is limited would learn
   * how much there is elsewhere from which of several lines is refused, and never add any. Failures: `bad-params`.
   */
  assertTotals(scope: Scope): void {
    const over = this.steps.find(({ item }) => item.total > quantityThousandthsMax);
    if (!over) return;
    const most = quantityMax.toLocaleString('en');
    const has = scope === null ? ` (${over.item.name} has ${formatQuantity(over.before.total)})` : '';
    throw new Failure('bad-params', `An item may have at most ${most} in all locations${has}.`);
  }

  /** Makes memory as it was before the first step: not by sums, which may have been too large to be exact. */
  takeBack(): void {
    // Backwards, so that the first movement of an item at a location is the last to be taken back.
    for (const { item, location, before } of this.steps.toReversed()) {
      item.total = before.total;
      if (before.balance === undefined) item.balances.delete(location.id);
      else item.balances.set(location.id, before.balance);
    }
  }
}

/** Says what the name that was asked for has to do with it, unless it is of an item that they may not know the name of. */
function archived({ item, asked, appeared }: Change): Failure {
  const isName = canonicalKey(asked) === canonicalKey(item.name);
  const called = appeared ? asked : isName ? item.name : `${item.name} (${asked})`;
  return new Failure('conflict', `${called} is archived.`, {
    hint: `A manager can bring it back: secure-inv item restore ${shellWord(appeared ? asked : item.name)}`,
  });
}

function outOfStock({ item, location, delta, undoes }: Change): Failure {
  const left = formatQuantity(item.balances.get(location.id) ?? 0);
  const asked = formatQuantity(-delta);
  const purpose = undoes === null ? `${asked} asked` : `undoing movement ${undoes} takes ${asked}`;
  return new Failure('out-of-stock', `Only ${left} ${item.name} at ${location.name}; ${purpose}.`);
}
