import fc from 'fast-check';
import { beforeEach, expect, test, vi } from 'vitest';
import { soon } from './slow.ts';
import { defineTarget } from './target.ts';

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function targetThat(attempt: () => unknown) {
  return defineTarget('one', 50, fc.nat(), async () => ({ attempt, close: () => undefined })).open();
}

test('a batch with an input that never ends has found something', async () => {
  const target = await targetThat(() => new Promise(() => undefined));
  const found = expect(target.run(1)).rejects.toThrow('It hangs');
  await vi.advanceTimersByTimeAsync(200_000);
  await found;
});

test('a batch on a slow machine is tried to its end', async () => {
  const target = await targetThat(() => wait(2000));
  const run = target.run(1);
  await vi.advanceTimersByTimeAsync(200_000);
  expect(await run).toBe(50);
});

test.each([
  ['once may be the machine', 1, 'taken'],
  ['twice has taken too long', 2, 'It took 1500 ms'],
])('what is slow %s', async (_what, slowTimes, outcome) => {
  let times = 0;
  const done = soon(() => wait(++times <= slowTimes ? 1500 : 10)).then(
    () => 'taken',
    (error: unknown) => String(error),
  );
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await done).toContain(outcome);
});
