import { expect, test } from 'vitest';
import type { OperationIntent, OperationLine } from '../../src/model/stock.ts';
import type { Fixture } from './contract.ts';
import { countOf, intentOf, type Line, moveOf, note, undoOf } from './intent.ts';
import { wholeHistory } from './ledger-contract.ts';

/** mulberry32: the same numbers for the same seed, so that a failing run can be repeated. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Of a movement, how much went where, and what becomes of it: its kind, its operation, and its time. */
interface Made extends OperationLine {
  readonly kind: string;
  readonly operation: string;
  readonly at: number;
}

/** The whole product in a few lines: what an operation answers, given every one before it; undefined is a refusal. */
class Model {
  /** By item and location. */
  readonly stock = new Map<string, number>();
  readonly #items = new Set<string>();
  readonly #made: Made[] = [];
  readonly #undone = new Set<string>();
  readonly #answers = new Map<string, readonly number[]>();

  apply(intent: OperationIntent, at: number): readonly number[] | undefined {
    const { kind, operation } = intent;
    const before = this.#answers.get(operation);
    if (before) return before;
    const moved = this.#linesOf(intent, at);
    if (!moved || moved.some(({ item }) => kind !== 'add' && !this.#items.has(item))) return undefined;
    const next = new Map(this.stock);
    const balances = moved.map((line) => {
      const balance = (next.get(keyOf(line)) ?? 0) + line.quantity;
      next.set(keyOf(line), balance);
      return balance;
    });
    if (!balances.every((balance) => balance >= 0)) return undefined;
    for (const [place, balance] of next) this.stock.set(place, balance);
    for (const { item } of moved) this.#items.add(item);
    this.#made.push(...moved.map((line) => ({ ...line, kind, operation, at })));
    if (intent.kind === 'undo') this.#undone.add(this.#made[intent.seq - 1]?.operation ?? '');
    this.#answers.set(operation, balances);
    return balances;
  }

  /** Where how much comes (or goes, below 0); undefined is a refusal. */
  #linesOf(intent: OperationIntent, at: number): readonly OperationLine[] | undefined {
    switch (intent.kind) {
      case 'add':
        return intent.lines;
      case 'take':
        return intent.lines.map((line) => ({ ...line, quantity: -line.quantity }));
      case 'move':
        return intent.lines.flatMap(({ item, from, to, quantity }) => [
          { item, location: from, quantity: -quantity },
          { item, location: to, quantity },
        ]);
      case 'count': {
        const { line, ifSeq } = intent;
        const last = this.#made.findLastIndex((made) => keyOf(made) === keyOf(line)) + 1;
        if (ifSeq !== null && (ifSeq > this.#made.length || last > ifSeq)) return undefined;
        return [{ ...line, quantity: line.quantity - (this.stock.get(keyOf(line)) ?? 0) }];
      }
      case 'undo':
        return this.#undo(intent.seq, intent.allowAny, at);
    }
  }

  #undo(seq: number, allowAny: boolean, at: number): readonly OperationLine[] | undefined {
    const { operation, kind, at: madeAt } = this.#made[seq - 1] ?? {};
    if (operation === undefined || madeAt === undefined || kind === 'undo' || this.#undone.has(operation))
      return undefined;
    if (!allowAny && at - madeAt > 15 * minute) return undefined;
    const lines = this.#made.filter((made) => made.operation === operation).toReversed();
    return lines.map((line) => ({ ...line, quantity: -line.quantity }));
  }
}

const minute = 60_000;
const keyOf = ({ item, location }: { readonly item: string; readonly location: string }) => `${item} at ${location}`;

export function modelContract(get: () => Fixture): void {
  test.each([1, 2])('a random run answers as a model in memory does (seed %i)', async (seed) => {
    const fixture = get();
    await fixture.store.addLocation(note, 'cellar');
    const random = randomFrom(seed);
    const model = new Model();
    const sent: OperationIntent[] = [];
    const place = () => (random(3) === 0 ? 'cellar' : 'main');
    const line = (): Line => [`Item ${random(30)}`, random(20) + 1, place()];
    let seqs = 0;
    const fresh = (): OperationIntent => {
      const lines = Array.from({ length: random(4) === 0 ? random(5) + 1 : 1 }, line);
      const kind = random(8);
      if (kind < 3) return intentOf('add', lines);
      if (kind < 5) return intentOf('take', lines);
      if (kind === 5) {
        const [from, to] = random(2) === 0 ? ['main', 'cellar'] : ['cellar', 'main'];
        return moveOf(lines.map(([item, pieces]) => [item, pieces, from ?? '', to ?? '']));
      }
      const seq = random(seqs + 2);
      if (kind === 6) {
        const ifSeq = random(2) === 0 ? seq : null;
        return countOf(`Item ${random(30)}`, random(20), { location: place(), ifSeq });
      }
      return undoOf(Math.max(1, seq), { allowAny: random(2) === 0 });
    };
    const draw = (): OperationIntent => sent[random(sent.length * 8)] ?? fresh();
    for (let batch = 0; batch < 60; batch++) {
      const intents = Array.from({ length: random(60) + 1 }, draw);
      const now = batch * minute;
      const calls = intents.map((intent) => fixture.store.apply(intent, now));
      const answers = (await Promise.allSettled(calls)).map((answer) =>
        answer.status === 'fulfilled' ? answer.value.map((result) => result.balance) : undefined,
      );
      expect(answers).toEqual(intents.map((intent) => model.apply(intent, now)));
      sent.push(...intents);
      seqs = (await fixture.store.head()).size;
      if (batch % 25 === 24) await fixture.reopen();
    }
    const { items } = await fixture.store.view({ scope: null, sort: 'name', limit: 100 });
    const left = items.flatMap(({ item, locations }) =>
      locations.map(({ location, quantity }) => [keyOf({ item, location }), quantity] as const),
    );
    expect(new Map(left)).toEqual(new Map([...model.stock].filter(([, quantity]) => quantity > 0)));
    const sums = new Map<string, number>();
    for (const moved of await wholeHistory(fixture.store)) {
      sums.set(keyOf(moved), (sums.get(keyOf(moved)) ?? 0) + moved.delta);
    }
    expect(sums).toEqual(model.stock);
  });
}
