import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { refusalDetailsMax, refusalRecordsPerSecondMax } from '../../src/model/limits.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, openAs, testPassword, WireClient } from '../support/wire-client.ts';

interface Shown {
  readonly id: number;
  readonly event: string;
  readonly user?: string;
  readonly subject?: string;
  readonly source?: string;
  readonly credential?: string;
  readonly detail?: string;
  readonly count: number;
}

async function recordsOf(client: WireClient, params: object = {}): Promise<Shown[]> {
  const reply = await client.ask('audit', { limit: 1000, ...params });
  return reply?.result?.['records'] as Shown[]; // The command's own result.
}

/** The records once one of them fits, which is within a second of a refusal. */
async function recordsWith(client: WireClient, fits: (record: Shown) => boolean): Promise<Shown[]> {
  for (;;) {
    const records = await recordsOf(client);
    if (records.some(fits)) return records;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A server and its administrator's connection. */
async function startAudited(): Promise<{ server: TestServer; administrator: WireClient }> {
  const server = await startServer();
  // Refusals are counted by the minute, so that here one has only just begun.
  server.turnClock(60_000 - (Date.now() % 60_000));
  const administrator = await WireClient.open(server);
  await enrollAdministrator(server, administrator);
  return { server, administrator };
}

/** Another connection to the store's file, as another program has it. */
function openStoreFile(server: TestServer): DatabaseSync {
  const database = new DatabaseSync(join(server.folder, 'data', 'inventory.db'));
  onTestFinished(() => database.close());
  return database;
}

describe('the audit log', () => {
  test('tells who gave, took and changed access, by what credential and from where, newest first', async () => {
    const { server, administrator } = await startAudited();
    const { client } = await enrollUser(server, administrator, 'anna', 'clerk');
    await administrator.ask('user.edit', { user: 'anna', role: 'manager' });
    await client.ask('passwd', { current: testPassword, password: 'Another-long-phrase-55' });
    await client.ask('logout');
    await administrator.ask('user.disable', { user: 'anna' });
    await administrator.ask('user.enable', { user: 'anna' });
    await administrator.ask('user.reset', { user: 'anna' });
    const records = await recordsOf(administrator, { user: 'anna' });
    expect(records.map(({ event }) => event)).toEqual([
      'user-reset',
      'user-enabled',
      'user-disabled',
      'logout',
      'login',
      'password-changed',
      'user-role-changed',
      'login',
      'user-enrolled',
      'link-opened',
      'user-added',
    ]);
    const credential = expect.stringMatching(/^session:[\w-]{16}$/);
    expect(records.find(({ event }) => event === 'user-role-changed')).toEqual({
      id: expect.any(Number),
      at: expect.any(String),
      event: 'user-role-changed',
      user: 'admin',
      subject: 'anna',
      source: '127.0.0.1',
      credential,
      detail: 'clerk to manager',
      count: 1,
    });
    expect(records.find(({ event }) => event === 'login')).toMatchObject({ user: 'anna', credential });
    expect(await recordsOf(administrator, { event: 'server-started' })).toHaveLength(1);
  });

  test('filters, pages without skipping or repeating, and goes on from a record', async () => {
    const { administrator } = await startAudited();
    for (let user = 1; user <= 9; user++) await administrator.ask('user.add', { user: `user${user}`, role: 'viewer' });
    const all = await recordsOf(administrator);
    const paged: Shown[] = [];
    for (let cursor: unknown; ; ) {
      const reply = await administrator.ask('audit', { limit: 4, ...(cursor === undefined ? {} : { cursor }) });
      paged.push(...((reply?.result?.['records'] ?? []) as Shown[])); // As above.
      cursor = reply?.result?.['cursor'];
      if (cursor === undefined) break;
    }
    expect(paged).toEqual(all);
    const ids = all.map(({ id }) => id).toReversed();
    expect((await recordsOf(administrator, { after: ids[2] })).map(({ id }) => id)).toEqual(ids.slice(3));
    expect(await recordsOf(administrator, { user: 'user7' })).toMatchObject([{ event: 'user-added' }]);
    expect(await recordsOf(administrator, { source: '192.0.2.1' })).toEqual([]);
    expect(await recordsOf(administrator, { until: '2020-01-01' })).toEqual([]);
    expect(await administrator.ask('audit', { cursor: 'eA' })).toMatchObject({
      error: { data: { code: 'bad-params' } },
    });
    expect(await administrator.ask('audit', { event: 'nonsense' })).toMatchObject({
      error: { data: { code: 'bad-params' } },
    });
  });

  test('outlives a restart', async () => {
    const { server, administrator } = await startAudited();
    const before = await recordsOf(administrator);
    const grant = await administrator.ask('login', { user: 'admin', password: testPassword });
    await server.restart();
    const again = await openAs(server, String(grant?.result?.['accessToken']));
    const after = await recordsOf(again);
    expect(after.slice(-before.length)).toEqual(before);
    expect(after.map(({ event }) => event).slice(0, 2)).toEqual(['server-started', 'server-stopped']);
  });

  test('is forgotten after its days, and only then', async () => {
    const server = await startServer({ flags: { 'audit.days': '2' } });
    const administrator = await WireClient.open(server);
    await enrollAdministrator(server, administrator);
    server.turnClock(1.9 * 86_400_000);
    await server.restart();
    server.turnClock(0.2 * 86_400_000);
    await server.restart();
    const again = await WireClient.open(server);
    await again.ask('login', { user: 'admin', password: testPassword });
    const events = (await recordsOf(again)).map(({ event }) => event);
    expect(events).not.toContain('user-enrolled');
    expect(events.filter((event) => event === 'server-started')).toHaveLength(2);
  });
});

describe('refusals', () => {
  test('of one source in one minute are one record with a count, naming users only where there are such', async () => {
    const { server, administrator } = await startAudited();
    const stranger = await WireClient.open(server);
    await stranger.ask('login', { user: 'admin', password: 'wrong-password' });
    await stranger.ask('login', { user: 'admin', password: 'wrong-password' });
    const records = await recordsWith(administrator, ({ count }) => count === 2);
    expect(records.filter(({ event }) => event === 'login-refused')).toMatchObject([
      { subject: 'admin', source: '127.0.0.1', detail: 'password', count: 2 },
    ]);
    await stranger.ask('login', { user: 'hunter2-my-password', password: 'wrong-password' });
    const later = await recordsWith(administrator, ({ count }) => count === 3);
    expect(JSON.stringify(later)).not.toContain('hunter2');
  });

  test('name each reason that a record stands for, so that a throttle is seen among wrong passwords', async () => {
    const { server, administrator } = await startAudited();
    for (let times = 1; times <= 4; times++) {
      const stranger = await WireClient.open(server);
      await stranger.ask('login', { user: 'admin', password: 'wrong-password' });
    }
    const records = await recordsWith(administrator, ({ count }) => count === 4);
    expect(records.find(({ event }) => event === 'login-refused')).toMatchObject({
      detail: 'password, too many tries',
    });
  });

  test('say that there were more than are named, so that a record has an end', async () => {
    const { server, administrator } = await startAudited();
    const { client } = await enrollUser(server, administrator, 'anna', 'viewer');
    const commands = ['disable', 'edit', 'enable', 'limit', 'list', 'reset', 'unlock', 'add'].map(
      (one) => `user.${one}`,
    );
    expect(commands).toHaveLength(refusalDetailsMax);
    for (const command of [...commands, 'take', 'audit', 'take']) await client.ask(command);
    const records = await recordsWith(administrator, ({ count }) => count === refusalDetailsMax + 3);
    expect(records.find(({ event }) => event === 'command-refused')).toMatchObject({
      detail: `${commands.join(', ')}, more`,
    });
  });

  test('of links, tokens and commands are told, with whoever is known to have tried', async () => {
    const { server, administrator } = await startAudited();
    const { client } = await enrollUser(server, administrator, 'anna', 'viewer');
    await client.ask('user.add', { user: 'friend', role: 'admin' });
    const stranger = await WireClient.open(server);
    await stranger.ask('enroll', { code: 'guess' });
    await stranger.ask('authenticate', { token: 'guess' });
    const records = await recordsWith(administrator, ({ event }) => event === 'login-refused');
    expect(records).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ event: 'command-refused', user: 'anna', detail: 'user.add', count: 1 }),
        expect.objectContaining({ event: 'link-refused', count: 1 }),
        expect.objectContaining({ event: 'login-refused', detail: 'token' }),
      ]),
    );
  });

  test('are at most ten records in a second, whatever strangers do', async () => {
    const { server, administrator } = await startAudited();
    const clients: WireClient[] = [];
    for (let at = 0; at < 20; at++) {
      clients.push((await enrollUser(server, administrator, `viewer${at}`, 'viewer')).client);
    }
    const before = (await recordsOf(administrator))[0]?.id ?? 0;
    await Promise.all(clients.map((client) => client.ask('user.list')));
    const records = await recordsWith(administrator, ({ event }) => event === 'command-refused');
    const told = records.filter(({ id, event }) => id > before && event === 'command-refused');
    expect(told.length).toBeLessThanOrEqual(refusalRecordsPerSecondMax);
  });
});

