import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { checkParams } from '../../src/command/check.ts';
import { commands } from '../../src/command/index.ts';
import { may, permissionsOf, roleNames, rolesWith } from '../../src/model/user.ts';
import { startServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, openAs, WireClient, type WireReply } from '../support/wire-client.ts';

const server = shareServer();

const permissions = [...new Set(commands.map(({ permission }) => permission))].filter(
  (permission) => permission !== 'anyone' && permission !== 'principal',
);

test('a role may what its list names and nothing else, by name and not by likeness', () => {
  for (const role of roleNames) {
    for (const permission of permissions) {
      const allowed = permissionsOf(role).includes(permission);
      const rights = { permissions: permissionsOf(role), scope: null };
      expect(may(rights, permission)).toBe(allowed);
      expect(may(rights, permission, 7)).toBe(allowed);
      expect(rolesWith(permission).includes(role)).toBe(allowed);
      const limited = { ...rights, scope: [3, 7] };
      expect([may(limited, permission), may(limited, permission, 7), may(limited, permission, 8)]).toEqual([
        allowed,
        allowed,
        false,
      ]);
      expect(may({ ...rights, scope: [] }, permission, 7)).toBe(false);
    }
  }
});

describe('every command refuses every role that lacks its permission, and no other', () => {
  test.each(roleNames)('%s', async (role) => {
    const administrator = await openAs(server(), server().grant['accessToken']);
    const { client } = await enrollUser(server(), administrator, `some-${role}`, role);
    for (const { name, permission } of commands) {
      // Parameters that no command takes: whoever may call it is told so, and nothing happens.
      const reply = await client.ask(name, { no: 1, such: 2, parameter: 3 });
      const isOpen = permission === 'anyone' || permission === 'principal';
      const code = isOpen || permissionsOf(role).includes(permission) ? 'bad-params' : 'forbidden';
      expect([name, reply?.error?.data.code]).toEqual([name, code]);
      if (code === 'forbidden')
        expect(reply?.error).toMatchObject({ code: 1004, message: expect.stringContaining(permission) });
    }
  });

  test('nobody', async () => {
    for (const { name, permission } of commands) {
      const client = await WireClient.open(server());
      const reply = await client.ask(name, { no: 1, such: 2, parameter: 3 });
      const code = permission === 'anyone' ? 'bad-params' : 'login-required';
      expect([name, reply?.error?.data.code]).toEqual([name, code]);
    }
  });
});

/** What each command that needs a permission could be asked for in earnest, by user `victim` and item `Prized`. */
const earnest: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
  add: [
    { item: 'Prized', quantity: 5, operation: randomUUID() },
    { lines: [{ item: 'Prized', quantity: 5 }], operation: randomUUID() },
    { item: 'Smuggled', quantity: 1, location: 'cellar', note: 'x', operation: randomUUID() },
  ],
  take: [
    { item: 'Prized', quantity: 5, operation: randomUUID() },
    { lines: [{ item: 'Prized', quantity: 5, location: 'main' }], operation: randomUUID() },
  ],
  move: [
    { item: 'Prized', quantity: 5, from: 'main', to: 'cellar', operation: randomUUID() },
    { lines: [{ item: 'Prized', quantity: 5, from: 'main', to: 'cellar' }], operation: randomUUID() },
  ],
  count: [{ item: 'Prized', quantity: 0, ifSeq: 1, operation: randomUUID() }],
  undo: [{ seq: 1, operation: randomUUID() }],
  view: [{}, { items: ['Prized'] }, { search: 'pri', limit: 1 }],
  history: [{}, { item: 'Prized', user: 'admin' }],
  watch: [{}, { after: 0 }, { low: true }],
  'import.begin': [{ digest: 'a'.repeat(64), rows: 1 }],
  'import.page': [{ import: 1, page: 0, rows: [{ line: 2, item: 'Smuggled', quantity: 1 }] }],
  'import.accept': [{ import: 1, operation: randomUUID() }],
  'import.status': [{ import: 1 }],
  'user.add': [{ user: 'intruder', role: 'admin' }],
  'user.list': [{}],
  'user.edit': [{ user: 'victim', role: 'admin' }],
  'user.disable': [{ user: 'victim' }, { user: 'admin' }],
  'user.enable': [{ user: 'victim' }],
  'user.reset': [{ user: 'victim' }, { user: 'admin' }],
  'user.limit': [{ user: 'victim', locations: ['main'] }],
  'user.unlock': [{ user: 'victim' }],
  'location.add': [{ location: 'den' }],
  'location.list': [{}],
  'location.rename': [{ location: 'main', name: 'den' }],
  'location.archive': [{ location: 'main' }],
  'item.add': [{ item: 'Smuggled', unit: 'kg', operation: randomUUID() }],
  'item.show': [{ item: 'Prized' }],
  'item.edit': [{ item: 'Prized', sku: 'P-1', lowAt: null, operation: randomUUID() }],
  'item.rename': [{ item: 'Prized', name: 'Stolen', operation: randomUUID() }],
  'item.archive': [{ item: 'Prized', operation: randomUUID() }],
  'item.restore': [{ item: 'Prized', operation: randomUUID() }],
  audit: [{}, { event: 'login' }],
  'server.status': [{}],
  'server.reload': [{}],
};

