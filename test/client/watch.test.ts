import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, expectTypeOf, onTestFinished, test } from 'vitest';
import { connect, type Inventory, type WatchedMovement } from '../../src/index.ts';
import { openWay } from '../support/cuttable-way.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator } from '../support/wire-client.ts';

/** A server, the way to it, and an inventory at its end. */
async function open() {
  const server = await startServer();
  const { accessToken = '' } = await enrollAdministrator(server);
  const ca = join(server.folder, 'ca.pem');
  await writeFile(ca, server.ca);
  const way = await openWay(() => server.port);
  const inventoryOf = async (port: number): Promise<Inventory> => {
    const inventory = await connect({ server: `127.0.0.1:${port}`, ca, token: accessToken });
    onTestFinished(() => inventory.close());
    return inventory;
  };
  return { server, way, inventoryOf };
}

/** The numbers of the next movements. */
async function take(watch: AsyncIterator<WatchedMovement>, count: number): Promise<number[]> {
  const seqs: number[] = [];
  while (seqs.length < count) {
    const next = await watch.next();
    if (next.done) break;
    seqs.push(next.value.seq);
  }
  return seqs;
}

/** Adds one, however often that takes to get through. */
async function addSurely(writer: Inventory, item: string): Promise<void> {
  const operation = randomUUID();
  for (;;) {
    try {
      await writer.add({ item, quantity: 1, operation });
      return;
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(unreachable|going-away|unconfirmed)$/) });
      await sleep(20);
    }
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

test('nothing is missed and nothing comes twice while eight write, the way is cut and the server restarts', async () => {
  const { server, way, inventoryOf } = await open();
  const watching = await inventoryOf(way.port);
  const watch = watching.watch({ after: 0 });
  const writers = await Promise.all(upTo(8).map(() => inventoryOf(way.port)));
  let isWriting = true;
  const written = Promise.all(
    writers.map(async (writer, at) => {
      let count = 0;
      for (; isWriting; count++) await addSurely(writer, `Item ${at}`);
      return count;
    }),
  );
  const seen: number[] = [];
  const watched = (async () => {
    for await (const { seq } of watch) seen.push(seq);
  })();
  await expect.poll(() => seen.length).toBeGreaterThan(0); // A watch that has not begun yet is told of a cut.
  for (let round = 0; round < 12; round++) {
    await sleep(Math.random() * 150);
    if (round % 6 === 3) await server.restart();
    else way.cut();
  }
  isWriting = false;
  const total = (await written).reduce((sum, count) => sum + count, 0);
  const { seq } = await (await inventoryOf(server.port)).view({ limit: 1 });
  expect(seq).toBe(total);
  await expect.poll(() => seen.at(-1), { timeout: 15_000 }).toBe(total);
  expect(seen).toEqual(upTo(total));
  expect(way.connections).toBeGreaterThan(12);
  await watching.close();
  await watched;
}, 60_000);

test('a watch is an iterable with types: it begins now or behind any movement, and ends with its loop or by close', async () => {
  const { server, inventoryOf } = await open();
  const inventory = await inventoryOf(server.port);
  await inventory.add({ item: 'Soap', quantity: 3 });
  for await (const movement of inventory.watch({ after: 0 })) {
    expectTypeOf(movement.low).toEqualTypeOf<boolean | undefined>();
    expect(movement).toMatchObject({ seq: 1, kind: 'add', item: 'Soap', delta: 3, balance: 3, user: 'admin' });
    break;
  }
  const [one, other] = [inventory.watch(), inventory.watch({ after: 1 })];
  const next = [one.next(), other.next()];
  await expect
    .poll(async () => {
      await inventory.add({ item: 'Soap', quantity: 1 });
      return Promise.race([Promise.all(next), sleep(20)]);
    })
    .toBeDefined();
  expect((await next[1])?.value).toMatchObject({ seq: 2 });
  const waiting = Promise.all([drain(one), drain(other)]);
  await inventory.close();
  await waiting;
});

/** Reads to the end. */
async function drain(watch: AsyncIterable<WatchedMovement>): Promise<void> {
  for await (const _ of watch);
}

test('what cannot be is refused: the future, and what no waiting mends', async () => {
  const { server, inventoryOf } = await open();
  const inventory = await inventoryOf(server.port);
  await expect(inventory.watch({ after: 1 }).next()).rejects.toMatchObject({
    code: 'bad-params',
    message: 'There is no movement 1 yet: the last one is 0.',
  });
  const made = await inventory.token.create({ name: 'screen', role: 'viewer' });
  const screen = await connect({
    server: `127.0.0.1:${server.port}`,
    ca: join(server.folder, 'ca.pem'),
    token: made.token,
  });
  onTestFinished(() => screen.close());
  const watch = screen.watch({ after: 0 });
  await inventory.add({ item: 'Soap', quantity: 1 });
  expect(await take(watch, 1)).toEqual([1]);
  await inventory.token.revoke({ id: made.id });
  await expect(watch.next()).rejects.toMatchObject({
    code: expect.stringMatching(/^(login-required|session-expired)$/),
  });
});

test('whoever takes their time has the rest wait at the server, and misses nothing', async () => {
  const { server, inventoryOf } = await open();
  const [inventory, writer] = [await inventoryOf(server.port), await inventoryOf(server.port)];
  const watch = inventory.watch({ after: 0 });
  const lines = upTo(1000).map((at) => ({ item: `Item ${at % 10}`, quantity: 1 }));
  await writer.add({ lines });
  expect(await take(watch, 1)).toEqual([1]);
  for (let page = 0; page < 9; page++) await writer.add({ lines });
  expect(await take(watch, 9999)).toEqual(upTo(10_000).slice(1));
});