describe('a change that cannot be written down is refused within a second, and nothing was changed', () => {
  const change = ['user.add', { user: 'anna', role: 'clerk' }] as const;

  test('when the log refuses the record', async () => {
    const { server, administrator } = await startAudited();
    const file = openStoreFile(server);
    file.exec("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END");
    const start = performance.now();
    expect(await administrator.ask(...change)).toMatchObject({
      error: { data: { code: 'storage' }, message: 'The audit log cannot be written, so nothing was changed.' },
    });
    const login = await (await WireClient.open(server)).ask('login', { user: 'admin', password: testPassword });
    expect(login).toMatchObject({ error: { data: { code: 'storage' } } });
    expect(performance.now() - start).toBeLessThan(3000); // Two refusals, one of them with a password hash.
    file.exec('DROP TRIGGER full');
    expect(await administrator.ask(...change)).toMatchObject({ result: { user: 'anna' } });
  });

  test('when another program holds the store', async () => {
    const { server, administrator } = await startAudited();
    const file = openStoreFile(server);
    file.exec('BEGIN IMMEDIATE');
    const start = performance.now();
    const reply = await administrator.ask(...change);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(reply).toMatchObject({ error: { data: { code: 'busy' } } });
    file.exec('ROLLBACK');
    expect(await administrator.ask(...change)).toMatchObject({ result: { user: 'anna' } });
  });
});
