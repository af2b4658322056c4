import { expect, test } from 'vitest';
import { chooseMishap, type FaultyWay, openFaultyWay } from './faulty-way.ts';
import { isLong, times } from './length.ts';
import { drawChances } from './seed.ts';
import { tryUnder } from './trial.ts';

const wanted = times(30, 3000);

test(
  'over a network that delays, drips, cuts, duplicates and half-closes, nothing is lost, doubled or seen wrong',
  async () => {
    const chance = drawChances();
    let way: FaultyWay | undefined;
    const met = () => [...(way?.mishaps.values() ?? [])].reduce((sum, count) => sum + count, 0);
    const outcome = await tryUnder(
      async ({ load }) => {
        while (met() < wanted) {
          await load.progress(300);
          way?.cut(); // Else all would soon be on connections without a mishap.
        }
      },
      {
        clerks: 6,
        libraries: 4,
        async route(server) {
          const { ca } = server();
          const faulty = await openFaultyWay(
            () => server().port,
            () => chooseMishap(chance),
          );
          way = faulty;
          return () => ({ port: faulty.port, ca });
        },
      },
    );
    if (isLong) console.info(way?.mishaps);
    expect(outcome.violations).toEqual([]);
    expect(new Set(way?.mishaps.keys())).toEqual(new Set(['none', 'delay', 'drip', 'cut', 'half-close', 'duplicate']));
    expect(outcome.repeated).toBeGreaterThan(wanted / 10);
  },
  times(60_000, 1_800_000),
);
