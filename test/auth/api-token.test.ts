import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { apiTokensPerUserMax } from '../../src/model/limits.ts';
import { type AuthMode, permissionsOf, permissionsOfToken, roleNames } from '../../src/model/user.ts';
import { startServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, openAs, testPassword, WireClient } from '../support/wire-client.ts';
import { clientAuthority, makeOddCertificate, userUri } from './odd-certificate.ts';

const server = shareServer();
const day = 86_400_000;
let users = 0;

async function administrator(): Promise<WireClient> {
  const client = await WireClient.open(server());
  await client.ask('login', { user: 'admin', password: testPassword });
  return client;
}

async function newUser(role = 'clerk') {
  const user = `user${++users}`;
  return { user, ...(await enrollUser(server(), await administrator(), user, role)) };
}

async function create(client: WireClient, params: object = {}) {
  const reply = await client.ask('token.create', { name: `token${++users}`, role: 'viewer', ...params });
  return (reply?.result ?? {}) as Record<string, string>; // A token's fields are text.
}

const codeOf = async (client: WireClient, method: string, params = {}) =>
  (await client.ask(method, params))?.error?.data.code ?? 'done';
const tokensOf = async (client: WireClient, params = {}) =>
  (await client.ask('token.list', params))?.result?.['tokens'] as Record<string, unknown>[]; // As its schema says.
const lastWord = { id: null, error: { message: 'This login was ended.', data: { code: 'session-expired' } } };

describe('an API token', () => {
  test('stands for its owner with its own role, under its own name, in whoami and in the ledger', async () => {
    const { user, client } = await newUser('manager');
    const { token, id, name } = await create(client, { role: 'clerk', days: 30 });
    expect(token).toMatch(new RegExp(`^sinv_${id}\\.[\\w-]{43}$`));
    const machine = await WireClient.open(server());
    expect(await machine.ask('authenticate', { token })).toMatchObject({ result: { user, role: 'clerk' } });
    const permissions = ['stock:read', 'stock:write'];
    expect(await machine.ask('whoami')).toMatchObject({ result: { user, role: 'clerk', permissions, token: name } });
    const operation = randomUUID();
    expect(await codeOf(machine, 'add', { item: 'Soap', quantity: 1, operation })).toBe('done');
    const database = new DatabaseSync(join(server().folder, 'data', 'inventory.db'), { readOnly: true });
    const row = database.prepare('SELECT credential FROM movement ORDER BY seq DESC LIMIT 1').get();
    database.close();
    expect(row).toEqual({ credential: `token:${id}` });
    expect(await codeOf(machine, 'user.list')).toBe('forbidden');
  });

  test('is good for 90 days unless told otherwise, and then says when it ended', async () => {
    const own = await startServer();
    const admin = await WireClient.open(own);
    await enrollAdministrator(own, admin);
    const { token, expiresAt } = await create(admin);
    expect(Math.round((Date.parse(expiresAt ?? '') - Date.now()) / day)).toBe(90);
    const machine = await openAs(own, token);
    own.turnClock(90 * day - 60_000);
    expect(await codeOf(machine, 'whoami')).toBe('done');
    own.turnClock(61_000);
    const expired = {
      data: { code: 'session-expired' },
      message: expect.stringMatching(/^This API token expired at 20/),
    };
    expect(await machine.ask('whoami')).toMatchObject({ error: expired });
    const late = await WireClient.open(own);
    expect(await late.ask('authenticate', { token })).toMatchObject({ error: expired });
    // Its name is free again.
    await late.ask('login', { user: 'admin', password: testPassword });
    const [{ name } = {}] = await tokensOf(late);
    expect(await codeOf(late, 'token.create', { name, role: 'viewer' })).toBe('done');
  });

  test('that was guessed or changed in one place is nobody’s', async () => {
    const { client } = await newUser();
    const { token = '', id = '' } = await create(client);
    const last = token.at(-1) ?? '';
    const near = String.fromCharCode(last.charCodeAt(0) ^ 1); // The same bytes, if they were decoded carelessly.
    for (const guess of [
      `sinv_${id}.${randomBytes(32).toString('base64url')}`,
      `sinv_${'A'.repeat(16)}.${token.slice(-43)}`,
      token.slice(0, -1) + near,
      `${token}A`,
      token.slice(0, -1),
      ` ${token}`,
      token.toUpperCase(),
      `sinv_${id}.`,
      'sinv_',
      token.slice(5),
    ]) {
      const stranger = await WireClient.open(server());
      expect([guess, await codeOf(stranger, 'authenticate', { token: guess })]).toEqual([guess, 'login-required']);
    }
  });

  test('is not in the store, and no list shows it', async () => {
    const { client } = await newUser();
    const { token = '' } = await create(client);
    const secret = token.slice(-43);
    expect(JSON.stringify(await tokensOf(client))).not.toContain(secret);
    for (const file of ['inventory.db', 'inventory.db-wal']) {
      const bytes = await readFile(join(server().folder, 'data', file));
      expect(bytes.includes(secret) || bytes.includes(Buffer.from(secret, 'base64url'))).toBe(false);
    }
  });
});

