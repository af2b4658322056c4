import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  lineBytesMax,
  longWorkRestMillisecondsMax,
  longWorkRests,
  requestsInFlightMax,
  rowsPerRequest,
  sharedWorkMax,
  userWorkMax,
  userWorkSharedMilliseconds,
} from '../../src/model/limits.ts';
import { isLong, shareOf, weightOf } from '../../src/server/dispatch.ts';
import { FairShare } from '../../src/server/fair-share.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, line, openAs, WireClient } from '../support/wire-client.ts';

const [flooder, other] = [1, 2];

/** Asks for many things of weight 1 and tells how many were begun at once. */
function askMany(shares: FairShare, userId: number, count: number): number {
  let begun = 0;
  for (let at = 0; at < count; at++)
    shares.ask(userId, () => ({ weight: 1, isLong: false, start: () => void begun++ }));
  return begun;
}

const turnOfLoop = () => new Promise((resolve) => setImmediate(resolve));

test('whoever is alone may use as much as the store commits at once; who is not, a share', () => {
  const shares = new FairShare(() => 0);
  expect(askMany(shares, flooder, userWorkMax + 10)).toBe(userWorkMax);
  expect(askMany(shares, other, 1000)).toBe(sharedWorkMax);
  expect(askMany(shares, flooder, 10)).toBe(0);
});

test('what waits is begun in its order, when as much was answered, and the largest requests are worked on alone', async () => {
  const shares = new FairShare(() => 0);
  askMany(shares, other, 1);
  const begun: string[] = [];
  let end = () => {};
  const ask = (name: string, weight: number) => {
    const start = (done: () => void) => {
      begun.push(name);
      end = done;
    };
    shares.ask(flooder, () => ({ weight, isLong: false, start }));
  };
  ask('huge', 2 * sharedWorkMax);
  ask('small', 1);
  ask('huge, too', 2 * sharedWorkMax);
  ask('last', 1);
  expect(begun).toEqual(['huge']);
  end();
  await turnOfLoop();
  expect(begun).toEqual(['huge', 'small']);
  end();
  await turnOfLoop();
  expect(begun).toEqual(['huge', 'small', 'huge, too']);
  end();
  await turnOfLoop();
  expect(begun).toEqual(['huge', 'small', 'huge, too', 'last']);
});

test('of what waits only the first is read, and what comes to nothing holds nobody up', async () => {
  const shares = new FairShare(() => 0);
  askMany(shares, other, 1);
  const ends: (() => void)[] = [];
  shares.ask(flooder, () => ({ weight: sharedWorkMax, isLong: false, start: (done) => void ends.push(done) }));
  const read: number[] = [];
  const begun: number[] = [];
  for (let at = 0; at < 100; at++) {
    shares.ask(flooder, () => {
      read.push(at);
      return at % 2 === 0 ? undefined : { weight: sharedWorkMax, isLong: false, start: () => void begun.push(at) };
    });
  }
  expect(read).toEqual([0, 1]);
  for (const end of ends) end();
  await turnOfLoop();
  expect([read, begun]).toEqual([[0, 1, 2, 3], [1]]);
});

test('whose line takes long to read has the next one read after as long', async () => {
  const shares = new FairShare(() => clock);
  let clock = 0;
  const read: string[] = [];
  const ask = (userId: number, name: string, milliseconds: number) => {
    shares.ask(userId, () => {
      clock += milliseconds;
      read.push(name);
      return { weight: 1, isLong: false, start: (done) => done() };
    });
  };
  ask(flooder, 'long', 100);
  ask(flooder, 'next', 0);
  await turnOfLoop();
  ask(other, 'of somebody else', 0);
  expect(read).toEqual(['long', 'of somebody else']);
  await expect.poll(() => read).toEqual(['long', 'of somebody else', 'next']);
});

