import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { openStore } from '../../src/store/open.ts';
import { note, sessionOf } from '../store/intent.ts';
import { slowHash, startServer, type TestServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, line, openAs, testPassword, WireClient } from '../support/wire-client.ts';
import { clientAuthority, makeOddCertificate, userUri } from './odd-certificate.ts';

const server = shareServer({ flags: slowHash });
const otherPassword = 'Another-long-passphrase-72';
const lastWord = { id: null, error: { data: { code: 'session-expired', hint: expect.any(String) } } };
let users = 0;

/** An administrator, and a new user with two open connections of one login and a third of another. */
async function newUser(role = 'clerk', own: TestServer = server()) {
  const administrator = await WireClient.open(own);
  await administrator.ask('login', { user: 'admin', password: testPassword });
  const user = `user${++users}`;
  const { client, grant } = await enrollUser(own, administrator, user, role);
  const same = await openAs(own, grant['accessToken']);
  const second = await WireClient.open(own);
  const logged = await second.ask('login', { user, password: testPassword });
  return { administrator, user, client, same, second, grant, secondGrant: logged?.result ?? {} };
}

/** The server says this unasked, and closes. */
async function expectClosed(client: WireClient, said: object = lastWord) {
  expect(await client.reply()).toMatchObject(said);
  await client.closed;
}

async function expectOpen(...clients: readonly WireClient[]) {
  for (const client of clients) expect(await client.ask('whoami')).toHaveProperty('result');
}

async function currentSession(client: WireClient): Promise<string> {
  const listed = await client.ask('session.list');
  const sessions = listed?.result?.['sessions'] as { id: string; current?: boolean }[]; // As its schema says.
  return sessions.find(({ current }) => current)?.id ?? '';
}

/** A certificate as gen-certs makes it, issued at that moment. */
async function readClientCertificate(folder: string, user: string, now = Date.now()) {
  const { certificateFile, keyFile } = await makeClientCertificate(folder, user, true, now);
  return { cert: await readFile(join(folder, certificateFile)), key: await readFile(join(folder, keyFile)) };
}

describe('connections are told why and closed when what they rest on ends', () => {
  test('by a logout, except the one that logs out', async () => {
    const { client, same, second } = await newUser();
    expect(await client.ask('logout')).toMatchObject({ result: {} });
    await expectClosed(same);
    expect(await client.ask('ping')).toHaveProperty('result');
    await expectOpen(second);
  });

  test('by session.revoke, of oneself or by an administrator', async () => {
    const { administrator, client, same, second } = await newUser();
    expect(await second.ask('session.revoke', { id: await currentSession(client) })).toMatchObject({
      result: { ended: 1 },
    });
    await expectClosed(client);
    await expectClosed(same);
    await administrator.ask('session.revoke', { id: await currentSession(second) });
    await expectClosed(second);
    await expectOpen(administrator);
  });

  test('by one’s own wish, which is answered first', async () => {
    const { client } = await newUser();
    expect(await client.ask('session.revoke', { id: await currentSession(client) })).toMatchObject({
      result: { ended: 1 },
    });
    await expectClosed(client);
  });

  test('by session.revoke of the others, except this one', async () => {
    const { client, same, second } = await newUser();
    expect(await client.ask('session.revoke', { others: true })).toMatchObject({ result: { ended: 1 } });
    await expectClosed(second);
    await expectOpen(client, same);
  });

  test('when the password changes, except where it is changed', async () => {
    const { client, same, second } = await newUser();
    const changed = await client.ask('passwd', { current: testPassword, password: otherPassword });
    expect(changed).toHaveProperty('result');
    await expectClosed(same);
    await expectClosed(second);
    await expectOpen(client);
  });

  test.each(['user.disable', 'user.reset'])('by %s', async (method) => {
    const { administrator, user, client, same, second } = await newUser();
    await administrator.ask(method, { user });
    for (const ended of [client, same, second]) await expectClosed(ended);
    await expectOpen(administrator);
  });

  test('also those with nothing but a certificate, when their user is disabled', async () => {
    const { administrator, user } = await newUser();
    const certificate = makeOddCertificate(await clientAuthority(server().certs), { names: [userUri(user)] });
    const certified = await WireClient.open(server(), certificate);
    await expectOpen(certified);
    await administrator.ask('user.disable', { user });
    const reason = { code: 'certificate-refused', reason: 'unknown-user' };
    await expectClosed(certified, { id: null, error: { data: reason } });
  });

  test('and when their user is reset: with what was issued before, and not with what is issued then', async () => {
    const own = await startServer();
    await enrollAdministrator(own);
    const { administrator, user } = await newUser('clerk', own);
    const old = await readClientCertificate(own.certs, user);
    const certified = await WireClient.open(own, old);
    await expectOpen(certified);
    own.turnClock(5000); // The old one is older by more than the second that certificates are exact to.
    await administrator.ask('user.reset', { user });
    const revoked = { id: null, error: { data: { code: 'certificate-refused', reason: 'revoked' } } };
    await expectClosed(certified, revoked);
    expect(await (await WireClient.open(own, old)).reply()).toMatchObject(revoked);
    own.turnClock(5000);
    await expectOpen(await WireClient.open(own, await readClientCertificate(own.certs, user, Date.now() + 10_000)));
  });

  test('by a reset beside the server, within a moment', async () => {
    const own = await startServer();
    await enrollAdministrator(own);
    const { client, user } = await newUser('clerk', own);
    const beside = await openStore(`sqlite:${join(own.folder, 'data', 'inventory.db')}`, { exclusive: false });
    const id = (await beside.users()).find((one) => one.user === user)?.id ?? 0;
    await beside.resetUser(note, id, { hash: new Uint8Array(32), expiresAt: 9 }, 0);
    await beside.close();
    await expectClosed(client);
  });

  test('and a refresh in the moment before the server has noticed is refused, and keeps nobody busy', async () => {
    const own = await startServer();
    await enrollAdministrator(own);
    const { client, user, grant } = await newUser('clerk', own);
    const beside = await openStore(`sqlite:${join(own.folder, 'data', 'inventory.db')}`, { exclusive: false });
    const id = (await beside.users()).find((one) => one.user === user)?.id ?? 0;
    await beside.resetUser(note, id, { hash: new Uint8Array(32), expiresAt: 9 }, 0);
    await beside.close();
    const thief = await WireClient.open(own);
    expect(await thief.ask('refresh', { refreshToken: grant['refreshToken'] })).toMatchObject({
      error: { data: { code: expect.stringMatching(/^(login-required|session-expired)$/) } },
    });
    await expectClosed(client);
    expect(await thief.ask('ping')).toHaveProperty('result');
  });

  test('by too many logins, except where the last of them is made', async () => {
    const own = await startServer();
    await enrollAdministrator(own);
    const { client, same, second, user } = await newUser('clerk', own);
    const beside = await openStore(`sqlite:${join(own.folder, 'data', 'inventory.db')}`, { exclusive: false });
    const { id = 0, epoch = 0 } = (await beside.users()).find((one) => one.user === user) ?? {};
    for (let count = 0; count < 98; count++) {
      const session = { ...sessionOf(`more-${count}`, id, Date.now()), expiresAt: Date.now() + 3_600_000 };
      await beside.addSession(note, session, 1000, epoch);
    }
    await beside.close();
    expect(await client.ask('login', { user, password: testPassword })).toHaveProperty('result');
    await expectClosed(same);
    await expectOpen(client, second);
  });
});

