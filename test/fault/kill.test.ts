import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { times } from './length.ts';
import { drawChances } from './seed.ts';
import { tryUnder } from './trial.ts';

const kills = times(2, 500);
const changesMax = 300;
const millisecondsMax = 20;

test(
  `${kills} kills -9 under load lose no acknowledged movement, count none twice, and every look and refusal was possible`,
  async () => {
    const chance = drawChances();
    const outcome = await tryUnder(async ({ load, restart }) => {
      for (let kill = 0; kill < kills; kill++) {
        await load.progress(chance() * changesMax); // However slow the machine is, something happened.
        await sleep(chance() * millisecondsMax);
        await restart();
      }
      await load.progress(changesMax);
    });
    expect(outcome.violations).toEqual([]);
    // Many were acknowledged only at a second try; else this would have tested nothing.
    expect(outcome.acknowledged).toBeGreaterThan(kills * 10);
    expect(outcome.repeated).toBeGreaterThan(kills);
    expect(outcome.looks).toBeGreaterThan(kills);
    expect(outcome.refused).toBeGreaterThan(kills);
    expect(outcome.counts).toBeGreaterThan(kills);
    expect(outcome.undos).toBeGreaterThan(kills);
  },
  times(60_000, 1_800_000),
);
