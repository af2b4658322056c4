import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { type Attempt, Throttle } from '../../src/auth/throttle.ts';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/store.ts';
import { note } from '../store/intent.ts';
import { temporaryFolder } from '../support/server.ts';

const minute = 60_000;

/** A store with the user 1, and a throttle over it whose clock the test turns. */
async function open() {
  const path = `sqlite:${join(await temporaryFolder(), 'inv.db')}`;
  const store = await openStore(path, { exclusive: true });
  await store.addUser(note, 'anna', 'clerk', null, 1);
  const clock = { now: 1_800_000_000_000 };
  const errors: unknown[] = [];
  const throttle = await Throttle.open(
    store,
    () => clock.now,
    (error) => errors.push(error),
  );
  onTestFinished(async () => {
    await throttle.settle();
    await store.close();
    expect(errors).toEqual([]);
  });
  return { path, store, clock, throttle };
}

const from = (address: string) => ({ key: `address:${address}`, isKnown: false, address });
const device = { key: 'device:mine', isKnown: true, address: '192.0.2.1' };

function begin(throttle: Throttle, name: string, source = from('192.0.2.1')): Attempt {
  return throttle.login(name, name === 'anna' ? 1 : undefined, source);
}

test('of tries at once no more are let through than one after the other', async () => {
  const { throttle, clock } = await open();
  const tries = (name: string, addresses: number) =>
    Array.from({ length: 20 }, (_, at) => {
      try {
        return [begin(throttle, name, from(`198.51.100.${at % addresses}`))];
      } catch (error) {
        expect(error).toMatchObject({ code: 'busy' });
        return [];
      }
    }).flat();
  for (const name of ['anna', 'nobody']) {
    const open = tries(name, 1);
    expect(open).toHaveLength(3);
    for (const attempt of open) attempt.fail();
    expect(tries(name, 1)).toHaveLength(0);
    expect(tries(name, 20)).toHaveLength(7);
    clock.now += 20 * minute;
  }
});

test('an attempt that was not judged never was, and one that was blocked lengthens nothing', async () => {
  const { throttle, clock } = await open();
  for (let at = 0; at < 30; at++) begin(throttle, 'anna')[Symbol.dispose]();
  for (let at = 0; at < 3; at++) begin(throttle, 'anna').fail();
  for (let at = 0; at < 50; at++) expect(() => begin(throttle, 'anna')).toThrow('Try again in 1 s.');
  clock.now += 999;
  expect(() => begin(throttle, 'anna')).toThrow('Try again in 1 s.');
  clock.now += 1;
  begin(throttle, 'anna').succeed();
  for (let at = 0; at < 3; at++) begin(throttle, 'anna').fail();
});

test('an address has 20 failures in 60 seconds, whatever it fails at; who is known does not depend on it', async () => {
  const { throttle, clock } = await open();
  for (let at = 0; at < 19; at++) {
    if (at % 2 === 0) begin(throttle, `nobody-${at}`).fail();
    else throttle.reserveAddress('192.0.2.1').fail();
    clock.now += 1000;
  }
  begin(throttle, 'anna').succeed();
  throttle.reserveAddress('192.0.2.1').succeed();
  const last = throttle.reserveAddress('192.0.2.1');
  const refused = { code: 'busy', message: 'Too many failed logins from your address. Try again in 41 s.' };
  for (const name of ['anna', 'nobody']) {
    expect(() => begin(throttle, name)).toThrow(expect.objectContaining(refused));
  }
  expect(() => throttle.reserveAddress('192.0.2.1')).toThrow(expect.objectContaining(refused));
  throttle.reserveAddress('192.0.2.2').fail();
  begin(throttle, 'anna', device).fail();
  last.fail();
  clock.now += 41_000;
  begin(throttle, 'nobody').fail();
  expect(() => begin(throttle, 'nobody')).toThrow('from your address');
});

