import { expect, onTestFinished, test } from 'vitest';
import { killUnderLoad } from './kill.ts';
import { times } from './length.ts';

const kills = times(5, 40);
const seed = 20_260_503;

test(
  `${kills} kills -9 under the load of 8 clients lose no acknowledged add and count none twice`,
  async () => {
    const { acknowledged, repeated, movements, balances } = await killUnderLoad(kills, seed, onTestFinished);

    // Every add was acknowledged in the end, many only at a second try; else this would have tested nothing.
    expect(acknowledged.length).toBeGreaterThan(kills * 10);
    expect(repeated).toBeGreaterThan(kills);

    const bySeq = (a: { seq: number }, b: { seq: number }) => a.seq - b.seq;
    const counted = movements.map(({ operation, item, delta, seq }) => ({ operation, item, quantity: delta, seq }));
    expect(counted.sort(bySeq)).toEqual([...acknowledged].sort(bySeq));
    expect(counted.map(({ seq }) => seq)).toEqual(counted.map((_, at) => at + 1));

    const sums = new Map<string, number>();
    for (const { item, quantity } of acknowledged) sums.set(item, (sums.get(item) ?? 0) + quantity);
    expect(new Map([...balances].sort())).toEqual(new Map([...sums].sort()));
  },
  times(60_000, 900_000),
);