describe('what an API token may do', () => {
  test('is never more than its role and its owner’s role both allow', () => {
    for (const role of roleNames) {
      for (const owner of roleNames) {
        const both = permissionsOf(role).filter((one) => permissionsOf(owner).includes(one) && one !== 'user:write');
        expect(permissionsOfToken(role, owner)).toEqual(both);
      }
    }
  });

  test('shrinks at once when its owner is demoted, and comes back with the role but never grows', async () => {
    const { user, client } = await newUser('manager');
    const { token } = await create(client, { role: 'clerk' });
    const machine = await openAs(server(), token);
    const admin = await administrator();
    const add = () => codeOf(machine, 'add', { item: 'Soap', quantity: 1, operation: randomUUID() });
    await admin.ask('user.edit', { user, role: 'viewer' });
    expect([await add(), await codeOf(machine, 'view')]).toEqual(['forbidden', 'done']);
    await admin.ask('user.edit', { user, role: 'admin' });
    expect([await add(), await codeOf(machine, 'user.list')]).toEqual(['done', 'forbidden']);
  });

  test('is not to make tokens, to change the password, or to end its owner’s logins and other tokens', async () => {
    const { client } = await newUser();
    const { id: other } = await create(client);
    const { token, id } = await create(client, { role: 'clerk' });
    const machine = await openAs(server(), token);
    expect(await codeOf(machine, 'token.create', { name: 'more', role: 'viewer' })).toBe('forbidden');
    const passwords = { current: testPassword, password: 'Another-long-passphrase-72' };
    expect(await codeOf(machine, 'passwd', passwords)).toBe('forbidden');
    expect(await codeOf(machine, 'session.revoke', { others: true })).toBe('forbidden');
    expect(await codeOf(machine, 'token.revoke', { id: other })).toBe('forbidden');
    // But it may throw itself away.
    expect(await codeOf(machine, 'token.revoke', { id })).toBe('done');
    expect(await machine.reply()).toMatchObject(lastWord);
    expect(await codeOf(client, 'whoami')).toBe('done');
  });

  test('of an administrator changes nobody’s access either, its owner’s least of all', async () => {
    const { user, client } = await newUser();
    const { token } = await create(await administrator(), { role: 'admin' });
    const machine = await openAs(server(), token);
    const session = (await client.ask('session.list'))?.result?.['sessions'] as { id: string }[]; // As its schema says.
    for (const [method, params] of [
      ['token.create', { name: 'more', role: 'viewer', user: 'admin' }],
      ['session.revoke', { others: true }],
      ['user.add', { user: 'accomplice', role: 'admin' }],
      ['user.reset', { user: 'admin' }],
      ['user.reset', { user }],
      ['user.disable', { user }],
      ['user.edit', { user, role: 'admin' }],
    ] as const) {
      expect([method, await codeOf(machine, method, params)]).toEqual([method, 'forbidden']);
    }
    expect(await codeOf(machine, 'session.revoke', { id: session[0]?.id })).toBe('forbidden');
    expect(await codeOf(machine, 'audit')).toBe('done');
  });
});