test('users and names that nobody has are told the same, whatever is tried in whatever order', async () => {
  const { throttle, clock } = await open();
  const step = fc.record({
    pause: fc.oneof(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 0, max: 20 * minute })),
    address: fc.integer({ min: 1, max: 30 }),
    outcome: fc.constantFrom('fail', 'dispose', 'leave open'),
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      await throttle.forget(1);
      const name = `nobody-${++run}`;
      const left: Attempt[] = [];
      for (const { pause, address, outcome } of steps) {
        clock.now += pause;
        const [known, unknown] = ['anna', name].map((who) => {
          try {
            // Not the same address, whose own limit would tell the two apart.
            const attempt = begin(throttle, who, { ...from(`${address}`), address: `${who} ${address} ${run}` });
            if (outcome === 'fail') attempt.fail();
            if (outcome === 'dispose') attempt[Symbol.dispose]();
            left.push(attempt);
            return attempt.isShutOut;
          } catch (error) {
            // The hint repeats the name that was given.
            return JSON.stringify(error).replace(`unlock ${who}"`, 'unlock NAME"');
          }
        });
        expect(known).toBe(unknown);
      }
      for (const attempt of left) attempt[Symbol.dispose]();
    }),
    { numRuns: 100 },
  );
});

test('failures survive a restart, and writes of one user never overtake each other', async () => {
  const { store, throttle, clock } = await open();
  for (let at = 0; at < 10; at++) begin(throttle, 'anna', from(`198.51.100.${at}`)).fail();
  await throttle.settle();
  const again = await Throttle.open(
    store,
    () => clock.now,
    () => expect.unreachable(),
  );
  expect(() => begin(again, 'anna')).toThrow('Try again in 900 s.');
  expect(() => begin(again, 'anna', device)).not.toThrow();
  await again.forget(1);
  expect(await store.throttles()).toEqual([]);
});

test('a failure writes to the disk whether or not there is such a user, so that no pause tells', async () => {
  const { path, throttle } = await open();
  begin(throttle, 'anna').fail();
  begin(throttle, 'nobody').fail();
  await throttle.settle();
  const database = new DatabaseSync(path.slice('sqlite:'.length), { readOnly: true });
  const { user, nobody } = database
    .prepare('SELECT throttle AS user, nobodys_throttle AS nobody FROM user, meta')
    .get() as Record<string, unknown>; // The row of a query is made of its columns.
  database.close();
  expect(user).toContain('"inARow":1');
  expect(nobody).toBe(user);
});

test('a reset by another process reaches a running server', async () => {
  const { path, store, throttle } = await open();
  for (let at = 0; at < 10; at++) begin(throttle, 'anna', from(`198.51.100.${at}`)).fail();
  await throttle.settle();
  const changed = new Promise<void>((resolve) => store.onOutsideChange(resolve));
  const beside = await openStore(path, { exclusive: false });
  await beside.resetUser(note, 1, { hash: new Uint8Array(32), expiresAt: 9 }, 0);
  await beside.close();
  await changed;
  await store.throttles(); // Behind the throttle's own look.
  begin(throttle, 'anna').fail();
});

test('what cannot be saved is told, holds in memory, and is saved with the next failure', async () => {
  const errors: unknown[] = [];
  const { store } = await open();
  let isFull = true;
  const listeners: (() => void)[] = [];
  // A real store but for one method, because a full disk cannot be had for a moment.
  const full: Store = Object.assign(Object.create(store), {
    saveThrottle: (id: number, state: string | null) =>
      isFull ? Promise.reject(new Error('full')) : store.saveThrottle(id, state),
    throttles: () => store.throttles(),
    onOutsideChange: (listener: () => void) => listeners.push(listener),
  });
  const throttle = await Throttle.open(
    full,
    () => 1_800_000_000_000,
    (error) => errors.push(error),
  );
  for (let at = 0; at < 3; at++) begin(throttle, 'anna').fail();
  await throttle.settle();
  expect(errors).toMatchObject([{ message: 'full' }]);
  for (const listener of listeners) listener();
  await store.throttles();
  expect(() => begin(throttle, 'anna')).toThrow('Try again in 1 s.');
  isFull = false;
  begin(throttle, 'anna', from('192.0.2.9')).fail();
  await throttle.settle();
  expect(JSON.parse((await store.throttles())[0]?.state ?? '')).toMatchObject({ inARow: 4 });
});
