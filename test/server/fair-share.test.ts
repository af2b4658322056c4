import { randomUUID } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Failure } from '../../src/model/failure.ts';
import {
  deliveryRestMillisecondsMax,
  deliveryRestsMax,
  importPageRestMillisecondsMax,
  lineBytesMax,
  lineReadMillisecondsMax,
  longWorkRests,
  requestsInFlightMax,
  rowsPerRequest,
  sharedChangesPerSecondMax,
  sharedWorkMax,
  userWorkMax,
  userWorkSharedMilliseconds,
} from '../../src/model/limits.ts';
import { changesOf, isLong, restOf, shareOf, weightOf } from '../../src/server/dispatch.ts';
import { FairShare, type Rest } from '../../src/server/fair-share.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, line, openAs, WireClient } from '../support/wire-client.ts';

const [flooder, other] = [1, 2];

/** Asks for many things of weight 1 and tells how many were begun at once. */
function askMany(shares: FairShare, userId: number, count: number): number {
  let begun = 0;
  for (let at = 0; at < count; at++)
    shares.ask(userId, () => ({ weight: 1, changes: 0, isLong: false, start: () => void begun++ }));
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
    shares.ask(flooder, () => ({ weight, changes: 0, isLong: false, start }));
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
  shares.ask(flooder, () => ({
    weight: sharedWorkMax,
    changes: 0,
    isLong: false,
    start: (done) => void ends.push(done),
  }));
  const read: number[] = [];
  const begun: number[] = [];
  for (let at = 0; at < 100; at++) {
    shares.ask(flooder, () => {
      read.push(at);
      return at % 2 === 0
        ? undefined
        : { weight: sharedWorkMax, changes: 0, isLong: false, start: () => void begun.push(at) };
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
      return { weight: 1, changes: 0, isLong: false, start: (done) => done() };
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
  const rest = { times: longWorkRests, millisecondsMax: importPageRestMillisecondsMax };
  const ask = (userId: number, name: string, isLong: boolean) => {
    const start = (done: (rest?: Rest) => void) => {
      begun.push(name);
      if (isLong) end = () => done(rest);
      else done();
    };
    shares.ask(userId, () => ({ weight: 1, changes: 0, isLong, start }));
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
  vi.advanceTimersByTime(importPageRestMillisecondsMax - 1);
  const ends: (() => void)[] = [];
  shares.ask(flooder, () => ({ weight: 1, changes: 0, isLong: false, start: (done) => void ends.push(done) }));
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

/** Long ones of the flooder, each followed by a rest of ten times as long, while another asks. Each ends when it is told to. */
function longWork() {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  let clock = 0;
  let end = () => {};
  const shares = new FairShare(() => clock);
  const begun: string[] = [];
  const askOther = () =>
    void shares.ask(other, () => ({ weight: 1, changes: 0, isLong: false, start: (done) => done() }));
  askOther();
  return {
    begun,
    shares,
    askOther,
    ask(name: string) {
      const start = (done: (rest?: Rest) => void) => {
        begun.push(name);
        end = () => done({ times: 10, millisecondsMax: Number.POSITIVE_INFINITY });
      };
      return shares.ask(flooder, () => ({ weight: 1, changes: 0, isLong: true, start }));
    },
    /** The one that was begun took so long. */
    async endAfter(milliseconds: number) {
      clock += milliseconds;
      askOther();
      end();
      end = () => expect.fail('Nothing was begun.');
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
  const { begun, ask, endAfter, wait } = longWork();
  ask('first');
  ask('second');
  await endAfter(userWorkSharedMilliseconds / 2);
  wait(userWorkSharedMilliseconds - 1);
  expect(begun).toEqual(['first']);
  wait(1);
  expect(begun).toEqual(['first', 'second']);
});

test('a rest goes on for as long as somebody else asks', async () => {
  const { begun, ask, askOther, endAfter, wait } = longWork();
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

test('who is gone is forgotten, unread, at rest, or first in the line, however many they are', async () => {
  const { begun, ask, askOther, endAfter, wait } = longWork();
  ask('first');
  const gone = Array.from({ length: 20_000 }, (_, at) => ask(`gone ${at}`));
  ask('second');
  for (const forget of gone.slice(0, 10_000)) forget();
  await endAfter(10);
  for (const forget of gone.slice(10_000)) forget();
  expect(begun).toEqual(['first']);
  askOther();
  wait(100);
  expect(begun).toEqual(['first', 'second']);
});

test('whoever waits behind what is forgotten waits for it no longer', () => {
  const shares = new FairShare(() => 0);
  askMany(shares, other, 1);
  const begun: string[] = [];
  const ask = (name: string, weight: number) =>
    shares.ask(flooder, () => ({ weight, changes: 0, isLong: false, start: () => void begun.push(name) }));
  ask('small', 1);
  const forget = ask('huge', 2 * sharedWorkMax);
  ask('small, too', 1);
  expect(begun).toEqual(['small']);
  forget();
  expect(begun).toEqual(['small', 'small, too']);
});

test('nothing of a line is kept when it was begun or forgotten, though it could still be forgotten', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // What the flag says there is.
  const { shares, ask, endAfter } = longWork();
  const lines: WeakRef<object>[] = [];
  const askFor = (isLong: boolean) => {
    const bytes = Buffer.alloc(1000);
    lines.push(new WeakRef(bytes));
    return shares.ask(flooder, () => ({ weight: bytes.length, changes: 0, isLong, start: () => undefined }));
  };
  ask('long');
  const unread = [askFor(false), askFor(false)];
  unread[1]?.();
  await endAfter(10); // The first is begun, and never done.
  const atRest = askFor(true);
  atRest();
  await turnOfLoop();
  collect();
  expect(lines.map((one) => one.deref())).toEqual([undefined, undefined, undefined]);
  for (const forget of [...unread, atRest]) forget();
});

test('while others ask, lines that take long to read together have the next one read after as long', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  let clock = 0;
  const shares = new FairShare(() => clock);
  askMany(shares, other, 1);
  let read = 0;
  let end: (rest?: Rest) => void = () => {};
  const start = (done: (rest?: Rest) => void) => {
    end = done;
  };
  for (let at = 0; at < 10; at++) {
    shares.ask(flooder, () => {
      read++;
      clock += 0.75 * lineReadMillisecondsMax;
      return { weight: 1, changes: 0, isLong: true, start };
    });
  }
  expect(read).toBe(2); // The second does not fit.
  end({ times: 1000, millisecondsMax: 1000 });
  await turnOfLoop();
  expect(read).toBe(2);
  for (const next of [4, 6]) {
    vi.advanceTimersByTime(1.5 * lineReadMillisecondsMax);
    expect(read).toBe(next);
  }
});

/** Changes of the flooder, each done at once, while another asks or not. */
function changing() {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  let clock = 0;
  let made = 0;
  const shares = new FairShare(() => clock);
  const change = () =>
    shares.ask(flooder, () => {
      const start = (done: () => void) => {
        made++;
        done();
      };
      return { weight: 1, changes: 1, isLong: false, start };
    });
  return {
    change,
    askOther: () => void askMany(shares, other, 1),
    made: () => made,
    /** Lets time go by, a millisecond after the other, in each of which there is a turn of the event loop. */
    async wait(milliseconds: number) {
      for (let at = 0; at < milliseconds; at++) {
        clock++;
        vi.advanceTimersByTime(1);
        await turnOfLoop();
      }
    },
  };
}

test('while others ask, so many changes of a user are made in a second, and of who is alone all', async () => {
  const { change, askOther, made, wait } = changing();
  for (let at = 0; at < 5000; at++) change();
  expect(made()).toBe(userWorkMax);
  await wait(2);
  expect(made()).toBe(5000); // And nothing of that is held against them when somebody comes.
  const tenth = sharedChangesPerSecondMax / 10;
  askOther();
  for (let at = 0; at < 3 * tenth; at++) change();
  await wait(100);
  expect(made() - 5000).toBeGreaterThanOrEqual(tenth);
  expect(made() - 5000).toBeLessThanOrEqual(tenth + 2 * sharedWorkMax);
  await wait(100);
  expect(made() - 5000).toBeGreaterThanOrEqual(2 * tenth);
  expect(made() - 5000).toBeLessThanOrEqual(2 * tenth + 2 * sharedWorkMax);
  await wait(800); // The other has gone.
  expect(made() - 5000).toBe(3 * tenth);
});

test('whoever asks for few changes at a time, over and over, makes no more of them', async () => {
  const { change, askOther, made, wait } = changing();
  askOther();
  for (let at = 0; at < 100; at++) {
    for (let few = 0; few < sharedWorkMax / 2; few++) change();
    await wait(1);
  }
  expect(made()).toBeLessThanOrEqual(sharedChangesPerSecondMax / 10 + 2 * sharedWorkMax);
});

test('a change is what writes into the ledger or of items, each line of it', () => {
  const of = (method: string, params: object = {}) => changesOf({ id: 1, method, params: { ...params } });
  expect(['add', 'take', 'move', 'count', 'item.edit', 'item.add', 'location.rename'].map((one) => of(one))).toEqual(
    Array(7).fill(1),
  );
  expect(
    ['view', 'history', 'ping', 'watch', 'whoami', 'import.page', 'undo', 'nothing'].map((one) => of(one)),
  ).toEqual(Array(8).fill(0));
  expect([of('add', { lines: [{}, {}] }), of('add', { lines: Array(17).fill({}) })]).toEqual([2, 0]);
});

test('whoever made many changes in one rests after it by their number', () => {
  const reply = { id: 1, result: {} };
  const ofDelivery = (count: number) => {
    const request = { id: 1, method: 'add', params: { lines: Array(count).fill({}) } };
    return [isLong(request), restOf(request, reply)];
  };
  const rest = (times: number) => ({ times, millisecondsMax: deliveryRestMillisecondsMax });
  expect(ofDelivery(16)[0]).toBe(false);
  expect([17, 90, 1000].map(ofDelivery)).toEqual(
    [longWorkRests, 30, deliveryRestsMax].map((times) => [true, rest(times)]),
  );
  const undo = { id: 1, method: 'undo', params: { seq: 1 } };
  const undone = (count: number) => restOf(undo, { id: 1, result: { lines: Array(count).fill({}), operation: 'x' } });
  expect([isLong(undo), undone(1), undone(1000)]).toEqual([true, rest(longWorkRests), rest(deliveryRestsMax)]);
  expect(restOf(undo, { id: 1, failure: new Failure('conflict', 'It was undone.') })).toEqual(rest(longWorkRests));
  const page = { id: 1, method: 'import.page', params: {} };
  const pageRest = { times: longWorkRests, millisecondsMax: importPageRestMillisecondsMax };
  expect([isLong(page), restOf(page, reply)]).toEqual([true, pageRest]);
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

test('while others ask, large deliveries wait for a rest, what is short does not, and who is cut off does not have it done', async () => {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  const grant = await enrollAdministrator(server, administrator);
  const { client: clerk } = await enrollUser(server, administrator, 'clerk', 'clerk');
  const lines = Array.from({ length: 1000 }, (_, at) => ({ item: `Flood ${at}`, quantity: 1 }));
  const delivery = () => line(1, 'add', { lines, operation: randomUUID() });
  const asking = setInterval(() => clerk.write(line(1, 'ping')), userWorkSharedMilliseconds / 20);
  onTestFinished(() => clearInterval(asking));
  await clerk.ask('ping');
  const open = () => openAs(server, grant['accessToken']);
  const [first, second] = [await open(), await open()];
  const wire = connectTcp(server.port, '127.0.0.1');
  const leaving = await WireClient.open(server, { socket: wire });
  await leaving.ask('authenticate', { token: grant['accessToken'] });
  first.write(delivery());
  expect(await first.reply()).toMatchObject({ result: { lines: expect.any(Array) } });
  const since = performance.now();
  await new Promise((resolve) => leaving.socket.write(delivery(), resolve));
  expect(await administrator.ask('ping')).toHaveProperty('result'); // By now that was read.
  wire.resetAndDestroy();
  second.write(delivery());
  expect((await administrator.ask('view'))?.result?.['seq']).toBe(lines.length);
  expect(await second.reply()).toMatchObject({ result: { lines: expect.any(Array) } });
  expect(performance.now() - since).toBeGreaterThan(100);
  expect((await administrator.ask('view'))?.result?.['seq']).toBe(2 * lines.length);
});
