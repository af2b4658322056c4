import type { Change, Event, Movement, Remains } from './history.ts';

// The judge knows nothing of the server but what clients saw and the ledger that is left. It proves five things:
//
//   1. The ledger adds up: numbered from 1 without gaps, each balance the one before and its delta, the stock the last ones.
//   2. Each movement is one that a client asked for, as asked for, and none is there twice.
//   3. What was acknowledged is there, under the number and with the balance that the client was told.
//   4. The order is the order of time: whatever was asked for after something was known has a higher number than that.
//   5. Each look shows the ledger as it was at one moment between its question and its answer. Twice over: by the number
//      that came with it, and by the sums of what was acknowledged before the one and asked for before the other.

/** What was found, in sentences; none when the history is possible. And how much was looked at. */
export interface Verdict {
  readonly violations: readonly string[];
  readonly operations: number;
  readonly acknowledged: number;
  /** How often something was sent again because its answer had been lost. */
  readonly repeated: number;
  readonly refused: number;
  readonly looks: number;
}

type Complain = (sentence: string) => void;
type Told = Extract<Event, { what: 'acknowledged' }>;

/** Judges what clients saw by what is left in the end. */
export function judge(history: readonly Event[], remains: Remains): Verdict {
  const violations: string[] = [];
  const complain = (sentence: string) => void violations.push(sentence);
  judgeSums(remains, complain);
  judgeOperations(history, remains.ledger, complain);
  judgeTime(history, remains.ledger, complain);
  const count = (what: Event['what']) => history.filter((event) => event.what === what).length;
  const operations = new Set(history.flatMap((event) => (event.what === 'asked' ? event.operation : []))).size;
  return {
    violations,
    operations,
    acknowledged: count('acknowledged'),
    repeated: count('asked') - operations,
    refused: count('refused'),
    looks: count('seen'),
  };
}

function judgeSums({ ledger, stock }: Remains, complain: Complain): void {
  const balances = new Map<string, number>();
  for (const [at, { seq, item, delta, balance }] of ledger.entries()) {
    const sum = (balances.get(item) ?? 0) + delta;
    if (seq !== at + 1) complain(`Movement ${at + 1} of the ledger has the number ${seq}.`);
    if (balance !== sum) complain(`Movement ${seq} leaves ${balance} ${item}, but the deltas add up to ${sum}.`);
    if (sum < 0) complain(`Movement ${seq} leaves less than nothing of ${item}.`);
    balances.set(item, sum);
  }
  for (const item of new Set([...balances.keys(), ...stock.keys()])) {
    const [sum = 0, quantity = 0] = [balances.get(item), stock.get(item)];
    if (sum !== quantity) complain(`There are ${quantity} ${item}, but its movements add up to ${sum}.`);
  }
}

function judgeOperations(history: readonly Event[], ledger: readonly Movement[], complain: Complain): void {
  const asked = new Map<string, { readonly change: Change; times: number }>();
  const told = new Map<string, Told>();
  const refused = new Set<string>();
  for (const event of history) {
    if (event.what === 'asked') {
      const before = asked.get(event.operation);
      if (before) before.times++;
      else asked.set(event.operation, { change: event, times: 1 });
    } else if (event.what === 'acknowledged') {
      const { seq } = told.get(event.operation) ?? event;
      if (seq !== event.seq) complain(`${event.operation} was acknowledged as ${seq} and as ${event.seq}.`);
      told.set(event.operation, event);
    } else if (event.what === 'refused') {
      refused.add(event.operation);
    }
  }
  const counted = new Map<string, Movement>();
  for (const movement of ledger) {
    const { operation, seq, item, delta } = movement;
    const twin = counted.get(operation);
    const { change, times } = asked.get(operation) ?? {};
    if (twin) complain(`${operation} was counted twice: as ${twin.seq} and as ${seq}.`);
    if (!change) complain(`Movement ${seq} is ${operation}, for which nobody asked.`);
    else if (change.item !== item || change.delta !== delta) {
      complain(`Movement ${seq} is ${delta} ${item}, but ${change.delta} ${change.item} was asked for.`);
    }
    // Sent twice, the copy that was not refused may arrive later.
    if (times === 1 && refused.has(operation)) complain(`${operation} was refused, and counted as ${seq}.`);
    counted.set(operation, movement);
  }
  for (const { operation, seq, balance } of told.values()) {
    const movement = counted.get(operation);
    if (!movement) complain(`${operation} was acknowledged as ${seq} and is lost.`);
    else if (movement.seq !== seq || movement.balance !== balance) {
      complain(`${operation} was acknowledged as ${seq} (${balance}), but is ${movement.seq} (${movement.balance}).`);
    }
  }
}

