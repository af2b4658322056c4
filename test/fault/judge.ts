import { type Asked, beginning, type Event, placeOf, type Remains } from './history.ts';
import { judgeCorrections } from './judge-corrections.ts';
import { judgeOperations } from './judge-operations.ts';
import { judgeTime } from './judge-time.ts';
import { Legs } from './legs.ts';
import { Moments } from './moments.ts';

// The judge knows nothing of the server but what clients saw and the ledger that is left. It proves seven things:
//
//   1. The ledger adds up: numbered from 1, or where it was, without gaps, each balance the one before and its delta, the stock the last ones.
//   2. What is counted is what a client asked for, as asked for: all legs of an operation side by side, and none twice.
//   3. What was acknowledged is there, under the numbers and with the balances that the client was told, each time.
//   4. The order is the order of time: whatever was asked for after something was known has a higher number than that.
//   5. Each look shows the ledger as it was at one moment between its question and its answer. Twice over: by the number
//      that came with it, and by the sums of what was acknowledged before the one and asked for before the other.
//   6. So does each refusal: at one moment between its question and its answer there was too little, or no such item; or
//      what was to be counted had moved since, or what was to be undone was undone by another.
//   7. A count leaves what was counted, an undo takes back each movement of one operation, and nothing is undone twice.

/** What was found, in sentences; none when the history is possible. And how much was looked at. */
export interface Verdict {
  readonly violations: readonly string[];
  readonly operations: number;
  readonly acknowledged: number;
  /** How many of the operations that were acknowledged are counts, and how many are undos. */
  readonly counts: number;
  readonly undos: number;
  /** How often something was sent again because its answer had been lost. */
  readonly repeated: number;
  readonly refused: number;
  readonly looks: number;
}

/** Judges what clients saw by what is left in the end. */
export function judge(history: readonly Event[], remains: Remains): Verdict {
  const violations: string[] = [];
  const complain = (sentence: string) => void violations.push(sentence);
  judgeSums(remains, complain);
  const counted = judgeOperations(history, remains.ledger, complain);
  const { asked, acknowledged, repeated } = sumUp(history);
  const { ledger, since = beginning } = remains;
  const [legs, moments] = [new Legs(asked, counted), new Moments(ledger, since)];
  judgeCorrections(asked, ledger, counted, moments, complain);
  judgeTime(history, since, counted, legs, moments, complain);
  const count = (what: Event['what']) => history.filter((event) => event.what === what).length;
  const countKind = (kind: Asked['kind']) => [...acknowledged].filter((id) => asked.get(id)?.kind === kind).length;
  return {
    violations,
    operations: asked.size,
    acknowledged: count('acknowledged'),
    counts: countKind('count'),
    undos: countKind('undo'),
    repeated,
    refused: count('refused'),
    looks: count('seen'),
  };
}

/** Who sends again what was acknowledged does not do it because an answer was lost. */
function sumUp(history: readonly Event[]) {
  const [asked, acknowledged] = [new Map<string, Asked>(), new Set<string>()];
  let repeated = 0;
  for (const event of history) {
    if (event.what === 'acknowledged') acknowledged.add(event.operation);
    if (event.what !== 'asked') continue;
    if (!asked.has(event.operation)) asked.set(event.operation, event);
    else if (!acknowledged.has(event.operation)) repeated++;
  }
  return { asked, acknowledged, repeated };
}

function judgeSums({ ledger, stock, since = beginning }: Remains, complain: (sentence: string) => void): void {
  const balances = new Map(since.stock);
  for (const [at, movement] of ledger.entries()) {
    const [{ seq, delta, balance }, place, due] = [movement, placeOf(movement), since.seq + at + 1];
    const sum = (balances.get(place) ?? 0) + delta;
    if (seq !== due) complain(`Movement ${due} of the ledger has the number ${seq}.`);
    if (balance !== sum) complain(`Movement ${seq} leaves ${balance} ${place}, but the deltas add up to ${sum}.`);
    if (sum < 0) complain(`Movement ${seq} leaves less than nothing of ${place}.`);
    balances.set(place, sum);
  }
  for (const place of new Set([...balances.keys(), ...stock.keys()])) {
    const [sum = 0, quantity = 0] = [balances.get(place), stock.get(place)];
    if (sum !== quantity) complain(`There are ${quantity} ${place}, but its movements add up to ${sum}.`);
  }
}
