import { randomUUID } from 'node:crypto';
import type { Change, Leg } from './history.ts';

/** Where the load keeps its stock. */
export const locations = ['main', 'cellar'] as const;

const items = 5;
const [moves, takes] = [0.15, 0.5];
/** Takes are a little larger, so that stock stays low, and some are refused however long it goes on. */
const [addedMax, takenMax] = [100, 120];
/** Of all changes; the others have one line. */
const severals = 0.25;
const linesMax = 5;

/** A change by chance, at one location or at any. Now and then it asks for more than there is. */
export function nextChange(chance: () => number, location?: string): Change {
  const kind = location === undefined && chance() < moves ? 'move' : chance() < takes ? 'take' : 'add';
  const lines = chance() < severals ? 2 + Math.floor(chance() * (linesMax - 1)) : 1;
  const legs = Array.from({ length: lines }, (): readonly Leg[] => {
    const item = `Item ${Math.floor(chance() * items)}`;
    const quantity = 1 + Math.floor(chance() * (kind === 'add' ? addedMax : takenMax));
    const [here, there] = chance() < 0.5 ? locations : [locations[1], locations[0]];
    if (kind !== 'move') return [{ item, location: location ?? here, delta: kind === 'take' ? -quantity : quantity }];
    return [
      { item, location: here, delta: -quantity },
      { item, location: there, delta: quantity },
    ];
  });
  return { operation: randomUUID(), kind, legs: legs.flat() };
}
