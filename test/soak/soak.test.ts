import { expect, test } from 'vitest';
import { growthOf } from './growth.ts';
import { drawSoak } from './picture.ts';
import { type Sample, soak } from './soak.ts';

// `npm run test:soak -- --minutes 30` does the same for long, and judges memory and descriptors.

const sample: Sample = { at: 0, adds: 1, median: 1, p99: 2, resident: 200, descriptors: 50 };

test('through a kill, a reload, new keys and a new certificate nothing acknowledged is lost and nobody is refused', async () => {
  const soaked = await soak({ seconds: 2, samples: 10, kills: 1 });
  expect(soaked.problems).toEqual([]);
  expect(new Set(soaked.disturbed.map(({ what }) => what)).size).toBe(4);
  expect(soaked.acknowledged).toBeGreaterThan(20);
  expect(soaked.watched).toBe(soaked.acknowledged);
  expect(drawSoak(soaked)).toMatch(/^<svg .*polyline.*<\/svg>\n$/s);
});

test('what grows from the second quarter to the last is told', () => {
  const run = (more: (at: number) => Partial<Sample>) =>
    growthOf(Array.from({ length: 80 }, (_, at) => ({ ...sample, ...more(at) })));
  expect(run(() => ({}))).toEqual([]);
  expect(run((at) => ({ resident: 200 + (at < 20 ? 3 * at : 60) }))).toEqual([]);
  expect(run((at) => ({ resident: 200 + 2 * at }))).toEqual(['Memory grew by 80 MiB (at most 64).']);
  expect(run((at) => ({ descriptors: 50 + at }))).toEqual(['40 more descriptors are open (at most 32).']);
});