test('what is long is worked on alone, and while others ask its user rests many times as long before the next one', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  let clock = 0;
  const shares = new FairShare(() => clock);
  const begun: string[] = [];
  let end = () => {};
  const ask = (userId: number, name: string, isLong: boolean) => {
    const start = (done: () => void) => {
      begun.push(name);
      if (isLong) end = done;
      else done();
    };
    shares.ask(userId, () => ({ weight: 1, isLong, start }));
  };
  const endAfter = async (milliseconds: number) => {
    clock += milliseconds;
    end();
    await turnOfLoop();
  };
  ask(flooder, 'long', true);
  ask(flooder, 'long 2', true);
  ask(flooder, 'long 3', true);
  expect(begun).toEqual(['long']);
  await endAfter(20); // Alone, the next one is begun at once.
  expect(begun.splice(0)).toEqual(['long', 'long 2']);
  ask(other, 'of somebody else', false);
  await endAfter(20);
  expect(begun.splice(0)).toEqual(['of somebody else']);
  vi.advanceTimersByTime(longWorkRests * 20 - 1);
  expect(begun).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(begun.splice(0)).toEqual(['long 3']);
  ask(flooder, 'long 4', true);
  ask(flooder, 'short', false);
  await endAfter(60_000); // Nobody else has asked since.
  expect(begun.splice(0)).toEqual(['long 4', 'short']);
  ask(other, 'of somebody else', false);
  ask(flooder, 'long 5', true);
  await endAfter(userWorkSharedMilliseconds - 1);
  expect(begun.splice(0)).toEqual(['of somebody else']);
  ask(flooder, 'short', false); // From another terminal: somebody else's rest is no reason to wait.
  ask(flooder, 'long 6', true);
  ask(flooder, 'short 2', false);
  expect(begun.splice(0)).toEqual(['short', 'short 2']);
  vi.advanceTimersByTime(longWorkRestMillisecondsMax - 1);
  const ends: (() => void)[] = [];
  shares.ask(flooder, () => ({ weight: 1, isLong: false, start: (done) => void ends.push(done) }));
  expect(begun).toEqual([]);
  vi.advanceTimersByTime(1); // When everything is slow, nobody waits so many times as long.
  ask(flooder, 'short 3', false); // Its turn is after that of what has rested.
  expect(begun).toEqual([]);
  for (const end of ends) end();
  await turnOfLoop();
  await turnOfLoop();
  expect(begun.splice(0)).toEqual(['long 5']);
  ask(other, 'of somebody else', false);
  await endAfter(20);
  await turnOfLoop();
  expect(begun.splice(0)).toEqual(['of somebody else', 'short 3']);
  vi.advanceTimersByTime(longWorkRests * 20);
  expect(begun).toEqual(['long 6']);
});

test('a request is long when it has many changes', () => {
  const ofLines = (count: number) => isLong({ id: 1, method: 'add', params: { lines: Array(count).fill({}) } });
  expect([ofLines(16), ofLines(17), ofLines(1000)]).toEqual([false, true, true]);
  expect(isLong({ id: 1, method: 'import.page', params: {} })).toBe(true);
  expect(isLong({ id: 1, method: 'undo', params: { seq: 1 } })).toBe(true); // Perhaps of a thousand lines.
  expect(isLong({ id: 1, method: 'view', params: { limit: 1000 } })).toBe(false);
});

test('of its share a delivery takes as much as its lines would by themselves', () => {
  const ofLines = (count: number) =>
    shareOf({ id: 1, method: 'add', params: { lines: Array(count).fill({}) } }, Math.ceil(count / rowsPerRequest));
  expect([ofLines(1), ofLines(16), ofLines(1000)]).toEqual([1, 16, 1000]);
});

