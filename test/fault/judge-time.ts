import {
  type Change,
  type Event,
  isSeenFrom,
  type Leg,
  type Moment,
  type Movement,
  placeOf,
  type Refusal,
} from './history.ts';
import type { Legs } from './legs.ts';
import type { Moments } from './moments.ts';

type Look = Extract<Event, { what: 'look' }>;
type Seen = Extract<Event, { what: 'seen' }>;

/** Sums of the changes at a place, what left apart from what came: the two bound a quantity from either side. */
interface Sums {
  readonly added: number;
  readonly taken: number;
}

/** What was known when something was asked: the highest number that any client had been told, and what was acknowledged. */
interface Before {
  readonly known: number;
  readonly sure: ReadonlyMap<string, Sums>;
}

/** What could have happened until the answer came: the highest number, and the sums, of all that was asked for. */
interface Until {
  readonly highest: number;
  readonly possible: ReadonlyMap<string, Sums>;
}

type Complain = (sentence: string) => void;

/** Judges what was seen, refused and numbered by the moments between its question and its answer. */
export function judgeTime(
  history: readonly Event[],
  since: Moment,
  counted: ReadonlyMap<string, readonly Movement[]>,
  legs: Legs,
  moments: Moments,
  complain: Complain,
): void {
  const asked = new Map<string, { readonly change: Change; readonly known: number }>();
  const acknowledged = new Set<string>();
  const looks = new Map<number, Look & Before>();
  const there = [...since.stock].map(([place, quantity]) => [place, { added: quantity, taken: 0 }] as const);
  const [sure, possible] = [new Map<string, Sums>(there), new Map<string, Sums>(there)];
  let [known, highest] = [since.seq, since.seq];
  const couldRefuse = (code: Refusal, { change, known: from }: { readonly change: Change; readonly known: number }) =>
    moments.couldRefuse(code, change, legs.of(change), from, highest);
  for (const event of history) {
    if (event.what === 'asked') {
      if (!asked.has(event.operation)) {
        const movements = counted.get(event.operation) ?? [];
        const [first, last] = [movements.at(0)?.seq ?? Number.POSITIVE_INFINITY, movements.at(-1)?.seq ?? 0];
        if (first <= known) complain(`${event.operation} was asked for when ${known} was known, but is ${first}.`);
        highest = Math.max(highest, last);
        count(possible, legs.of(event));
      }
      asked.set(event.operation, { change: event, known });
    } else if (event.what === 'acknowledged') {
      known = Math.max(known, ...event.told.map(({ seq }) => seq));
      const { change } = asked.get(event.operation) ?? {};
      if (change && !acknowledged.has(event.operation)) count(sure, legs.of(change));
      acknowledged.add(event.operation);
    } else if (event.what === 'refused') {
      const began = asked.get(event.operation);
      if (began && !couldRefuse(event.code, began)) {
        complain(
          `${event.operation} was refused as ${event.code}, which it was at no moment of ${began.known} to ${highest}.`,
        );
      }
    } else if (event.what === 'look') {
      looks.set(event.look, { ...event, known, sure: new Map(sure) });
    } else {
      const began = looks.get(event.look);
      if (began) judgeLook(began, event, { highest, possible }, moments, complain);
      looks.delete(event.look); // What each began with would fill the memory after hours.
      known = Math.max(known, event.seq);
    }
  }
}

function judgeLook(
  { look, location, known, sure }: Look & Before,
  { seq, quantities }: Seen,
  { highest, possible }: Until,
  moments: Moments,
  complain: Complain,
): void {
  const due = moments.lastAt(location, known);
  if (seq < due) complain(`Look ${look} began when ${due} was known, and saw only ${seq}.`);
  if (seq > highest) complain(`Look ${look} saw ${seq} when nothing above ${highest} had been asked for.`);
  if (moments.isAmid(location, seq)) complain(`Look ${look} saw ${seq}, which is amid an operation.`);
  for (const place of new Set([...possible.keys(), ...quantities.keys()])) {
    const quantity = quantities.get(place) ?? 0;
    if (!isSeenFrom(location, place)) {
      if (quantities.has(place)) complain(`Look ${look} saw ${place} from ${location}.`);
      continue;
    }
    const [surely, possibly] = [sure.get(place) ?? none, possible.get(place) ?? none];
    const [least, most] = [surely.added - possibly.taken, possibly.added - surely.taken];
    if (quantity < least || quantity > most) {
      complain(`Look ${look} saw ${quantity} ${place}, where ${least} to ${most} were possible.`);
    }
    const recorded = moments.balanceAt(place, seq);
    if (quantity !== recorded) {
      complain(`Look ${look} saw ${quantity} ${place} as of ${seq}, when there were ${recorded}.`);
    }
  }
}

const none: Sums = { added: 0, taken: 0 };

/** A new object for each leg: what a look began with stays as it was. */
function count(sums: Map<string, Sums>, legs: readonly Leg[]): void {
  for (const leg of legs) {
    const [place, { delta }] = [placeOf(leg), leg];
    const { added, taken } = sums.get(place) ?? none;
    sums.set(place, delta > 0 ? { added: added + delta, taken } : { added, taken: taken - delta });
  }
}
