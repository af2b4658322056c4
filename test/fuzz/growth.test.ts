import { expect, test } from 'vitest';
import { growthMebibytesMax, growthOf } from './growth.ts';

const batches = (count: number, mebibytesAt: (inputs: number) => number) =>
  Array.from({ length: count }, (_, at) => ({ inputs: (at + 1) * 500, mebibytes: mebibytesAt((at + 1) * 500) }));

test('10 KiB that are kept for each input are growth', () => {
  expect(growthOf(batches(30, (inputs) => 200 + inputs / 100))).toBeGreaterThan(growthMebibytesMax);
});

test('what warms up and stays is no growth', () => {
  expect(growthOf(batches(30, (inputs) => (inputs < 4000 ? 150 + inputs / 50 : 230)))).toBe(0);
});

test('few inputs are not judged', () => {
  expect(growthOf(batches(8, () => 200))).toBeUndefined();
});
