import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  deliveryRestMillisecondsMax,
  deliveryRestsMax,
  lineBytesMax,
  longWorkRestMillisecondsMax,
  longWorkRests,
  longWorkWaitMilliseconds,
  requestsInFlightMax,
  rowsPerRequest,
  sharedWorkMax,
  userWorkMax,
  userWorkSharedMilliseconds,
} from '../../src/model/limits.ts';
import { restOf, shareOf, weightOf } from '../../src/server/dispatch.ts';
import { FairShare } from '../../src/server/fair-share.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, line, openAs, WireClient } from '../support/wire-client.ts';

const [flooder, other] = [1, 2];

/** Asks for many things of weight 1 and tells how many were begun at once. */
function askMany(shares: FairShare, userId: number, count: number): number {
  let begun = 0;
  for (let at = 0; at < count; at++)
    shares.ask(userId, () => ({ weight: 1, rest: undefined, start: () => void begun++ }));
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
    shares.ask(flooder, () => ({ weight, rest: undefined, start }));
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
  shares.ask(flooder, () => ({ weight: sharedWorkMax, rest: undefined, start: (done) => void ends.push(done) }));
  const read: number[] = [];
  const begun: number[] = [];
  for (let at = 0; at < 100; at++) {
    shares.ask(flooder, () => {
      read.push(at);
      return at % 2 === 0 ? undefined : { weight: sharedWorkMax, rest: undefined, start: () => void begun.push(at) };
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
      return { weight: 1, rest: undefined, start: (done) => done() };
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
  const rest = { times: longWorkRests, millisecondsMax: longWorkRestMillisecondsMax };
  const ask = (userId: number, name: string, isLong: boolean) => {
    const start = (done: () => void) => {
      begun.push(name);
      if (isLong) end = done;
      else done();
    };
    shares.ask(userId, () => ({ weight: 1, rest: isLong ? rest : undefined, start }));
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
  shares.ask(flooder, () => ({ weight: 1, rest: undefined, start: (done) => void ends.push(done) }));
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

/** Long ones of the flooder, while another asks all the time. Nothing is done but what is told to end. */
function longWork({ times = 1, millisecondsMax = Number.POSITIVE_INFINITY }) {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  let clock = 0;
  let end = () => {};
  const shares = new FairShare(() => clock);
  const begun: string[] = [];
  const askOther = () =>
    void shares.ask(other, () => ({ weight: 1, rest: undefined, start: (done: () => void) => done() }));
  askOther();
  return {
    begun,
    askOther,
    ask(name: string) {
      const start = (done: () => void) => {
        begun.push(name);
        end = done;
      };
      return shares.ask(flooder, () => ({ weight: 1, rest: { times, millisecondsMax }, start }));
    },
    /** The one that was begun took so long. */
    async endAfter(milliseconds: number) {
      clock += milliseconds;
      askOther();
      end();
      await turnOfLoop();
    },
    /** Lets time go by, as others see it too. */
    wait(milliseconds: number) {
      clock += milliseconds;
      vi.advanceTimersByTime(milliseconds);
    },
  };
}

test('a rest ends when nobody else asks any more', async () => {
  const { begun, ask, endAfter, wait } = longWork({ times: 10 });
  ask('first');
  ask('second');
  await endAfter(userWorkSharedMilliseconds / 2);
  wait(userWorkSharedMilliseconds - 1);
  expect(begun).toEqual(['first']);
  wait(1);
  expect(begun).toEqual(['first', 'second']);
});

test('a rest goes on for as long as somebody else asks', async () => {
  const { begun, ask, askOther, endAfter, wait } = longWork({ times: 10 });
  ask('first');
  ask('second');
  await endAfter(userWorkSharedMilliseconds / 2);
  for (let tenth = 0; tenth < 49; tenth++) {
    wait(userWorkSharedMilliseconds / 10);
    askOther();
  }
  expect(begun).toEqual(['first']);
  wait(userWorkSharedMilliseconds / 10);
  expect(begun).toEqual(['first', 'second']);
});

test('those that rest together wait no longer than a client does', async () => {
  const count = 100;
  const { begun, ask, askOther, endAfter, wait } = longWork({ times: 99 });
  for (let at = 0; at <= count; at++) ask(`${at}`);
  await endAfter(longWorkWaitMilliseconds); // The first one: nobody knows yet how many there are.
  expect(begun).toHaveLength(1);
  let waited = 0;
  for (; begun.length <= count && waited < 10 * longWorkWaitMilliseconds; waited += 50) {
    wait(50);
    askOther();
    if (begun.length === 1) waited = 0;
    else await endAfter(1000);
  }
  expect(begun).toHaveLength(count + 1);
  expect(waited).toBeLessThan(longWorkWaitMilliseconds);
});

test('who goes while it rests, or before it is read, is forgotten, however many they are', async () => {
  const { begun, ask, askOther, endAfter, wait } = longWork({ times: 10 });
  ask('first');
  ask('second');
  const gone = Array.from({ length: 20_000 }, (_, at) => ask(`gone ${at}`));
  ask('last');
  for (const forget of gone.slice(0, 10_000)) forget();
  await endAfter(10);
  for (const forget of gone.slice(10_000)) forget();
  wait(100);
  await endAfter(10);
  wait(99); // Nor do they count for those that wait together.
  askOther();
  expect(begun).toEqual(['first', 'second']);
  wait(1);
  expect(begun).toEqual(['first', 'second', 'last']);
});

test('nothing of a line is kept when it was begun or forgotten, though it could still be forgotten', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // What the flag says there is.
  const shares = new FairShare(() => 0);
  const lines: WeakRef<object>[] = [];
  const ask = () => {
    const bytes = Buffer.alloc(1000);
    lines.push(new WeakRef(bytes));
    return shares.ask(flooder, () => ({
      weight: bytes.length && userWorkMax,
      rest: undefined,
      start: () => undefined,
    }));
  };
  const forgets = [ask(), ask()];
  forgets[1]?.();
  await turnOfLoop();
  collect();
  expect(lines.map((one) => one.deref())).toEqual([undefined, undefined]);
  for (const forget of forgets) forget();
});

test('whoever made many changes in one rests after it by their number', () => {
  const ofLines = (count: number) => restOf({ id: 1, method: 'add', params: { lines: Array(count).fill({}) } });
  const ofDelivery = (times: number) => ({ times, millisecondsMax: deliveryRestMillisecondsMax });
  expect(ofLines(16)).toBe(undefined);
  expect([17, 200, 1000].map(ofLines)).toEqual([longWorkRests, 20, deliveryRestsMax].map(ofDelivery));
  const part = { times: longWorkRests, millisecondsMax: longWorkRestMillisecondsMax };
  expect(restOf({ id: 1, method: 'import.page', params: {} })).toEqual(part);
  expect(restOf({ id: 1, method: 'undo', params: { seq: 1 } })).toEqual(part); // Perhaps of a thousand lines.
  expect(restOf({ id: 1, method: 'view', params: { limit: 1000 } })).toBe(undefined);
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

test('while others ask, a second large delivery waits, what is short goes before it, and who leaves does not have it done', async () => {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  const grant = await enrollAdministrator(server, administrator);
  const { client: clerk } = await enrollUser(server, administrator, 'clerk', 'clerk');
  const lines = Array.from({ length: 1000 }, (_, at) => ({ item: `Flood ${at}`, quantity: 1 }));
  const delivery = () => ({ lines, operation: randomUUID() });
  const asking = setInterval(() => clerk.write(line(1, 'ping')), userWorkSharedMilliseconds / 10);
  onTestFinished(() => clearInterval(asking));
  await clerk.ask('ping');
  const [first, second, leaving] = await Promise.all([1, 2, 3].map(() => openAs(server, grant['accessToken'])));
  if (!first || !second || !leaving) return expect.fail('nobody is there');
  await first.ask('add', delivery());
  const since = performance.now();
  second.write(line(1, 'add', delivery()));
  leaving.write(line(1, 'add', delivery()));
  expect((await administrator.ask('view'))?.result?.['seq']).toBe(lines.length);
  leaving.socket.destroy();
  expect(await second.reply()).toMatchObject({ id: 1, result: { lines: expect.any(Array) } });
  expect(performance.now() - since).toBeGreaterThan(100);
  expect((await first.ask('view'))?.result?.['seq']).toBe(2 * lines.length);
});
