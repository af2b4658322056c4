import { expect, test } from 'vitest';
import type { OperationIntent } from '../../src/model/stock.ts';
import type { Fixture } from './contract.ts';
import { intentOf, type Line } from './intent.ts';
import { wholeHistory } from './ledger-contract.ts';

/** mulberry32: the same numbers for the same seed, so that a failing run can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** The whole product in ten lines: what an operation answers, given every one before it; undefined is a refusal. */
class Model {
  readonly stock = new Map<string, number>();
  readonly #answers = new Map<string, readonly number[]>();

  apply({ kind, operation, lines }: OperationIntent): readonly number[] | undefined {
    const before = this.#answers.get(operation);
    if (before) return before;
    const next = new Map(this.stock);
    const balances = lines.map(({ item, quantity }) => {
      const balance = (next.get(item) ?? (kind === 'add' ? 0 : Number.NaN)) + (kind === 'add' ? quantity : -quantity);
      next.set(item, balance);
      return balance;
    });
    if (!balances.every((balance) => balance >= 0)) return undefined;
    for (const [item, balance] of next) this.stock.set(item, balance);
    this.#answers.set(operation, balances);
    return balances;
  }
}

export function modelContract(get: () => Fixture): void {
  test.each([1, 2])('a random run answers as a model in memory does (seed %i)', async (seed) => {
    const fixture = get();
    const random = randomFrom(seed);
    const model = new Model();
    const sent: OperationIntent[] = [];
    const line = (): Line => [`Item ${random(30)}`, random(20) + 1];
    const draw = (): OperationIntent => {
      const old = sent[random(sent.length * 8)];
      const lines = Array.from({ length: random(4) === 0 ? random(5) + 1 : 1 }, line);
      return old ?? intentOf(random(2) === 0 ? 'add' : 'take', lines);
    };
    for (let batch = 0; batch < 60; batch++) {
      const intents = Array.from({ length: random(60) + 1 }, draw);
      const calls = intents.map((intent) => fixture.store.apply(intent, batch));
      const answers = (await Promise.allSettled(calls)).map((answer) =>
        answer.status === 'fulfilled' ? answer.value.map((result) => result.balance) : undefined,
      );
      expect(answers).toEqual(intents.map((intent) => model.apply(intent)));
      sent.push(...intents);
      if (batch % 25 === 24) await fixture.reopen();
    }
    const { items } = await fixture.store.view({ scope: null, sort: 'name', limit: 100 });
    expect(new Map(items.map((item) => [item.item, item.quantity]))).toEqual(model.stock);
    const sums = new Map<string, number>();
    for (const { item, delta } of await wholeHistory(fixture.store)) sums.set(item, (sums.get(item) ?? 0) + delta);
    expect(sums).toEqual(model.stock);
  });
}
