import { randomUUID } from 'node:crypto';
import type { Change, Leg } from './history.ts';

/** Where the load keeps its stock. */
export const locations = ['main', 'cellar'] as const;

/** An operation that was acknowledged, and its movements. */
export interface Done {
  readonly change: Change;
  readonly seqs: readonly number[];
}

/** What somebody who asks for something knows. */
export interface Knowledge {
  /** What they did last. */
  readonly done: Done[];
  /** The last movement that they saw. */
  readonly seen: number;
  /** Their only location; only those who are everywhere move and count. */
  readonly location?: string | undefined;
}

const items = 5;
/** Of these so little moves that some of it is still as it was seen when it is counted. */
const quietItems = 4;
const quietLegs = 0.02;
const [undos, repeats, counts, moves, takes] = [0.06, 0.02, 0.06, 0.15, 0.5];
/** Takes are a little larger, so that stock stays low, and some are refused however long it goes on. */
const [addedMax, takenMax] = [100, 120];
/** Of all changes; the others have one line. */
const severals = 0.25;
const linesMax = 5;

/** A change by chance. Now and then it asks for more than there is, or for what was done before. */
export function nextChange(chance: () => number, { done, seen, location }: Knowledge): Change {
  const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(chance() * all.length)];
  const what = chance();
  if (what < undos + repeats) {
    const former = pick(done);
    if (former && what < repeats) {
      done.splice(done.indexOf(former), 1); // Not twice at a time: its answers could not be told apart.
      return former.change;
    }
    const seq = pick(former?.seqs ?? []);
    if (former && former.change.kind !== 'undo' && seq !== undefined) {
      return { operation: randomUUID(), kind: 'undo', undone: former.change.operation, seq };
    }
  }
  const quantityUpTo = (most: number) => 1 + Math.floor(chance() * most);
  const busyOr = (quiet: number) =>
    chance() < quiet ? `Quiet ${Math.floor(chance() * quietItems)}` : `Item ${Math.floor(chance() * items)}`;
  if (location === undefined && chance() < counts) {
    const isQuiet = chance() < 0.5;
    return {
      operation: randomUUID(),
      kind: 'count',
      item: busyOr(isQuiet ? 1 : 0),
      location: pick(locations) ?? 'main',
      quantity: quantityUpTo(addedMax) - 1,
      ...(isQuiet ? { ifSeq: seen } : {}),
    };
  }
  const kind = location === undefined && chance() < moves ? 'move' : chance() < takes ? 'take' : 'add';
  const lines = chance() < severals ? 2 + Math.floor(chance() * (linesMax - 1)) : 1;
  const legs = Array.from({ length: lines }, (): readonly Leg[] => {
    const item = busyOr(quietLegs);
    const quantity = quantityUpTo(kind === 'add' ? addedMax : takenMax);
    const [here, there] = chance() < 0.5 ? locations : [locations[1], locations[0]];
    if (kind !== 'move') return [{ item, location: location ?? here, delta: kind === 'take' ? -quantity : quantity }];
    return [
      { item, location: here, delta: -quantity },
      { item, location: there, delta: quantity },
    ];
  });
  return { operation: randomUUID(), kind, legs: legs.flat() };
}