describe('connections are let be', () => {
  test('when their access token is merely past its time, which a refresh mends', async () => {
    const own = await startServer();
    await enrollAdministrator(own);
    const { administrator, client, same, grant } = await newUser('clerk', own);
    const other = await newUser('clerk', own);
    own.turnClock(11 * 60_000);
    await administrator.ask('login', { user: 'admin', password: testPassword });
    await administrator.ask('user.disable', { user: other.user });
    await expectClosed(other.client);
    expect(await same.ask('whoami')).toMatchObject({
      id: expect.any(Number),
      error: { data: { code: 'session-expired' } },
    });
    expect(await client.ask('refresh', { refreshToken: grant['refreshToken'] })).toHaveProperty('result');
    await expectOpen(client);
  });

  test('when another user’s access ends', async () => {
    const [one, other] = [await newUser(), await newUser()];
    await one.administrator.ask('user.reset', { user: one.user });
    await expectClosed(one.client);
    await expectOpen(other.client, other.same, other.second);
  });
});

test('a password change that loses against a reset leaves no connection open', async () => {
  const { administrator, user, client, same, second } = await newUser();
  client.write(line(77, 'passwd', { current: testPassword, password: otherPassword }));
  const reset = await administrator.ask('user.reset', { user });
  expect(reset).toHaveProperty('result');
  const [first, then] = await client.replies(2);
  expect(first?.id).toBe(77);
  expect(then).toMatchObject(lastWord);
  await client.closed;
  await expectClosed(same);
  await expectClosed(second);
});

test('a stolen refresh token ends the login of both: each is told, and every connection of it is closed', async () => {
  const { client, same, second, grant, user } = await newUser();
  const thief = await WireClient.open(server());
  const { refreshToken: stolen } = grant;
  const next = await client.ask('refresh', { refreshToken: stolen });
  const last = await client.ask('refresh', { refreshToken: next?.result?.['refreshToken'] });
  expect(last).toHaveProperty('result');
  expect(await thief.ask('refresh', { refreshToken: stolen })).toMatchObject({
    error: { message: expect.stringContaining('used a second time'), data: { code: 'session-expired' } },
  });
  await expectClosed(client);
  await expectClosed(same);
  const owner = await WireClient.open(server());
  expect(await owner.ask('refresh', { refreshToken: last?.result?.['refreshToken'] })).toMatchObject({
    error: { message: 'This login was ended.', data: { hint: 'Run: secure-inv login' } },
  });
  await expectOpen(second);
  // Whoever was not there to be told is told at the next login, and only then.
  const told = await owner.ask('login', { user, password: testPassword });
  expect(told?.result?.['notices']).toEqual([
    expect.stringMatching(/used a second time, from 127\.0\.0\.1\. .*passwd$/),
  ]);
  expect((await owner.ask('login', { user, password: testPassword }))?.result).not.toHaveProperty('notices');
  const { administrator } = await newUser();
  const audited = await administrator.ask('audit', { event: 'session-stolen', user });
  expect(audited?.result?.['records']).toMatchObject([{ subject: user, source: '127.0.0.1' }]);
});

test('a thief on a connection of that login is answered, and then cut off', async () => {
  const { client, same, grant } = await newUser();
  const next = await client.ask('refresh', { refreshToken: grant['refreshToken'] });
  await client.ask('refresh', { refreshToken: next?.result?.['refreshToken'] });
  expect(await same.ask('refresh', { refreshToken: grant['refreshToken'] })).toMatchObject({
    error: { message: expect.stringContaining('used a second time') },
  });
  await expectClosed(same);
  await expectClosed(client);
});
