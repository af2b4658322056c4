import { beginning, type Change, type Leg, type Moment, type Movement, placeOf, type Refusal } from './history.ts';

/** A ledger as it was after each of its movements, which are told by their numbers. What came before `since` is only its sum. */
export class Moments {
  readonly #since: Moment;
  readonly #ledger: readonly Movement[];
  readonly #atPlace: ReadonlyMap<string, readonly Movement[]>;
  readonly #atLocation: ReadonlyMap<string, readonly Movement[]>;
  readonly #ofItem: ReadonlyMap<string, readonly Movement[]>;
  /** By what they undo. */
  readonly #undos: ReadonlyMap<number | undefined, readonly Movement[]>;

  constructor(ledger: readonly Movement[], since = beginning) {
    this.#since = since;
    this.#ledger = ledger;
    this.#atPlace = Map.groupBy(ledger, placeOf);
    this.#atLocation = Map.groupBy(ledger, ({ location }) => location);
    this.#ofItem = Map.groupBy(ledger, ({ item }) => item);
    this.#undos = Map.groupBy(ledger, ({ undoes }) => undoes);
  }

  /** How much there was at a place. */
  balanceAt(place: string, seq: number): number {
    const movements = this.#atPlace.get(place) ?? [];
    return movements[countUpTo(movements, seq) - 1]?.balance ?? this.#since.stock.get(place) ?? 0;
  }

  /** The last movement that there was at a place, if there was one since. */
  lastOf(place: string, seq: number): number {
    const movements = this.#atPlace.get(place) ?? [];
    return movements[countUpTo(movements, seq) - 1]?.seq ?? 0;
  }

  /** The last movement that there was for whoever is limited to a location, if to any. */
  lastAt(location: string | undefined, seq: number): number {
    const movements = this.#seenFrom(location);
    // How long ago something moved there before is not known.
    return movements[countUpTo(movements, seq) - 1]?.seq ?? (location === undefined ? this.#since.seq : 0);
  }

  /** Whether only a part of an operation was there then, for whoever is limited to a location, if to any. */
  isAmid(location: string | undefined, seq: number): boolean {
    const movements = this.#seenFrom(location);
    const at = countUpTo(movements, seq);
    return movements[at] !== undefined && movements[at].operation === movements[at - 1]?.operation;
  }

  /** Whether a change of these legs deserved to be refused so at any moment from one to another. */
  couldRefuse(code: Refusal, change: Change, legs: readonly Leg[], from: number, to: number): boolean {
    if (code === 'conflict') return this.#isInConflict(change, to);
    if (change.kind === 'count') return code === 'not-found' && !this.#isKnown(change.item, from);
    if (change.kind === 'undo' && code === 'not-found') return false; // Whoever undoes it was told its number.
    const left = legs.filter(({ delta }) => delta < 0).map(placeOf);
    if (code === 'not-found') return left.some((place) => !this.#isThere(place, from));
    const changes = left.flatMap((place) => {
      const movements = this.#atPlace.get(place) ?? [];
      return movements.slice(countUpTo(movements, from), countUpTo(movements, to));
    });
    return [from, ...changes.map(({ seq }) => seq)].some((seq) => this.#isTooMuchAt(legs, seq));
  }

  /** What moved since, or is undone, stays so: it is enough to look at the last moment. */
  #isInConflict(change: Change, to: number): boolean {
    if (change.kind === 'count') return change.ifSeq !== undefined && this.lastOf(placeOf(change), to) > change.ifSeq;
    const undos = change.kind === 'undo' ? (this.#undos.get(change.seq) ?? []) : [];
    return undos.some(({ seq, operation }) => seq <= to && operation !== change.operation);
  }

  #isThere(place: string, from: number): boolean {
    const [first] = this.#atPlace.get(place) ?? [];
    return this.#since.stock.has(place) || (first !== undefined && first.seq <= from);
  }

  /** Anywhere. */
  #isKnown(item: string, from: number): boolean {
    const [first] = this.#ofItem.get(item) ?? [];
    const wasThere = [...this.#since.stock.keys()].some((place) => place.startsWith(`${item} at `));
    return wasThere || (first !== undefined && first.seq <= from);
  }

  #isTooMuchAt(legs: readonly Leg[], seq: number): boolean {
    const left = new Map<string, number>();
    return legs.some((leg) => {
      const place = placeOf(leg);
      const rest = (left.get(place) ?? this.balanceAt(place, seq)) + leg.delta;
      left.set(place, rest);
      return rest < 0;
    });
  }

  #seenFrom(location: string | undefined): readonly Movement[] {
    return location === undefined ? this.#ledger : (this.#atLocation.get(location) ?? []);
  }
}

/** How many of the movements come up to a number. */
function countUpTo(movements: readonly Movement[], seq: number): number {
  let [from, to] = [0, movements.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((movements[middle]?.seq ?? 0) <= seq) from = middle + 1;
    else to = middle;
  }
  return from;
}
