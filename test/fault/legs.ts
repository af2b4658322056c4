import type { Change, Leg, Movement } from './history.ts';

/** What all changes moved, which not everybody knew who asked for one: a count's difference is only in the ledger. */
export class Legs {
  readonly #asked: ReadonlyMap<string, Change>;
  readonly #counted: ReadonlyMap<string, readonly Movement[]>;

  constructor(asked: ReadonlyMap<string, Change>, counted: ReadonlyMap<string, readonly Movement[]>) {
    this.#asked = asked;
    this.#counted = counted;
  }

  /** In the order in which they are counted; none of a count that is not, and of an undo of such a one. */
  of(change: Change): readonly Leg[] {
    if (change.kind === 'count') return this.#counted.get(change.operation) ?? [];
    if (change.kind !== 'undo') return change.legs;
    const undone = this.#asked.get(change.undone);
    return undone ? this.of(undone).toReversed().map(takeBack) : [];
  }
}

function takeBack({ item, location, delta }: Leg): Leg {
  return { item, location, delta: -delta };
}
