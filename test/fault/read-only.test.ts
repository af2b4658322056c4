import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type FailingDisk, mountFailingDisk, whyNoFailingDisk } from './failing-disk.ts';
import type { Event } from './history.ts';
import { times } from './length.ts';
import { startProcess } from './server-process.ts';
import { tryUnder } from './trial.ts';

const reason = whyNoFailingDisk();
const failures = times(1, 20);

test.skipIf(reason !== undefined)(
  `a server whose disk turns read-only under load ${failures} times shows what there is, does not start on it, and lacks nothing afterwards${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  { timeout: times(60_000, 900_000) },
  async () => {
    let disk: FailingDisk | undefined;
    const outcome = await tryUnder(
      async ({ folder, load, server, restart }) => {
        const count = (what: Event['what']) => load.history.filter((event) => event.what === what).length;
        let running = server;
        for (let failure = 0; failure < failures; failure++) {
          await load.progress(100);
          // What was synced while the kernel gave up its journal, some 40 ms, was once acknowledged and gone after the
          // repair: it seems to say that such a sync went well. Tried here is what comes after it has said EROFS.
          running.signal('SIGSTOP');
          await sleep(100); // For calls that have begun.
          disk?.fail();
          running.signal('SIGCONT');
          const [looks, asked] = [count('seen'), count('asked')];
          await expect.poll(() => count('seen'), { timeout: 10_000 }).toBeGreaterThan(looks + 10);
          expect(count('asked')).toBeGreaterThan(asked);
          const changes = count('acknowledged');
          await expect.poll(() => count('seen'), { timeout: 10_000 }).toBeGreaterThan(looks + 20);
          expect(count('acknowledged')).toBe(changes);
          await running.kill();
          disk?.repair();
          disk?.protect();
          let said = '';
          const starting = startProcess(folder, false, { onLog: (text) => (said += text) });
          await expect(starting).rejects.toThrow('ended with 1');
          expect(said).toContain(`The store ${join(folder, 'data', 'inventory.db')} cannot be opened`);
          disk?.repair();
          running = await restart();
        }
        await load.progress(100);
      },
      {
        prepare(folder) {
          const failing = mountFailingDisk(join(folder, 'image'), join(folder, 'data'), 96);
          onTestFinished(() => failing.unmount());
          disk = failing;
          return process.env;
        },
      },
    );
    expect(outcome.violations).toEqual([]);
    expect(outcome.repeated).toBeGreaterThan(failures);
  },
);
