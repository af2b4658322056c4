import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { verifyStore } from '../../src/store/files.ts';
import { flipBit, frameAt, liveFrames } from './flipped-bit.ts';
import type { Event } from './history.ts';
import { times } from './length.ts';
import { drawChances } from './seed.ts';
import { startProcess } from './server-process.ts';
import { tryUnder, warningsOf } from './trial.ts';

const timeout = times(120_000, 900_000); // Each restart takes seconds on a busy machine.
const rounds = times(1, 40);
/** Fewer, because the pass over the ledger takes longer the more there is of it. */
const finds = times(1, 12);
const patience = { timeout: times(20_000, 120_000) };
const bitsPerFrame = (frameAt(2) - frameAt(1)) * 8;

test(`a server that is killed under load, and whose log has a flipped bit, ${rounds} times, does not start, says where, and has all when it is back`, {
  timeout,
}, async () => {
  const chance = drawChances();
  const outcome = await tryUnder(async ({ folder, load, server, restart }) => {
    const database = join(folder, 'data', 'inventory.db');
    const files = () => [database, `${database}-wal`].map((path) => readFileSync(path));
    let running = server;
    for (let round = 0; round < rounds; round++) {
      await load.progress(100 + 200 * chance());
      await running.kill();
      const frame = 1 + Math.floor((chance() * liveFrames(`${database}-wal`)) / 2);
      const bit = frameAt(frame) * 8 + Math.floor(chance() * bitsPerFrame);
      flipBit(`${database}-wal`, bit);
      const flipped = files();
      let said = '';
      const starting = startProcess(folder, false, { onLog: (text) => (said += text) });
      await expect(starting).rejects.toThrow('ended with 1');
      expect(said).toContain(`The log of the store, ${database}-wal, is damaged: frame ${frame} of `);
      expect(files().every((bytes, at) => flipped[at]?.equals(bytes))).toBe(true);
      flipBit(`${database}-wal`, bit);
      running = await restart();
    }
    await load.progress(100);
  });
  expect(outcome.violations).toEqual([]);
  expect(outcome.repeated).toBeGreaterThan(rounds);
});

const source = Buffer.from('127.0.0.1');
/** Some pages full. */
const latest = 50;

/** Where the ledger in the database says where an operation, one by chance, came from: no look at the stock needs that. */
function sourceAt(database: string, history: readonly Event[], chance: () => number): number {
  const bytes = readFileSync(database);
  const operations = history.flatMap((event) => (event.what === 'acknowledged' ? [event.operation] : []));
  // None of the latest: until damage is found, what is added goes into their page, and takes the flipped bit into the log.
  const chosen = operations[Math.floor(chance() * (operations.length - latest))];
  if (chosen === undefined) throw new Error(`There are no more than ${latest} operations.`);
  // The last one: the first page of a table keeps what it had when it was the only one, and nobody reads it there.
  const at = bytes.lastIndexOf(Buffer.concat([source, Buffer.from(chosen.replaceAll('-', ''), 'hex')]));
  if (at === -1) throw new Error(`${chosen} is not in the database.`);
  return at;
}

test(`a server that finds a flipped bit in its ledger, ${finds} times, takes no changes, shows what there is, and goes on when it is back`, {
  timeout,
}, async () => {
  const chance = drawChances();
  const outcome = await tryUnder(async ({ folder, load, server, restart }) => {
    const database = join(folder, 'data', 'inventory.db');
    const count = (what: Event['what']) => load.history.filter((event) => event.what === what).length;
    let running = server;
    for (let round = 0; round < finds; round++) {
      await load.progress(100 + 200 * chance());
      running.signal('SIGTERM'); // Which takes all of the log into the database.
      expect(await running.ended).toBe(0);
      const bit = sourceAt(database, load.history, chance) * 8 + Math.floor(chance() * source.length * 8);
      flipBit(database, bit);
      running = await restart();
      await expect
        .poll(() => warningsOf(load), patience)
        .toContainEqual(
          expect.stringMatching(/^The store is damaged and takes no more changes\. Movement \d+ is not what/),
        );
      const [changes, looks] = [count('acknowledged'), count('seen')];
      await expect.poll(() => count('seen'), patience).toBeGreaterThan(looks + 10);
      expect(count('acknowledged')).toBe(changes);
      await running.kill();
      flipBit(database, bit);
      await verifyStore(`sqlite:${database}`, () => undefined); // As long as nobody has, it stays noted.
      running = await restart();
    }
    await load.progress(100);
  });
  expect(outcome.violations).toEqual([]);
  expect(outcome.repeated).toBeGreaterThan(finds);
});
