import { expect, test } from 'vitest';
import { judgeGrowth, measures } from './growth.ts';
import { drawSoak } from './picture.ts';
import { type Sample, soak } from './soak.ts';

// `npm run test:soak -- --minutes 30` does the same for long, and judges memory and descriptors.

/** So that one push in thirty that is lost is among them. */
const changesMin = 60;

test('through a kill, a reload, new keys and a new certificate nothing acknowledged is lost and nobody is refused', async () => {
  const soaked = await soak({ seconds: 2, samples: 10, kills: 1, seed: 1, changesMin });
  expect(soaked.problems).toEqual([]);
  expect(new Set(soaked.disturbed.map(({ what }) => what)).size).toBe(4);
  expect(soaked.acknowledged).toBeGreaterThanOrEqual(changesMin);
  expect(soaked.looks).toBeGreaterThan(0);
  expect(soaked.watched).toBe(soaked.movements);
  expect(drawSoak(soaked)).toMatch(/^<svg .*polyline.*<\/svg>\n$/s);
}, 60_000);

/** What a healthy run of half an hour looks like: V8 keeps and gives back a hundred MiB, SQLite's cache fills, peers come and go. */
const healthy = (at: number): Sample => ({
  at: at * 15,
  changes: 500,
  median: 2,
  p99: 12,
  resident: 230 + 60 * Math.sin(at / 7) + (at % 13),
  heap: 40 + (at % 3) / 2,
  threads: 10 + ((at * 3) % 25),
  beside: 100 + 64 * Math.min(1, at / 60) + 10 * Math.sin(at / 7) + (at % 13),
  descriptors: 90 + (at % 11),
  connections: 60 + ((at * 7) % 11),
  peers: 70 + ((at * 5) % 11),
});

function judged(count: number, more: (at: number) => Partial<Sample> = () => ({})) {
  return judgeGrowth(Array.from({ length: count }, (_, at) => ({ ...healthy(at), ...more(at) })));
}

test('what goes up and down, or fills up once and stays, is no growth', () => {
  expect(judged(120)).toEqual({ problems: [], unjudged: [] });
  const filling = (at: number) => 64 * Math.min(1, at / 20);
  const filled = (at: number) => ({
    resident: 150 + filling(at),
    beside: 90 + filling(at),
    heap: 20 + filling(at) / 4,
  });
  expect(judged(120, filled).problems).toEqual([]);
});

test('600 bytes for each change are told, of each heap as of all other memory', () => {
  const lost = (at: number) => (at * 15 * 170 * 600) / 1024 / 1024;
  expect(judged(120, (at) => ({ heap: 40 + lost(at) })).problems).toEqual([
    expect.stringMatching(/^Live heap rose by 1\d\d MiB in 1\d\d\d s: 350 an hour \(at most 30\)\.$/),
  ]);
  const resident = (at: number) => (healthy(at).resident ?? 0) + lost(at);
  expect(judged(120, (at) => ({ resident: resident(at) })).problems).toEqual([
    expect.stringContaining('Resident memory rose by'),
  ]);
  const threads = (at: number) => (healthy(at).threads ?? 0) + lost(at);
  expect(judged(120, (at) => ({ threads: threads(at) })).problems).toEqual([
    expect.stringContaining('Heap of the threads rose by'),
  ]);
  const beside = (at: number) => (healthy(at).beside ?? 0) + lost(at);
  expect(judged(120, (at) => ({ beside: beside(at) })).problems).toEqual([
    expect.stringContaining('Memory beside the heaps rose by'),
  ]);
});

test('a descriptor a minute is told, also behind connections that come and go', () => {
  const leaking = (at: number) => (healthy(at).connections ?? 0) + 40 + Math.floor(at / 4);
  // Of peers that the server should have sent away, and of none.
  const kept = judged(120, (at) => ({ descriptors: leaking(at), peers: leaking(at) - 30 }));
  expect(kept.problems).toEqual([expect.stringContaining('Descriptors beside connections rose by 30')]);
  expect(judged(120, (at) => ({ descriptors: leaking(at) })).problems).toEqual([
    expect.stringContaining('Descriptors beside connections rose by 30'),
    expect.stringContaining('Descriptors without a peer rose by 30'),
  ]);
});

test('what could not be measured, or not for long enough, is said', () => {
  const unknown = { resident: undefined, heap: undefined, threads: undefined, beside: undefined };
  const unmeasured = judged(120, () => ({ ...unknown, descriptors: undefined }));
  expect(unmeasured.problems).toEqual([]);
  expect(unmeasured.unjudged).toEqual([
    'Live heap could not be measured here.',
    'Resident memory could not be measured here.',
    'Heap of the threads could not be measured here.',
    'Memory beside the heaps could not be measured here.',
    'Descriptors beside connections could not be measured here.',
    'Descriptors without a peer could not be measured here.',
  ]);
  expect(judged(10).unjudged).toHaveLength(measures.length);
  expect(judged(30).unjudged).toEqual([
    expect.stringMatching(/^Resident memory: \d+ samples in \d+ s are too few/),
    expect.stringMatching(/^Heap of the threads: \d+ samples in \d+ s are too few/),
    expect.stringMatching(/^Memory beside the heaps: \d+ samples in \d+ s are too few/),
  ]);
});