describe('an API token ends', () => {
  test('when it is revoked, also where it is in use', async () => {
    const { client } = await newUser();
    const { token, id } = await create(client);
    const machine = await openAs(server(), token);
    expect(await codeOf(client, 'token.revoke', { id })).toBe('done');
    expect(await machine.reply()).toMatchObject(lastWord);
    await machine.closed;
    const late = await WireClient.open(server());
    const hint = expect.stringContaining('secure-inv token create');
    expect(await late.ask('authenticate', { token })).toMatchObject({ error: { code: 1001, data: { hint } } });
    expect(await codeOf(client, 'token.revoke', { id })).toBe('not-found');
  });

  test('when its owner is reset; a password change leaves it, and so does a logout', async () => {
    const { user, client } = await newUser();
    const { token } = await create(client);
    const machine = await openAs(server(), token);
    await client.ask('passwd', { current: testPassword, password: 'Another-long-passphrase-72' });
    await client.ask('logout');
    expect(await codeOf(machine, 'whoami')).toBe('done');
    await (await administrator()).ask('user.reset', { user });
    expect(await machine.reply()).toMatchObject(lastWord);
    expect(await codeOf(await WireClient.open(server()), 'authenticate', { token })).toBe('login-required');
  });

  test('for as long as its owner is disabled', async () => {
    const { user, client } = await newUser();
    const { token } = await create(client);
    const machine = await openAs(server(), token);
    const admin = await administrator();
    await admin.ask('user.disable', { user });
    expect(await machine.reply()).toMatchObject(lastWord);
    const late = await WireClient.open(server());
    expect(await late.ask('authenticate', { token })).toMatchObject({
      error: { message: 'This account is disabled.' },
    });
    await admin.ask('user.enable', { user });
    expect(await codeOf(await openAs(server(), token), 'whoami')).toBe('done');
  });
});

test('a machine’s own user needs no enrolment, and an administrator makes its token', async () => {
  const admin = await administrator();
  const user = `user${++users}`;
  await admin.ask('user.add', { user, role: 'clerk' });
  const { token, user: owner } = await create(admin, { user, role: 'clerk' });
  expect(owner).toBe(user);
  expect(await (await openAs(server(), token)).ask('whoami')).toMatchObject({ result: { user, role: 'clerk' } });
  const tooMuch = await admin.ask('token.create', { name: 'boss', role: 'manager', user });
  expect(tooMuch?.error).toMatchObject({
    data: { code: 'forbidden', hint: 'Give it one of these roles: viewer, clerk.' },
  });
  await admin.ask('user.disable', { user });
  expect(await codeOf(admin, 'token.create', { name: 'late', role: 'viewer', user })).toBe('conflict');
});

test('other people’s tokens are for who may write users; for others they are not there', async () => {
  const [anna, otto] = [await newUser(), await newUser()];
  const { id } = await create(otto.client);
  expect(await codeOf(anna.client, 'token.list', { user: otto.user })).toBe('forbidden');
  expect(await codeOf(anna.client, 'token.list', { all: true })).toBe('forbidden');
  expect(await codeOf(anna.client, 'token.create', { name: 'x', role: 'viewer', user: otto.user })).toBe('forbidden');
  expect(await codeOf(anna.client, 'token.revoke', { id })).toBe('not-found');
  expect(await tokensOf(anna.client)).toEqual([]);
  const admin = await administrator();
  expect(await tokensOf(admin, { user: otto.user })).toMatchObject([{ id, user: otto.user, role: 'viewer' }]);
  expect((await tokensOf(admin, { all: true })).map((token) => token['id'])).toContain(id);
  expect(await codeOf(admin, 'token.revoke', { id })).toBe('done');
});

