import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WireClient } from '../support/wire-client.ts';
import { times } from './length.ts';
import { whyNoShim } from './shim.ts';
import { type Stage, tryUnder, tryWithShim, warningsOf } from './trial.ts';

const noShim = whyNoShim();
const skippedWithoutShim = noShim === undefined ? '' : ` (skipped: ${noShim})`;
const timeout = times(60_000, 900_000);

const stopSeconds = times(1, 30);

test(`a server that is stopped for ${stopSeconds} s goes on, with the same connections`, { timeout }, async () => {
  const outcome = await tryUnder(async ({ server, load }) => {
    for (let round = 0; round < times(1, 4); round++) {
      await load.progress(100);
      server.signal('SIGSTOP');
      await sleep(stopSeconds * 1000);
      server.signal('SIGCONT');
    }
    await load.progress(100);
    expect(load.connections).toBe(8);
  });
  expect(outcome.violations).toEqual([]);
  expect(outcome.repeated).toBe(0);
});

const stalls = times(1, 20);
const stallMilliseconds = times(300, 5000);

test.skipIf(noShim !== undefined)(
  `a server whose event loop stalls ${stalls} times for ${stallMilliseconds} ms goes on, with the same connections${skippedWithoutShim}`,
  { timeout },
  async () => {
    const outcome = await tryWithShim(async ({ load }, shim) => {
      for (let stall = 0; stall < stalls; stall++) {
        await load.progress(100);
        const since = performance.now();
        shim.set({ stall: stallMilliseconds });
        await load.progress(500); // More than were in flight.
        expect(performance.now() - since).toBeGreaterThan(stallMilliseconds);
      }
      expect(load.connections).toBe(8);
    });
    expect(outcome.violations).toEqual([]);
    expect(outcome.repeated).toBe(0);
  },
);

const [hour, day] = [3600, 86_400];
const steps = [2 * hour, -2 * hour, day, -day];

test.skipIf(noShim !== undefined)(
  `a machine whose clock is set by 2 hours and by a day, ahead and back, logs nobody out and dates nothing wrong${skippedWithoutShim}`,
  { timeout },
  async () => {
    const startedAt = Date.now();
    const outcome = await tryWithShim(async ({ load }, shim) => {
      for (let round = 0; round < times(1, 20); round++) {
        for (const ahead of steps) {
          shim.set({ ahead });
          expect(await warningsOf(load)).toContainEqual(expect.stringMatching(/^The machine's clock is \d+ s /));
          await load.progress(200);
        }
      }
      shim.set({});
      expect(load.connections).toBe(8);
    });
    expect(outcome.violations).toEqual([]);
    expect(outcome.repeated).toBe(0);
    const dates = outcome.ledger.map(({ at }) => Date.parse(at));
    expect(Math.min(...dates)).toBeGreaterThan(startedAt - 2000);
    expect(Math.max(...dates)).toBeLessThan(Date.now() + 2000);
  },
);

/** Why no limit can be set for a running process here; undefined when it can. */
function whyNoLimit(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  try {
    execFileSync('prlimit', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'needs prlimit';
  }
}

const noLimit = whyNoLimit();
const crowd = 100;

test.skipIf(noLimit !== undefined)(
  `a server without file descriptors serves whom it has, and others again when there are some${noLimit === undefined ? '' : ` (skipped: ${noLimit})`}`,
  { timeout },
  async () => {
    const limit = ({ server }: Stage, descriptors: number) =>
      execFileSync('prlimit', [`--pid=${server.pid}`, `--nofile=${descriptors}:`]);
    const outcome = await tryUnder(async (stage) => {
      const { load } = stage;
      for (let round = 0; round < times(1, 20); round++) {
        await load.progress(100);
        limit(stage, readdirSync(`/proc/${stage.server.pid}/fd`).length + crowd / 5); // What is open stays so.
        const cleanings: (() => void)[] = [];
        let turnedAway = 0;
        const others = Array.from({ length: crowd }, () =>
          WireClient.open(load.way(), {}, (clean) => cleanings.push(clean)).catch(() => turnedAway++),
        );
        await Promise.all(others);
        expect(turnedAway).toBeGreaterThan(0);
        await load.progress(1000);
        limit(stage, 1024);
        for (const clean of cleanings) clean();
        const again = await WireClient.open(load.way(), {}, (clean) => cleanings.push(clean));
        expect(await again.ask('hello')).toHaveProperty('result');
        for (const clean of cleanings) clean();
      }
      expect(load.connections).toBe(8);
    });
    expect(outcome.violations).toEqual([]);
    expect(outcome.repeated).toBe(0);
  },
);
