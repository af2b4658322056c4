import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { expect, test } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { clientAuthority, makeOddCertificate, userUri } from '../auth/odd-certificate.ts';
import { note } from '../store/intent.ts';
import { slowHash, startServer, type TestServer } from '../support/server.ts';
import {
  enrollAdministrator,
  enrollUser,
  openAs,
  testPassword,
  WireClient,
  type WireReply,
} from '../support/wire-client.ts';

const minute = 60_000;
const secondsUntilOpen = 15 * 60;

/** A connection of its own for each, because three failures end one. */
async function login(
  server: TestServer,
  user: string,
  password: string,
  { device, ...options }: ConnectionOptions & { readonly device?: string | undefined } = {},
): Promise<WireReply | undefined> {
  const client = await WireClient.open(server, options);
  const reply = await client.ask('login', { user, password, device });
  client.socket.destroy();
  return reply;
}

const fail = (server: TestServer, user: string) => login(server, user, 'a-wrong-password');

/** Fails as soon as the server lets it, without waiting: the clock is turned instead. */
async function failOften(server: TestServer, user: string, times: number): Promise<void> {
  for (let failed = 0; failed < times; ) {
    const reply = await fail(server, user);
    if (reply?.error?.data.code === 'login-failed') failed++;
    else server.turnClock((reply?.error?.data.retryAfter ?? Number.NaN) * 1000);
  }
}

const busy = (retryAfter: unknown = expect.any(Number)) => ({
  error: { code: 1008, data: { code: 'busy', retryAfter, hint: expect.stringContaining('user unlock') } },
});
const loggedIn = (user: string) => ({ result: { user } });
const loginFailed = { error: { data: { code: 'login-failed' } } };

test('a guesser is slowed down and then stopped, while the owner logs in on a known device and a restart changes nothing', async () => {
  const server = await startServer({ isClockStopped: true });
  const { device } = await enrollAdministrator(server);
  for (let at = 0; at < 3; at++) expect(await fail(server, 'admin')).toMatchObject(loginFailed);
  expect(await fail(server, 'admin')).toMatchObject(busy(1));
  await failOften(server, 'admin', 7);
  const stopped = await login(server, 'admin', testPassword);
  expect(stopped).toMatchObject(busy(secondsUntilOpen));
  expect(stopped?.error?.message).toBe('Too many failed logins for this user from here. Try again in 900 s.');
  expect(await login(server, 'admin', testPassword, { device })).toMatchObject(loggedIn('admin'));
  // Elsewhere a device of somebody else is worth nothing.
  expect(await login(server, 'nobody', testPassword, { device })).toMatchObject(loginFailed);
  await server.restart();
  expect(await login(server, 'admin', testPassword)).toMatchObject(busy(secondsUntilOpen));
  server.turnClock(secondsUntilOpen * 1000);
  expect(await login(server, 'admin', testPassword)).toMatchObject(loggedIn('admin'));
});

/** Puts a user into the state after so many failures in a row, which takes a while to reach by failing. */
async function writeFailures(server: TestServer, user: string, inARow: number): Promise<void> {
  const store = await openStore(`sqlite:${join(server.folder, 'data', 'inventory.db')}`, { exclusive: false });
  const id = (await store.users()).find((known) => known.user === user)?.id ?? 0;
  await store.saveThrottle(id, JSON.stringify({ sources: {}, failedAt: [], inARow }));
  await store.close();
  await server.restart();
}

const wrongPassword = { ...loginFailed.error, message: 'Wrong user or password.' };

test('after 100 failures in a row strangers are shut out without being told, until the owner logs in', async () => {
  const server = await startServer({ isClockStopped: true });
  const { device } = await enrollAdministrator(server);
  await writeFailures(server, 'admin', 98);
  expect(await fail(server, 'admin')).toMatchObject(loginFailed);
  expect(await login(server, 'admin', testPassword)).toMatchObject(loggedIn('admin'));
  await writeFailures(server, 'admin', 99);
  expect(await fail(server, 'admin')).toMatchObject(loginFailed);
  await server.restart();
  server.turnClock(16 * minute);
  // Three, and then a wait of a second: as it is with a wrong password.
  for (let at = 0; at < 3; at++)
    expect((await login(server, 'admin', testPassword))?.error).toMatchObject(wrongPassword);
  expect(await login(server, 'admin', testPassword)).toMatchObject(busy(1));
  expect(await login(server, 'admin', testPassword, { device })).toMatchObject(loggedIn('admin'));
  server.turnClock(1000);
  expect(await login(server, 'admin', testPassword)).toMatchObject(loggedIn('admin'));
});