test.each([
  [{ days: 0 }, 'bad-params'],
  [{ days: 366 }, 'bad-params'],
  [{ days: 1.5 }, 'bad-params'],
  [{ role: undefined }, 'bad-params'],
  [{ role: 'king' }, 'bad-params'],
  [{ name: '' }, 'bad-params'],
  [{ name: 'two\nlines' }, 'bad-params'],
  [{ role: 'manager' }, 'forbidden'],
  [{ role: 'auditor' }, 'forbidden'],
])('a clerk’s token with %j is refused', async (params, code) => {
  const { client } = await newUser();
  expect(await codeOf(client, 'token.create', { name: 'x', role: 'viewer', ...params })).toBe(code);
  expect(await tokensOf(client)).toEqual([]);
});

test('a user has at most 50, each with a name of its own', async () => {
  const { client } = await newUser();
  await create(client, { name: 'dock' });
  expect(await codeOf(client, 'token.create', { name: ' dock ', role: 'viewer' })).toBe('conflict');
  for (let count = 1; count < apiTokensPerUserMax; count++) await create(client);
  expect(await tokensOf(client)).toHaveLength(apiTokensPerUserMax);
  expect(await codeOf(client, 'token.create', { name: 'one more', role: 'viewer' })).toBe('conflict');
});

test('its last use is remembered to the minute, also over a restart', async () => {
  const own = await startServer();
  const admin = await WireClient.open(own);
  await enrollAdministrator(own, admin);
  const { token } = await create(admin);
  const used = async (client: WireClient) => (await tokensOf(client))[0]?.['lastUsedAt'];
  expect(await used(admin)).toBeUndefined();
  const machine = await openAs(own, token);
  const first = await used(admin);
  expect(first).toEqual(expect.any(String));
  own.turnClock(59_000);
  await machine.ask('ping');
  await machine.ask('whoami');
  expect(await used(admin)).toBe(first);
  own.turnClock(1500);
  await machine.ask('whoami');
  const second = await used(admin);
  expect(Date.parse(String(second)) - Date.parse(String(first))).toBeGreaterThanOrEqual(60_000);
  await own.restart();
  const again = await WireClient.open(own);
  await again.ask('login', { user: 'admin', password: testPassword });
  expect(await used(again)).toBe(second);
  expect(await codeOf(await openAs(own, token), 'whoami')).toBe('done');
});

describe.each<AuthMode>(['token', 'either', 'both', 'mutual'])('in auth.mode %s', (mode) => {
  const shared = shareServer({ mode });

  test('an API token is taken as an access token is, with a certificate of the same user where one is asked for', async () => {
    const authority = await clientAuthority(shared().certs);
    const shown = (user: string) => makeOddCertificate(authority, { names: [userUri(user)] });
    const admin = await WireClient.open(shared(), shown('admin'));
    if (mode !== 'mutual') await admin.ask('login', { user: 'admin', password: testPassword });
    await admin.ask('user.add', { user: 'other', role: 'viewer' });
    const { token, id } = await create(admin, { role: 'viewer' });
    const certified = await WireClient.open(shared(), shown('admin'));
    const bare = await WireClient.open(shared());
    const isAlone = mode === 'token' || mode === 'either';
    expect(await codeOf(bare, 'authenticate', { token })).toBe(isAlone ? 'done' : 'login-required');
    expect(await codeOf(bare, 'view')).toBe(isAlone ? 'done' : 'login-required');
    const isOffered = mode !== 'mutual';
    expect(await codeOf(certified, 'authenticate', { token })).toBe(isOffered ? 'done' : 'login-required');
    expect(await certified.ask('whoami')).toMatchObject({ result: { role: isOffered ? 'viewer' : 'admin' } });
    const other = await WireClient.open(shared(), shown('other'));
    expect(await codeOf(other, 'authenticate', { token })).toBe(mode === 'token' ? 'done' : 'login-required');
    await admin.ask('token.revoke', { id });
    if (isOffered) expect(await certified.reply()).toMatchObject(lastWord);
    else expect(await codeOf(certified, 'view')).toBe('done');
  });
});