/** Sums of an item's changes, what was taken apart from what was added: the two bound a quantity from either side. */
interface Sums {
  added: number;
  taken: number;
}

function judgeTime(history: readonly Event[], ledger: readonly Movement[], complain: Complain): void {
  const seqs = new Map(ledger.map(({ operation, seq }) => [operation, seq]));
  const balanceAt = balancesOf(ledger);
  const asked = new Map<string, Change>();
  const acknowledged = new Set<string>();
  /** The sums of all that was acknowledged, and asked for, up to here. */
  const [sure, possible] = [new Map<string, Sums>(), new Map<string, Sums>()];
  const looks = new Map<number, { readonly known: number; readonly sure: ReadonlyMap<string, Sums> }>();
  /** The highest number that any client knows of, and the highest of what was asked for. */
  let [known, highest] = [0, 0];
  for (const event of history) {
    if (event.what === 'asked' && !asked.has(event.operation)) {
      const seq = seqs.get(event.operation) ?? Number.POSITIVE_INFINITY;
      if (seq <= known) complain(`${event.operation} was asked for when ${known} was known, but is ${seq}.`);
      if (seq !== Number.POSITIVE_INFINITY) highest = Math.max(highest, seq);
      asked.set(event.operation, event);
      count(possible, event);
    } else if (event.what === 'acknowledged') {
      known = Math.max(known, event.seq);
      const change = asked.get(event.operation);
      if (change && !acknowledged.has(event.operation)) count(sure, change);
      acknowledged.add(event.operation);
    } else if (event.what === 'look') {
      looks.set(event.look, { known, sure: new Map(sure) });
    } else if (event.what === 'seen') {
      const began = looks.get(event.look) ?? { known: 0, sure: new Map() };
      const { seq, look, quantities } = event;
      if (seq < began.known) complain(`Look ${look} began when ${began.known} was known, and saw only ${seq}.`);
      if (seq > highest) complain(`Look ${look} saw ${seq} when nothing above ${highest} had been asked for.`);
      for (const item of new Set([...possible.keys(), ...quantities.keys()])) {
        const quantity = quantities.get(item) ?? 0;
        const [surely, possibly] = [began.sure.get(item) ?? none, possible.get(item) ?? none];
        const [least, most] = [surely.added - possibly.taken, possibly.added - surely.taken];
        if (quantity < least || quantity > most) {
          complain(`Look ${look} saw ${quantity} ${item}, where ${least} to ${most} were possible.`);
        }
        const recorded = balanceAt(item, seq);
        if (quantity !== recorded) {
          complain(`Look ${look} saw ${quantity} ${item} as of ${seq}, when there were ${recorded}.`);
        }
      }
      known = Math.max(known, seq);
    }
  }
}

const none: Sums = { added: 0, taken: 0 };

/** A new object for each change: what a look began with stays as it was. */
function count(sums: Map<string, Sums>, { item, delta }: Change): void {
  const { added, taken } = sums.get(item) ?? none;
  sums.set(item, delta > 0 ? { added: added + delta, taken } : { added, taken: taken - delta });
}

/** How much there was of an item after a movement of any item. */
function balancesOf(ledger: readonly Movement[]): (item: string, seq: number) => number {
  const ofItem = Map.groupBy(ledger, ({ item }) => item);
  return (item, seq) => {
    const movements = ofItem.get(item) ?? [];
    let [from, to] = [0, movements.length]; // The first one after `seq` is in here.
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((movements[middle]?.seq ?? 0) <= seq) from = middle + 1;
      else to = middle;
    }
    return movements[from - 1]?.balance ?? 0;
  };
}
