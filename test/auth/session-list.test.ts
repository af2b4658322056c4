import { expect, test } from 'vitest';
import { startServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, openAs, testPassword, WireClient } from '../support/wire-client.ts';
import { clientAuthority, makeOddCertificate, userUri } from './odd-certificate.ts';

const server = shareServer();
const administrator = () => openAs(server(), server().grant['accessToken']);
let users = 0;

async function newUser() {
  const user = `user${++users}`;
  return { user, ...(await enrollUser(server(), await administrator(), user, 'clerk')) };
}

const sessionsOf = async (client: WireClient, params = {}) =>
  (await client.ask('session.list', params))?.result?.['sessions'] as Record<string, unknown>[]; // As its schema says.

test('a login is listed with its user, source, certificate and last refresh, and never with its secret', async () => {
  const { user, client, grant } = await newUser();
  const authority = await clientAuthority(server().certs);
  const bound = await WireClient.open(server(), makeOddCertificate(authority, { names: [userUri(user)] }));
  await bound.ask('login', { user, password: testPassword });
  server().turnClock(60_000);
  const refreshed = await client.ask('refresh', { refreshToken: grant['refreshToken'] });
  const sessions = await sessionsOf(client);
  expect(sessions).toMatchObject([
    { user, source: '127.0.0.1', current: true },
    { user, source: '127.0.0.1', certificate: expect.stringMatching(/^[\w-]{43}$/) },
  ]);
  expect(sessions[0]).not.toHaveProperty('certificate');
  expect(sessions[1]).not.toHaveProperty('current');
  const [first] = sessions;
  expect(Date.parse(String(first?.['lastUsedAt'])) - Date.parse(String(first?.['createdAt']))).toBeGreaterThan(59_000);
  const text = JSON.stringify(sessions);
  for (const secret of [grant['refreshToken'], String(refreshed?.result?.['refreshToken'])]) {
    expect(text).not.toContain(String(secret).split('.')[1]);
  }
});

test('other people’s logins are for who may write users; for others they are not there', async () => {
  const [anna, otto] = [await newUser(), await newUser()];
  const [own] = await sessionsOf(otto.client);
  const id = own?.['id'];
  for (const params of [{ all: true }, { user: otto.user }, { user: 'nobody' }]) {
    expect(await anna.client.ask('session.list', params)).toMatchObject({
      error: { message: 'Needs the permission user:write (roles admin).', data: { code: 'forbidden' } },
    });
  }
  const strangers = await anna.client.ask('session.revoke', { id });
  const unknown = await anna.client.ask('session.revoke', { id: 'A'.repeat(16) });
  expect(strangers?.error?.data.code).toBe('not-found');
  const plain = (reply: typeof unknown) => reply?.error?.message.replace(/"[\w-]{16}"/, 'ID');
  expect(plain(strangers)).toBe(plain(unknown));
  expect(await otto.client.ask('ping')).toHaveProperty('result');
  const admin = await administrator();
  expect(await sessionsOf(admin, { user: otto.user })).toMatchObject([{ id, user: otto.user }]);
  const everybody = new Set((await sessionsOf(admin, { all: true })).map(({ user }) => user));
  for (const name of ['admin', anna.user, otto.user]) expect(everybody).toContain(name);
  expect(await admin.ask('session.list', { user: 'nobody' })).toMatchObject({ error: { data: { code: 'not-found' } } });
  expect(await sessionsOf(anna.client, { user: anna.user })).toHaveLength(1);
});

test('a login that has gone idle is not listed any more', async () => {
  const own = await startServer();
  const client = await WireClient.open(own);
  await enrollAdministrator(own, client);
  expect(await sessionsOf(client)).toHaveLength(1);
  own.turnClock(25 * 3_600_000);
  const again = await WireClient.open(own);
  await again.ask('login', { user: 'admin', password: testPassword });
  expect(await sessionsOf(again)).toMatchObject([{ current: true }]);
});

test.each([[{}], [{ id: 'A'.repeat(16), others: true }], [{ others: false }]])(
  'session.revoke takes one session or the others, and not %j',
  async (params) => {
    const client = await WireClient.open(server());
    await client.ask('login', { user: 'admin', password: testPassword });
    expect(await client.ask('session.revoke', params)).toMatchObject({ error: { data: { code: 'bad-params' } } });
  },
);
