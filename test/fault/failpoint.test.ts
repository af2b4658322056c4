import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { isLong, times } from './length.ts';
import type { Load } from './load.ts';
import { growLog } from './log-growth.ts';
import { drawChances } from './seed.ts';
import { type Fault, type Shim, whyNoShim } from './shim.ts';
import { type Stage, tryWithShim } from './trial.ts';

const reason = whyNoShim();
const skipped = reason === undefined ? '' : ` (skipped: ${reason})`;
const timeout = times(120_000, 900_000); // Each restart takes seconds on a busy machine.
const patienceMilliseconds = 30_000;

interface Place {
  readonly name: string;
  /** How the paths of the files end that are meant. */
  readonly ending?: string;
  readonly point: NonNullable<Fault['kill']>[0];
  /** How often the place is passed before; in later rounds up to twice as often. */
  readonly passes: number;
  readonly isInShortForm?: boolean;
}

/** The log is written and synced by each commit, the database by each checkpoint: one for every 16 MiB of log. */
const places: readonly Place[] = [
  { name: 'before a write of the log', ending: '-wal', point: 'before write', passes: 40 },
  { name: 'after a write of the log', ending: '-wal', point: 'after write', passes: 40 },
  { name: 'before a commit', ending: '-wal', point: 'before sync', passes: 10, isInShortForm: true },
  { name: 'after a commit', ending: '-wal', point: 'after sync', passes: 10 },
  { name: 'before a reply', point: 'before reply', passes: 30, isInShortForm: true },
  { name: 'after a reply', point: 'after reply', passes: 30 },
  { name: 'before a checkpoint', ending: '.db', point: 'before write', passes: 0 },
  { name: 'amid a checkpoint', ending: '.db', point: 'after write', passes: 100 },
  { name: 'before a checkpoint is synced', ending: '.db', point: 'before sync', passes: 0, isInShortForm: true },
  { name: 'after a checkpoint was synced', ending: '.db', point: 'after sync', passes: 0 },
];

/** Checkpoints are seldom; the log is made to grow until there is one. */
async function endOf({ server, load }: Stage, ending?: string): Promise<number | NodeJS.Signals> {
  const giveUpAt = performance.now() + patienceMilliseconds;
  let hasEnded = false;
  void server.ended.then(() => (hasEnded = true));
  while (ending === '.db' && !hasEnded && performance.now() < giveUpAt) await growLog(load);
  return server.ended;
}

const tried = places.filter(({ isInShortForm }) => isLong || isInShortForm);
const rounds = times(1, 12);

test.skipIf(reason !== undefined)(
  `a server that is killed ${rounds} times ${tried.map(({ name }) => name).join(', ')} loses and doubles nothing${skipped}`,
  { timeout },
  async () => {
    const chance = drawChances();
    const outcome = await tryWithShim(async (stage, shim) => {
      for (let round = 0; round < rounds; round++) {
        for (const { name, ending, point, passes } of tried) {
          const passed = round === 0 ? passes : Math.floor(chance() * 2 * passes);
          shim.set({ ...(ending === undefined ? {} : { ending }), kill: [point, passed] });
          expect(await endOf(stage, ending), name).toBe('SIGKILL');
          shim.set({});
          await stage.restart();
        }
      }
    });
    expect(outcome.violations).toEqual([]);
    expect(outcome.repeated).toBeGreaterThan(tried.length * rounds);
  },
);

describe.skipIf(reason !== undefined)(`a server whose files fail under load${skipped}`, () => {
  const faults: readonly (readonly [name: string, fault: Fault])[] = [
    ['syncs of the log fail', { fsyncs: -1, ending: '-wal' }],
    ['one sync fails', { fsyncs: 1, ending: '-wal' }],
    ['writes are cut short', { writes: 3, shorts: true, ending: '-wal' }],
    ['checkpoints fail', { writes: -1, fsyncs: -1, ending: '.db' }],
    ['the disk is full for a moment', { writes: 2, error: 'ENOSPC', ending: '-wal' }],
    ['the folder turns read-only', { writes: -1, fsyncs: -1, opens: -1, error: 'EROFS' }],
  ];
  const repeats = times(1, 40);

  /** How much has failed, as soon as anything has. */
  async function hitsOf(shim: Shim, load: Load, { ending }: Fault): Promise<number> {
    const giveUpAt = performance.now() + patienceMilliseconds;
    while (shim.hits() === 0 && performance.now() < giveUpAt) {
      if (ending === '.db') await growLog(load);
      else await sleep(1);
    }
    return shim.hits();
  }

  test(`${faults.length * repeats} times loses and doubles nothing, and no look is wrong`, { timeout }, async () => {
    const chance = drawChances();
    const outcome = await tryWithShim(async ({ load }, shim) => {
      for (let repeat = 0; repeat < repeats; repeat++) {
        for (const [name, fault] of faults) {
          shim.set(fault);
          expect(await hitsOf(shim, load, fault), name).toBeGreaterThan(0);
          await sleep(10 * chance()); // How much fails besides is left to chance.
          shim.set({});
          await load.progress(50);
        }
      }
    });
    expect(outcome.violations).toEqual([]);
    expect(outcome.repeated).toBeGreaterThan(repeats);
  });
});
