import { type Asked, type Event, type Leg, type Movement, placeOf, type Told } from './history.ts';
import { Legs } from './legs.ts';

/** Judges what was counted by what was asked for, and what was told by what was counted; the movements of each operation. */
export function judgeOperations(
  history: readonly Event[],
  ledger: readonly Movement[],
  complain: (sentence: string) => void,
): ReadonlyMap<string, readonly Movement[]> {
  const asked = new Map<string, Asked>();
  const times = new Map<string, number>();
  const [acknowledged, refused] = [new Set<string>(), new Set<string>()];
  for (const event of history) {
    if (event.what === 'acknowledged') acknowledged.add(event.operation);
    if (event.what === 'refused') {
      refused.add(event.operation);
      if (acknowledged.has(event.operation)) complain(`${event.operation} was refused after it was acknowledged.`);
    }
    if (event.what !== 'asked') continue;
    if (!asked.has(event.operation)) asked.set(event.operation, event);
    times.set(event.operation, (times.get(event.operation) ?? 0) + 1);
  }
  const counted = new Map<string, readonly Movement[]>();
  const legs = new Legs(asked, counted);
  const lengthOf = (operation: string) => {
    const change = asked.get(operation);
    return change && change.kind !== 'count' ? legs.of(change).length : 1;
  };
  for (const [operation, movements] of operationsOf(ledger, lengthOf)) {
    const change = asked.get(operation);
    const [numbers, found] = [formatNumbers(movements), formatLegs(movements)];
    const twin = counted.get(operation);
    if (twin) complain(`${operation} was counted twice: as ${formatNumbers(twin)} and as ${numbers}.`);
    else counted.set(operation, movements);
    if (!change) complain(`Movement ${numbers} is ${operation}, for which nobody asked.`);
    else if (change.kind !== 'count' && found !== formatLegs(legs.of(change))) {
      complain(`Movement ${numbers} is ${found}, but ${formatLegs(legs.of(change))} was asked for.`);
    }
    // Sent twice, the copy that was not refused may arrive later.
    if (times.get(operation) === 1 && !change?.isRepeatedUnasked && refused.has(operation)) {
      complain(`${operation} was refused, and counted as ${numbers}.`);
    }
  }
  for (const event of history) {
    if (event.what !== 'acknowledged') continue;
    const [movements, told] = [counted.get(event.operation), formatTold(event.told)];
    if (!movements) complain(`${event.operation} was acknowledged as ${told} and is lost.`);
    else if (told !== formatTold(movements)) {
      complain(`${event.operation} was acknowledged as ${told}, but is ${formatTold(movements)}.`);
    }
  }
  return counted;
}

/** Movements that stand side by side, as many as the operation has legs: one that is counted twice in a row is there twice. */
function operationsOf(
  ledger: readonly Movement[],
  legs: (operation: string) => number,
): readonly (readonly [operation: string, movements: readonly Movement[]])[] {
  const operations: [string, Movement[]][] = [];
  for (const movement of ledger) {
    const [operation, movements] = operations.at(-1) ?? [];
    if (movements && operation === movement.operation && movements.length < legs(operation)) movements.push(movement);
    else operations.push([movement.operation, [movement]]);
  }
  return operations;
}

function formatNumbers(movements: readonly Movement[]): string {
  return movements.map(({ seq }) => seq).join(', ');
}

function formatLegs(legs: readonly Leg[]): string {
  return legs.map((leg) => `${leg.delta} ${placeOf(leg)}`).join(', ');
}

function formatTold(told: readonly Told[]): string {
  return told.map(({ seq, balance }) => `${seq} (${balance})`).join(', ');
}