test('an administrator lets strangers try again', async () => {
  const server = await startServer({ isClockStopped: true });
  const grant = await enrollAdministrator(server);
  await enrollUser(server, await openAs(server, grant['accessToken']), 'anna', 'clerk');
  await writeFailures(server, 'anna', 100);
  expect((await login(server, 'anna', testPassword))?.error).toMatchObject(wrongPassword);
  const administrator = await openAs(server, grant['accessToken']);
  const unlocked = { result: { user: 'anna', role: 'clerk' } };
  expect(await administrator.ask('user.unlock', { user: 'anna' })).toMatchObject(unlocked);
  await server.restart();
  expect(await login(server, 'anna', testPassword)).toMatchObject(loggedIn('anna'));
  const again = await openAs(server, grant['accessToken']);
  expect(await again.ask('user.unlock', { user: 'nobody' })).toMatchObject({ error: { data: { code: 'not-found' } } });
});

test('30 tries are answered in the same bytes whether or not there is such a user', async () => {
  const server = await startServer({ isClockStopped: true });
  const administrator = await openAs(server, (await enrollAdministrator(server))['accessToken']);
  await enrollUser(server, administrator, 'anna', 'clerk');
  await enrollUser(server, administrator, 'off', 'clerk');
  await administrator.ask('user.disable', { user: 'off' });
  await administrator.ask('user.add', { user: 'new', role: 'clerk' });
  const answers = new Map<string, string[]>(['anna', 'nobody', 'off', 'new'].map((user) => [user, []]));
  for (let round = 0; round < 30; round++) {
    if (round % 3 === 2) server.turnClock([1000, 4000, 20_000, 31_000, 16 * minute][Math.floor(round / 3) % 5] ?? 0);
    for (const [user, texts] of answers) {
      // The name that was typed stands in the hint, whosever it is.
      texts.push((await answerOf(server, user)).replace(new RegExp(`(reset|unlock) ${user}"`), '$1 NAME"'));
    }
    server.turnClock(500);
  }
  const [first, ...others] = answers.values();
  expect(first?.filter((text) => text.includes('busy')).length).toBeGreaterThan(5);
  expect(first?.filter((text) => text.includes('login-failed')).length).toBeGreaterThan(10);
  for (const texts of others) expect(texts).toEqual(first);
});