test.each([
  ['view', {}, 1],
  ['view', { sort: '-name', location: 'main', low: false }, 1],
  ['view', { items: ['Soap'], sort: 'sku' }, 1],
  ['view', { sort: 'sku' }, userWorkMax / 8],
  ['view', { search: 'b' }, userWorkMax / 8],
  ['view', { category: 'Food' }, userWorkMax / 8],
  ['view', { low: true }, userWorkMax / 8],
  ['view', { archived: true }, userWorkMax / 8],
  ['history', {}, 1],
  ['history', { kind: 'count' }, sharedWorkMax / 2],
  ['history', { user: 'clerk' }, sharedWorkMax / 2],
])(
  'of its share %s with %j takes as much as it may look at, however few rows it is to have',
  (method, params, share) => {
    expect(shareOf({ id: 1, method, params: { ...params, limit: 1 } }, 1)).toBe(share);
  },
);

test.each([
  ['view', { limit: 1000 }, 63],
  ['history', {}, 7],
  ['audit', { limit: 1000 }, 63],
  ['audit', {}, 7],
  ['view', { items: ['Soap'], limit: 1000 }, 1],
  ['ping', { limit: 1000 }, 1],
  ['add', { lines: Array(1000).fill({}) }, 63],
  ['view', { limit: 1e9 }, 63],
  ['view', { limit: -1 }, 1],
])('%s with %j weighs as its rows do', (method, params, weight) => {
  expect(weightOf({ id: 1, method, params }, 100)).toBe(weight);
});

test('a line weighs as its bytes do, and a page of an import as all that may be in flight', () => {
  expect(weightOf({ id: 1, method: 'ping', params: {} }, lineBytesMax)).toBe(64);
  expect(weightOf({ id: 1, method: 'import.page', params: {} }, 100)).toBe(requestsInFlightMax);
});

test('one user who floods from 8 connections is not served before whoever asks for one thing', async () => {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  const grant = await enrollAdministrator(server, administrator);
  const { client: clerk } = await enrollUser(server, administrator, 'clerk', 'clerk');
  const crowd = await Promise.all(Array.from({ length: 8 }, () => openAs(server, grant['accessToken'])));
  await clerk.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() });
  for (const one of crowd) {
    for (let id = 0; id < requestsInFlightMax; id++) {
      one.write(line(id, 'add', { item: 'Flood', quantity: 1, operation: randomUUID() }));
    }
  }
  await Promise.race(crowd.map((one) => one.reply()));
  const added = await clerk.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() });
  expect(added).toMatchObject({ result: { balance: 2 } });
  expect(added?.result?.['seq']).toBeLessThan((8 * requestsInFlightMax) / 2);
});

test('whoever cuts a delivery in short pieces has no more of the store', async () => {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  const grant = await enrollAdministrator(server, administrator);
  const { client: clerk } = await enrollUser(server, administrator, 'clerk', 'clerk');
  const crowd = await Promise.all(
    Array.from({ length: 2 * sharedWorkMax }, () => openAs(server, grant['accessToken'])),
  );
  await clerk.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() });
  const lines = Array.from({ length: rowsPerRequest }, (_, at) => ({ item: `Flood ${at}`, quantity: 1 }));
  for (const one of crowd) one.write(line(1, 'add', { lines, operation: randomUUID() }));
  await Promise.race(crowd.map((one) => one.reply()));
  const added = await clerk.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() });
  expect(added).toMatchObject({ result: { balance: 2 } });
  expect(added?.result?.['seq']).toBeLessThan(sharedWorkMax * rowsPerRequest);
});

test('what somebody has asked for and not got when they leave is not done any more', async () => {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  const grant = await enrollAdministrator(server, administrator);
  const { client: clerk } = await enrollUser(server, administrator, 'clerk', 'clerk');
  const leaving = await openAs(server, grant['accessToken']);
  await clerk.ask('ping');
  for (let id = 0; id < requestsInFlightMax; id++) {
    leaving.write(line(id, 'add', { item: 'Flood', quantity: 1, operation: randomUUID() }));
  }
  await leaving.reply();
  leaving.socket.destroy();
  // Of the same user, so it waits behind all that.
  const viewed = await administrator.ask('view');
  expect(viewed?.result?.['seq']).toBeLessThan(requestsInFlightMax);
});
