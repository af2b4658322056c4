import { type Change, type Count, type Movement, placeOf, type Undo } from './history.ts';
import type { Moments } from './moments.ts';

/** Judges counts by what they left, and undos by the movements that they took back. */
export function judgeCorrections(
  asked: ReadonlyMap<string, Change>,
  ledger: readonly Movement[],
  counted: ReadonlyMap<string, readonly Movement[]>,
  moments: Moments,
  complain: (sentence: string) => void,
): void {
  for (const [operation, movements] of counted) {
    const change = asked.get(operation);
    if (change?.kind === 'count') judgeCount(change, movements, moments, complain);
    const undone = change?.kind === 'undo' ? numbersOf(change, counted) : '';
    const undoes = movements.map((movement) => movement.undoes ?? '').join(' ');
    if (undoes.trim() !== undone) complain(`${operation} takes back "${undoes}", where it was to be "${undone}".`);
  }
  const undoneBy = new Map<number, number>();
  for (const { seq, undoes } of ledger) {
    if (undoes === undefined) continue;
    const first = undoneBy.get(undoes);
    if (first !== undefined) complain(`Movement ${undoes} was undone twice: by ${first} and by ${seq}.`);
    undoneBy.set(undoes, seq);
  }
}

function judgeCount(
  { item, location, quantity, ifSeq }: Count,
  movements: readonly Movement[],
  moments: Moments,
  complain: (sentence: string) => void,
): void {
  const place = placeOf({ item, location });
  for (const movement of movements) {
    const { seq, balance } = movement;
    if (placeOf(movement) !== place || balance !== quantity) {
      complain(`Movement ${seq} leaves ${balance} ${placeOf(movement)}, but ${quantity} ${place} were counted.`);
    }
    const last = moments.lastOf(place, seq - 1);
    if (ifSeq !== undefined && last > ifSeq) {
      complain(`Movement ${seq} counts ${place} as of ${ifSeq}, but it had moved by ${last}.`);
    }
  }
}

function numbersOf({ undone }: Undo, counted: ReadonlyMap<string, readonly Movement[]>): string {
  const movements = counted.get(undone) ?? [];
  return movements
    .map(({ seq }) => seq)
    .toReversed()
    .join(' ');
}