/** What comes back as it stands on the wire, without the number of the refusal, which is random. */
async function answerOf({ port, ca }: TestServer, user: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca, servername: '', ALPNProtocols: ['secure-inv/1'] });
  const params = { user, password: 'a-wrong-password', device: 'A'.repeat(22) };
  socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'login', params })}\n`);
  const text = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))));
  socket.destroy();
  return text.replace(/,"request":"[0-9a-f]{8}"/, '');
}

test('a good certificate makes its own user known, and nobody else', async () => {
  const server = await startServer({ isClockStopped: true });
  const administrator = await openAs(server, (await enrollAdministrator(server))['accessToken']);
  await enrollUser(server, administrator, 'anna', 'clerk');
  const certificateOf = async (user: string) =>
    makeOddCertificate(await clientAuthority(server.certs), { names: [userUri(user)] });
  const [annas, admins] = [await certificateOf('anna'), await certificateOf('admin')];
  await failOften(server, 'admin', 10);
  expect(await login(server, 'admin', testPassword, annas)).toMatchObject(busy(secondsUntilOpen));
  expect(await login(server, 'admin', testPassword, admins)).toMatchObject(loggedIn('admin'));
  for (let at = 0; at < 3; at++) expect(await login(server, 'admin', 'wrong', admins)).toMatchObject(loginFailed);
  expect(await login(server, 'admin', testPassword, admins)).toMatchObject(busy(1));
});

test('of 20 tries at once three are judged', async () => {
  const server = await startServer({ isClockStopped: true, flags: slowHash });
  await enrollAdministrator(server);
  for (const user of ['admin', 'nobody']) {
    const clients = await Promise.all(Array.from({ length: 20 }, () => WireClient.open(server)));
    const replies = await Promise.all(clients.map((client) => client.ask('login', { user, password: 'a-wrong-one' })));
    const codes = replies.map((reply) => reply?.error?.data.code);
    expect(codes.filter((code) => code === 'login-failed')).toHaveLength(3);
    expect(codes.filter((code) => code === 'busy')).toHaveLength(17);
  }
});

test('an address fails 20 times in a minute, at codes and refresh tokens too; a token that has run out is no failure', async () => {
  const server = await startServer({ isClockStopped: true });
  const { device, refreshToken } = await enrollAdministrator(server);
  const ask = async (method: string, params: unknown) => {
    const client = await WireClient.open(server);
    const reply = await client.ask(method, params);
    client.socket.destroy();
    return reply;
  };
  server.turnClock(25 * 60 * minute);
  for (let at = 0; at < 25; at++) {
    expect(await ask('refresh', { refreshToken })).toMatchObject({ error: { data: { code: 'session-expired' } } });
  }
  const guesses = [
    () => ask('refresh', { refreshToken: 'malformed' }),
    () => ask('refresh', { refreshToken: `${'A'.repeat(16)}.${'A'.repeat(43)}` }),
    () => ask('enroll', { code: 'A'.repeat(22) }),
  ];
  for (let at = 0; at < 20; at++)
    expect((await guesses[at % 3]?.())?.error?.data.code).toMatch(/login-(required|failed)/);
  const refused = { error: { data: { code: 'busy' }, message: expect.stringContaining('from your address') } };
  for (const guess of guesses) expect(await guess()).toMatchObject(refused);
  expect(await login(server, 'admin', testPassword)).toMatchObject(refused);
  expect(await login(server, 'admin', testPassword, { device })).toMatchObject(loggedIn('admin'));
  server.turnClock(minute);
  expect(await login(server, 'admin', testPassword)).toMatchObject(loggedIn('admin'));
});

test('an address that has failed too often still refreshes what this server gave it', async () => {
  const server = await startServer({ isClockStopped: true });
  const { refreshToken } = await enrollAdministrator(server);
  for (let at = 0; at < 20; at++) {
    const stranger = await WireClient.open(server);
    await stranger.ask('refresh', { refreshToken: 'malformed' });
    stranger.socket.destroy();
  }
  const client = await WireClient.open(server);
  expect(await client.ask('refresh', { refreshToken: 'malformed' })).toMatchObject({
    error: { data: { code: 'busy' } },
  });
  expect(await client.ask('refresh', { refreshToken })).toHaveProperty('result');
});

test('a wrong current password is held against the login that tries it, and against no other', async () => {
  const server = await startServer({ isClockStopped: true });
  const { device } = await enrollAdministrator(server);
  const client = await WireClient.open(server);
  const granted = await client.ask('login', { user: 'admin', password: testPassword, device });
  const token = String(granted?.result?.['accessToken']);
  const change = async (current: string) => {
    const connection = await openAs(server, token);
    const reply = await connection.ask('passwd', { current, password: 'Another-long-passphrase-72' });
    connection.socket.destroy();
    return reply;
  };
  for (let at = 0; at < 3; at++) expect(await change('a-wrong-password')).toMatchObject(loginFailed);
  expect(await change(testPassword)).toMatchObject(busy(1));
  expect(await login(server, 'admin', testPassword)).toMatchObject(loggedIn('admin'));
  server.turnClock(1000);
  expect(await change(testPassword)).toMatchObject(loggedIn('admin'));
});

test('a reset forgets the failures, by an administrator or beside the server', async () => {
  const server = await startServer({ isClockStopped: true });
  const administrator = await openAs(server, (await enrollAdministrator(server))['accessToken']);
  await enrollUser(server, administrator, 'anna', 'clerk');
  const blocked = async (user: string) => (await fail(server, user))?.error?.data.code === 'busy';
  for (let at = 0; at < 3; at++) await fail(server, 'anna');
  expect(await blocked('anna')).toBe(true);
  await administrator.ask('user.reset', { user: 'anna' });
  expect(await blocked('anna')).toBe(false);
  for (let at = 0; at < 3; at++) await fail(server, 'admin');
  expect(await blocked('admin')).toBe(true);
  // As `secure-invd admin-link` does; the server reads everything again before it answers the request behind.
  const store = await openStore(`sqlite:${join(server.folder, 'data', 'inventory.db')}`, { exclusive: false });
  const admin = (await store.users()).find(({ user }) => user === 'admin');
  await store.resetUser(note, admin?.id ?? 0, { hash: new Uint8Array(32), expiresAt: 1 }, 0);
  await store.close();
  await expect.poll(() => blocked('admin'), { timeout: 5000, interval: 200 }).toBe(false);
});
