import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { startServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, line, openAs, type WireClient } from '../support/wire-client.ts';

const server = shareServer();
const open = () => openAs(server(), server().grant['accessToken']);
let names = 0;

const add = (client: WireClient, item: string, location = 'main') =>
  client.ask('add', { item, location, quantity: 1, operation: randomUUID() });

/** The next lines, each of which is a movement. */
async function movements(client: WireClient, count: number): Promise<Record<string, unknown>[]> {
  const lines = (await client.replies(count)) as { method?: string; params?: Record<string, unknown> }[]; // No replies.
  for (const { method } of lines) expect(method).toBe('movement');
  return lines.map(({ params = {} }) => params);
}

/** Somebody new, on a connection that watches. */
async function newWatcher(role = 'viewer') {
  const administrator = await open();
  const user = `watcher${++names}`;
  const { client, grant } = await enrollUser(server(), administrator, user, role);
  return { administrator, user, client, grant };
}

const lastSeq = async (client: WireClient) => (await client.ask('view', { limit: 1 }))?.result?.['seq'] as number;

describe('a watch', () => {
  test('is answered with the last movement, and then told of each as history tells it', async () => {
    const [watcher, writer] = [await open(), await open()];
    await add(writer, 'Soap');
    const seq = await lastSeq(writer);
    expect(await watcher.ask('watch')).toMatchObject({ result: { seq } });
    await add(writer, 'Soap');
    await writer.ask('take', { item: 'Soap', quantity: 1, note: 'torn', operation: randomUUID() });
    const told = await movements(watcher, 2);
    const history = await writer.ask('history', { limit: 2 });
    expect(history?.result).toMatchObject({ movements: told.toReversed() });
    expect(told).toMatchObject([
      { seq: seq + 1, kind: 'add', delta: 1, item: 'Soap', user: 'admin' },
      { seq: seq + 2, kind: 'take', delta: -1, note: 'torn' },
    ]);
  });

  test('leaves its connection to requests, whose replies stand between the movements', async () => {
    const client = await open();
    await client.ask('watch');
    client.write(line('add', 'add', { item: 'Soap', quantity: 1, operation: randomUUID() }) + line('who', 'whoami'));
    const lines = (await client.replies(3)) as { id?: unknown; method?: string }[]; // One of them is no reply.
    expect(lines.filter(({ method }) => method === 'movement')).toHaveLength(1);
    expect(
      lines
        .map(({ id }) => id)
        .filter(Boolean)
        .sort(),
    ).toEqual(['add', 'who']);
  });

  test('begins behind any movement, also the first of thousands, in order and each once', async () => {
    const writer = await open();
    const lines = Array.from({ length: 1000 }, (_, at) => ({ item: `Item ${at % 50}`, quantity: 1 }));
    for (let page = 0; page < 10; page++) await writer.ask('add', { lines, operation: randomUUID() });
    const seq = await lastSeq(writer);
    for (const after of [0, 1, seq - 3, seq]) {
      const watcher = await open();
      expect(await watcher.ask('watch', { after })).toMatchObject({ result: { seq } });
      const told = await movements(watcher, seq - after);
      expect(told.map((movement) => movement['seq'])).toEqual(
        Array.from({ length: seq - after }, (_, at) => after + at + 1),
      );
    }
  });

  test('from the future is refused, and told where the present is', async () => {
    const client = await open();
    await add(client, 'Soap');
    const seq = await lastSeq(client);
    const message = `There is no movement ${seq + 1} yet: the last one is ${seq}.`;
    expect(await client.ask('watch', { after: seq + 1 })).toMatchObject({
      error: { message, data: { code: 'bad-params', hint: expect.stringContaining(`after ${seq}`) } },
    });
    for (const after of [-1, 0.5, '0', 1e300]) {
      expect(await client.ask('watch', { after })).toMatchObject({ error: { data: { code: 'bad-params' } } });
    }
    expect(await client.ask('watch', { after: seq })).toHaveProperty('result');
  });

  test('is the only one of its connection', async () => {
    const client = await open();
    await client.ask('watch');
    expect(await client.ask('watch')).toMatchObject({ error: { data: { code: 'conflict' } } });
    await add(await open(), 'Soap');
    expect(await movements(client, 1)).toHaveLength(1);
  });

  test('for low stock is told of the movements alone that cross a threshold; everybody sees which those are', async () => {
    const [low, all, writer] = [await open(), await open(), await open()];
    await writer.ask('add', { item: 'Salt', quantity: 5, operation: randomUUID() });
    const beside = new DatabaseSync(join(server().folder, 'data', 'inventory.db'));
    beside.exec("UPDATE item SET low_at = 3000 WHERE name = 'Salt'"); // Which no command can yet.
    beside.close();
    const seq = await lastSeq(writer);
    await low.ask('watch', { low: true });
    await all.ask('watch');
    for (const method of ['take', 'take', 'take', 'add', 'add', 'take']) {
      await writer.ask(method, { item: 'Salt', quantity: 1, operation: randomUUID() });
    }
    expect((await movements(all, 6)).filter((movement) => movement['low']).map((one) => one['seq'])).toEqual([
      seq + 2,
      seq + 6,
    ]);
    expect(await movements(low, 2)).toMatchObject([
      { seq: seq + 2, balance: 3, low: true },
      { seq: seq + 6, balance: 3, low: true },
    ]);
    const late = await open();
    await late.ask('watch', { after: seq + 2, low: true });
    expect(await movements(late, 1)).toMatchObject([{ seq: seq + 6 }]);
  });

  test('needs somebody who is logged in', async () => {
    const { client } = await newWatcher();
    await client.ask('watch');
    await client.ask('logout');
    await add(await open(), 'Soap');
    expect(await client.reply()).toMatchObject({ id: null, error: { data: { code: 'login-required' } } });
    await client.closed;
  });
});

