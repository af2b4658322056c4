import type { Event, Remains } from './history.ts';
import { placeOf } from './history.ts';
import { judgeOperations } from './judge-operations.ts';
import { judgeTime } from './judge-time.ts';

// The judge knows nothing of the server but what clients saw and the ledger that is left. It proves six things:
//
//   1. The ledger adds up: numbered from 1 without gaps, each balance the one before and its delta, the stock the last ones.
//   2. What is counted is what a client asked for, as asked for: all legs of an operation side by side, and none twice.
//   3. What was acknowledged is there, under the numbers and with the balances that the client was told, each time.
//   4. The order is the order of time: whatever was asked for after something was known has a higher number than that.
//   5. Each look shows the ledger as it was at one moment between its question and its answer. Twice over: by the number
//      that came with it, and by the sums of what was acknowledged before the one and asked for before the other.
//   6. So does each refusal: at one moment between its question and its answer there was too little, or no such item.

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

/** Judges what clients saw by what is left in the end. */
export function judge(history: readonly Event[], remains: Remains): Verdict {
  const violations: string[] = [];
  const complain = (sentence: string) => void violations.push(sentence);
  judgeSums(remains, complain);
  const counted = judgeOperations(history, remains.ledger, complain);
  judgeTime(history, remains.ledger, counted, complain);
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

function judgeSums({ ledger, stock }: Remains, complain: (sentence: string) => void): void {
  const balances = new Map<string, number>();
  for (const [at, movement] of ledger.entries()) {
    const [{ seq, delta, balance }, place] = [movement, placeOf(movement)];
    const sum = (balances.get(place) ?? 0) + delta;
    if (seq !== at + 1) complain(`Movement ${at + 1} of the ledger has the number ${seq}.`);
    if (balance !== sum) complain(`Movement ${seq} leaves ${balance} ${place}, but the deltas add up to ${sum}.`);
    if (sum < 0) complain(`Movement ${seq} leaves less than nothing of ${place}.`);
    balances.set(place, sum);
  }
  for (const place of new Set([...balances.keys(), ...stock.keys()])) {
    const [sum = 0, quantity = 0] = [balances.get(place), stock.get(place)];
    if (sum !== quantity) complain(`There are ${quantity} ${place}, but its movements add up to ${sum}.`);
  }
}