describe('what is asked in earnest is refused as well, and changes nothing', () => {
  const guarded = commands.filter(({ permission }) => permission !== 'anyone' && permission !== 'principal');

  test('there is something to ask of every command that needs a permission, and it is asked rightly', () => {
    expect(Object.keys(earnest).sort()).toEqual(guarded.map(({ name }) => name).sort());
    for (const command of guarded) {
      for (const params of earnest[command.name] ?? []) expect(() => checkParams(command, params)).not.toThrow();
    }
  });

  const state = async (administrator: WireClient) => {
    const replies = await Promise.all([
      openAndAsk('view'),
      openAndAsk('history', { limit: 1 }),
      administrator.ask('user.list'),
    ]);
    return replies.map((reply) => reply?.result);
  };
  const openAndAsk = async (method: string, params = {}) =>
    (await openAs(server(), server().grant['accessToken'])).ask(method, params);

  // An administrator lacks nothing.
  test.each([...roleNames.filter((name) => name !== 'admin'), 'nobody'] as const)('by %s', async (role) => {
    const administrator = await openAs(server(), server().grant['accessToken']);
    await administrator.ask('user.add', { user: 'victim', role: 'viewer' });
    await administrator.ask('add', { item: 'Prized', quantity: 10, operation: randomUUID() });
    const client =
      role === 'nobody'
        ? await WireClient.open(server())
        : (await enrollUser(server(), administrator, `earnest-${role}`, role)).client;
    const before = await state(administrator);
    let refused = 0;
    for (const { name, permission } of guarded) {
      if (role !== 'nobody' && permissionsOf(role).some((own) => own === permission)) continue;
      for (const params of earnest[name] ?? []) {
        const reply = await client.ask(name, params);
        expect([name, reply?.error?.data.code]).toEqual([name, role === 'nobody' ? 'login-required' : 'forbidden']);
        // Wrong ones are refused in the same words: nobody learns what exists.
        expect((await client.ask(name, { no: 'such' }))?.error?.message).toBe(reply?.error?.message);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(await state(administrator)).toEqual(before);
  });
});

test('the last administrator who can log in cannot be demoted or disabled, however many are only invited', async () => {
  const administrator = await openAs(server(), server().grant['accessToken']);
  await administrator.ask('user.add', { user: 'invited-admin', role: 'admin' });
  const { client } = await enrollUser(server(), administrator, 'disabled-admin', 'admin');
  await administrator.ask('user.disable', { user: 'disabled-admin' });
  await administrator.ask('user.disable', { user: 'some-admin' });
  expect(await client.ask('whoami')).toMatchObject({ error: { data: { code: 'session-expired' } } });
  expect(await administrator.ask('user.edit', { user: 'admin', role: 'viewer' })).toMatchObject({
    error: { code: 1006 },
  });
  expect(await administrator.ask('user.disable', { user: 'admin' })).toMatchObject({ error: { code: 1006 } });
});

test('two administrators who disable each other at once do not both succeed', async () => {
  const own = await startServer();
  const first = await WireClient.open(own);
  await enrollAdministrator(own, first);
  const { client: second } = await enrollUser(own, first, 'second', 'admin');
  const replies = await Promise.all([
    first.ask('user.disable', { user: 'second' }),
    second.ask('user.disable', { user: 'admin' }),
  ]);
  expect(replies.filter((reply) => reply?.result)).toHaveLength(1);
  await own.restart();
  expect(await (await WireClient.open(own)).ask('hello')).toHaveProperty('result');
});

describe('somebody limited to locations', () => {
  /** A server with a cellar, Soap at main, Salt in both, and a clerk on an open connection who is limited to the cellar. */
  async function openCellar(role = 'clerk') {
    const own = await startServer();
    const administrator = await WireClient.open(own);
    await enrollAdministrator(own, administrator);
    await administrator.ask('location.add', { location: 'cellar' });
    const add = (item: string, quantity: number, location: string) =>
      administrator.ask('add', { item, quantity, location, operation: randomUUID() });
    await add('Soap', 200, 'main');
    await add('Salt', 7, 'main');
    await add('Salt', 5, 'cellar');
    const { client } = await enrollUser(own, administrator, 'clara', role);
    const limit = (params: object) => administrator.ask('user.limit', { user: 'clara', ...params });
    return { own, administrator, client, limit };
  }

  /** A reply without its request's number, and with one name in the place of another. */
  const masked = (reply: WireReply | undefined, name: string) =>
    JSON.parse(
      JSON.stringify(reply?.error)
        .replaceAll(name, 'NAME')
        .replace(/"request":"[^"]*"/, '"request":""'),
    );

  test('knows of no other from the next request on, on an open connection, and until the limit is lifted', async () => {
    const { client, limit } = await openCellar();
    const add = () => client.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() });
    expect(await add()).toMatchObject({ result: { balance: 201 } });
    expect(await limit({ locations: ['CELLAR'] })).toMatchObject({
      result: { user: 'clara', role: 'clerk', locations: ['cellar'] },
    });
    expect(await client.ask('view')).toMatchObject({
      result: { items: [{ item: 'Salt', quantity: 5, locations: [{ location: 'cellar', quantity: 5 }] }], seq: 3 },
    });
    expect((await client.ask('history'))?.result?.['movements']).toMatchObject([{ seq: 3, location: 'cellar' }]);
    expect((await client.ask('location.list'))?.result).toEqual({ locations: [{ location: 'cellar' }] });
    expect((await client.ask('whoami'))?.result).toMatchObject({ locations: ['cellar'] });
    expect(await add()).toMatchObject({
      error: {
        message: 'No location "main".',
        data: { code: 'not-found', hint: 'Known locations: cellar. Say where: --at cellar' },
      },
    });
    expect((await limit({ everywhere: true }))?.result).not.toHaveProperty('locations');
    expect(await add()).toMatchObject({ result: { balance: 202 } });
    expect((await client.ask('whoami'))?.result).not.toHaveProperty('locations');
  });

  test('is told of a location or an item outside what is told of one that nobody has', async () => {
    const { client, limit } = await openCellar();
    await limit({ locations: ['cellar'] });
    const operation = randomUUID();
    const ways = [
      (location: string) => client.ask('view', { location }),
      (location: string) => client.ask('history', { location }),
      (location: string) => client.ask('add', { item: 'Salt', quantity: 1, location, operation }),
      (location: string) => client.ask('take', { item: 'Salt', quantity: 1, location, operation }),
      (location: string) =>
        client.ask('take', {
          lines: [
            { item: 'None', quantity: 1, location: 'cellar' },
            { item: 'Salt', quantity: 1, location },
          ],
          operation,
        }),
    ];
    for (const ask of ways) {
      const outside = await ask('main');
      expect(outside?.error).toMatchObject({ code: 1005, message: 'No location "main".' });
      expect(masked(outside, 'main')).toEqual(masked(await ask('nowhere'), 'nowhere'));
    }
    const itemWays = [
      (item: string) => client.ask('view', { items: ['Salt', item] }),
      (item: string) => client.ask('history', { item }),
      (item: string) => client.ask('take', { item, quantity: 1, location: 'cellar', operation }),
    ];
    for (const ask of itemWays) {
      const outside = await ask('Soap');
      expect(outside?.error).toMatchObject({ code: 1005, message: 'No item "Soap".' });
      expect(masked(outside, 'Soap')).toEqual(masked(await ask('Gold'), 'Gold'));
    }
    const others = await client.ask('history', { user: 'nobody' });
    expect(others?.result).toEqual({ movements: [] });
  });

  test('adds no location, also as a manager', async () => {
    const { client, limit } = await openCellar('manager');
    await limit({ locations: ['cellar'] });
    const refused = { error: { code: 1004, message: expect.stringContaining('limited to some locations') } };
    expect(await client.ask('location.add', { location: 'attic' })).toMatchObject(refused);
    expect(await client.ask('location.add', { location: 'main' })).toMatchObject(refused);
    await limit({ everywhere: true });
    expect((await client.ask('location.add', { location: 'attic' }))?.result).toEqual({ location: 'attic' });
    expect(await client.ask('location.add', { location: 'Attic' })).toMatchObject({ error: { code: 1006 } });
  });

  test('is limited by an administrator only, to known locations, and is none', async () => {
    const { administrator, client, limit } = await openCellar();
    expect(await client.ask('user.limit', { user: 'clara', everywhere: true })).toMatchObject({
      error: { code: 1004 },
    });
    for (const params of [{}, { locations: [] }, { everywhere: false }, { locations: ['main'], everywhere: true }]) {
      expect((await limit(params))?.error, JSON.stringify(params)).toMatchObject({ data: { code: 'bad-params' } });
    }
    expect(await limit({ locations: ['main', 'attic'] })).toMatchObject({
      error: { message: 'No location "attic".', data: { hint: 'Known locations: main, cellar.' } },
    });
    expect(await limit({ user: 'nobody', everywhere: true })).toMatchObject({ error: { code: 1005 } });
    expect(await limit({ user: 'admin', locations: ['main'] })).toMatchObject({ error: { code: 1006 } });
    await limit({ locations: ['cellar', 'main'] });
    expect(await administrator.ask('user.edit', { user: 'clara', role: 'admin' })).toMatchObject({
      error: { code: 1006 },
    });
    expect((await administrator.ask('user.list'))?.result?.['users']).toMatchObject([
      { user: 'admin' },
      { user: 'clara', locations: ['main', 'cellar'] },
    ]);
  });

  test('becomes the first administrator again, without the limit, when nobody else can be', async () => {
    const { own, administrator } = await openCellar();
    const { client: boss } = await enrollUser(own, administrator, 'boss', 'admin');
    await boss.ask('user.edit', { user: 'admin', role: 'clerk' });
    expect(await boss.ask('user.limit', { user: 'admin', locations: ['cellar'] })).toHaveProperty('result');
    expect(await boss.ask('user.reset', { user: 'boss' })).toHaveProperty('result');
    await own.restart();
    const again = await WireClient.open(own);
    expect(await enrollAdministrator(own, again)).toMatchObject({ user: 'admin', role: 'admin' });
    expect((await again.ask('view'))?.result?.['items']).toHaveLength(2);
  });
});