describe('who watches is judged before every push', () => {
  test('a limited user is told of their locations alone, from the moment on that they are limited to them', async () => {
    const { administrator, user, client } = await newWatcher();
    for (const location of ['cellar', 'attic']) await administrator.ask('location.add', { location });
    await add(administrator, 'Lamp', 'attic');
    const seq = await lastSeq(administrator);
    expect(await client.ask('watch')).toMatchObject({ result: { seq } });
    await add(administrator, 'Lamp', 'attic');
    expect(await movements(client, 1)).toMatchObject([{ location: 'attic' }]);
    for (const [location, other] of [
      ['cellar', 'attic'],
      ['attic', 'cellar'],
    ]) {
      await administrator.ask('user.limit', { user, locations: [location] });
      for (let count = 0; count < 20; count++) await add(administrator, 'Lamp', other);
      await add(administrator, 'Lamp', location);
      expect(await movements(client, 1)).toMatchObject([{ location }]);
    }
  });

  test('a limited user cannot tell that there is more elsewhere by where the ledger ends', async () => {
    const { administrator, user, client } = await newWatcher();
    await administrator.ask('location.add', { location: 'shed' });
    await add(administrator, 'Rake', 'shed');
    const here = await lastSeq(administrator);
    for (let count = 0; count < 3; count++) await add(administrator, 'Lamp');
    await administrator.ask('user.limit', { user, locations: ['shed'] });
    expect(await client.ask('watch', { after: here + 1 })).toMatchObject({
      error: { message: `There is no movement ${here + 1} yet: the last one is ${here}.` },
    });
    expect(await client.ask('watch')).toMatchObject({ result: { seq: here } });
    const back = await enrollUser(server(), administrator, `watcher${++names}`, 'clerk');
    await administrator.ask('user.limit', { user: `watcher${names}`, locations: ['shed'] });
    expect(await back.client.ask('watch', { after: 0 })).toMatchObject({ result: { seq: here } });
    await add(administrator, 'Lamp');
    await add(administrator, 'Rake', 'shed');
    const told = await movements(back.client, 2);
    expect(told.map(({ item }) => item)).toEqual(['Rake', 'Rake']);
    expect(await movements(client, 1)).toMatchObject([{ item: 'Rake', seq: here + 5 }]);
  });

  test('low stock is not told to whoever is limited, nor to whoever becomes it while watching', async () => {
    const { administrator, user, client } = await newWatcher();
    await client.ask('watch', { low: true });
    await administrator.ask('user.limit', { user, locations: ['main'] });
    await add(administrator, 'Soap');
    expect(await client.reply()).toMatchObject({ id: null, error: { data: { code: 'forbidden' } } });
    await client.closed;
    const other = await newWatcher();
    await other.administrator.ask('user.limit', { user: other.user, locations: ['main'] });
    expect(await other.client.ask('watch', { low: true })).toMatchObject({ error: { data: { code: 'forbidden' } } });
    expect(await other.client.ask('watch')).toHaveProperty('result');
  });

  test('a role that may still look goes on; access that ended is the last thing that is told', async () => {
    const { administrator, user, client, grant } = await newWatcher('admin');
    const second = await openAs(server(), grant['accessToken']);
    for (const one of [client, second]) await one.ask('watch');
    await administrator.ask('user.edit', { user, role: 'viewer' });
    await add(administrator, 'Soap');
    expect(await movements(client, 1)).toHaveLength(1);
    expect(await movements(second, 1)).toHaveLength(1);
    await administrator.ask('user.disable', { user });
    await add(administrator, 'Soap');
    for (const one of [client, second]) {
      expect(await one.reply()).toMatchObject({ id: null, error: { data: { code: 'session-expired' } } });
      await one.closed;
    }
  });

  test('a revoked API token is told of nothing more', async () => {
    const administrator = await open();
    const made = await administrator.ask('token.create', { name: 'screen', role: 'viewer' });
    const client = await openAs(server(), String(made?.result?.['token']));
    await client.ask('watch');
    await add(administrator, 'Soap');
    expect(await movements(client, 1)).toHaveLength(1);
    await administrator.ask('token.revoke', { id: made?.result?.['id'] });
    await add(administrator, 'Soap');
    expect(await client.reply()).toMatchObject({ id: null, error: { data: { code: 'session-expired' } } });
  });

  test('an access token that is past its time, at the next movement', async () => {
    const own = await startServer({ isClockStopped: true });
    const grant = await enrollAdministrator(own);
    const client = await openAs(own, grant['accessToken']);
    await client.ask('watch');
    own.turnClock(11 * 60_000);
    const writer = await openAs(own, undefined);
    await writer.ask('refresh', { refreshToken: grant['refreshToken'] });
    await add(writer, 'Soap');
    expect(await client.reply()).toMatchObject({ id: null, error: { data: { code: 'session-expired' } } });
    await client.closed;
  });
});
