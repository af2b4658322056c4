import { describe, expect, test } from 'vitest';
import { slowHash, startServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, line, openAs, testPassword, WireClient } from '../support/wire-client.ts';
import { clientAuthority, makeOddCertificate, userUri } from './odd-certificate.ts';

const server = shareServer({ flags: slowHash });
let users = 0;

/** An administrator, and a new user with two open connections of one session. */
async function newUser(role = 'clerk') {
  const administrator = await openAs(server(), server().grant['accessToken']);
  const user = `user${++users}`;
  const { client, grant } = await enrollUser(server(), administrator, user, role);
  const other = await openAs(server(), grant['accessToken']);
  expect(await other.ask('whoami')).toMatchObject({ result: { user } });
  return { administrator, user, client, other, grant };
}

const codeOf = async (client: WireClient, method = 'whoami') => (await client.ask(method))?.error?.data.code;
const logIn = async (user: string, password = testPassword) => {
  const client = await WireClient.open(server());
  return { client, reply: await client.ask('login', { user, password }) };
};
const otherPassword = 'Another-long-passphrase-72';

describe('access ends at once, also on open connections and for good tokens', () => {
  test('at logout, for this session alone', async () => {
    const { user, client, other, grant } = await newUser();
    const second = await logIn(user);
    expect(await client.ask('logout')).toMatchObject({ result: {} });
    expect(await codeOf(client)).toBe('login-required');
    expect(await codeOf(other)).toBe('session-expired');
    expect(await codeOf(await openAs(server(), grant['accessToken']))).toBe('login-required');
    const stranger = await WireClient.open(server());
    expect(await stranger.ask('refresh', { refreshToken: grant['refreshToken'] })).toMatchObject({
      error: { code: 1001 },
    });
    expect(await codeOf(second.client)).toBeUndefined();
  });

  test('when the user is disabled, and what was given before stays worthless when they are enabled again', async () => {
    const { administrator, user, client, grant } = await newUser();
    await administrator.ask('user.disable', { user });
    expect(await client.reply()).toMatchObject({ id: null, error: { code: 1002, message: 'This login was ended.' } });
    const late = await WireClient.open(server());
    expect(await late.ask('authenticate', { token: grant['accessToken'] })).toMatchObject({
      error: { code: 1001, message: 'This account is disabled.' },
    });
    await administrator.ask('user.enable', { user });
    expect(await codeOf(await openAs(server(), grant['accessToken']))).toBe('login-required');
    const stranger = await WireClient.open(server());
    expect(await stranger.ask('refresh', { refreshToken: grant['refreshToken'] })).toMatchObject({
      error: { code: 1001 },
    });
    expect((await logIn(user)).reply).toHaveProperty('result');
  });

  test('and nothing ends for a user who is enabled and enabled again', async () => {
    const { administrator, user, client } = await newUser();
    await administrator.ask('user.enable', { user });
    expect(await codeOf(client)).toBeUndefined();
  });

  test('a new role bites at the next request, in both directions', async () => {
    const { administrator, user, other } = await newUser('viewer');
    expect(await codeOf(other, 'user.list')).toBe('forbidden');
    await administrator.ask('user.edit', { user, role: 'admin' });
    expect(await codeOf(other, 'user.list')).toBeUndefined();
    await administrator.ask('user.edit', { user, role: 'viewer' });
    expect(await codeOf(other, 'user.list')).toBe('forbidden');
  });

  test('when the password changes, everywhere but here', async () => {
    const { user, client, other } = await newUser();
    const changed = await client.ask('passwd', { current: testPassword, password: otherPassword });
    expect(changed).toMatchObject({ result: { user } });
    expect(await codeOf(client)).toBeUndefined();
    expect(await codeOf(other)).toBe('session-expired');
    expect((await logIn(user)).reply?.error?.data.code).toBe('login-failed');
    expect((await logIn(user, otherPassword)).reply).toHaveProperty('result');
  });

  test('when the user is reset, until they enroll again', async () => {
    const { administrator, user, client } = await newUser();
    const reset = await administrator.ask('user.reset', { user });
    expect(await codeOf(client)).toBe('session-expired');
    expect((await logIn(user)).reply?.error?.data.code).toBe('login-failed');
    const again = await WireClient.open(server());
    await again.ask('enroll', { code: reset?.result?.['code'] });
    expect(await again.ask('enroll', { password: otherPassword })).toMatchObject({ result: { user } });
  });

  test('also for who disables themselves: that is answered, and then the connection is closed', async () => {
    const { client } = await newUser('admin');
    const user = `user${users}`;
    client.write(line(1, 'user.disable', { user }) + line(2, 'ping'));
    const replies = await client.replies(9);
    expect(replies.find(({ id }) => id === 1)).toMatchObject({ result: { user } });
    expect(replies.at(-1)).toMatchObject({ id: null, error: { data: { code: 'session-expired' } } });
    await client.closed;
  });
});

describe('what is under way when access ends comes too late', () => {
  test('a password change loses against a reset', async () => {
    const { administrator, user, client } = await newUser();
    const change = client.ask('passwd', { current: testPassword, password: otherPassword });
    const reset = await administrator.ask('user.reset', { user });
    expect((await change)?.error?.data.code).toMatch(/^(conflict|login-failed)$/);
    expect((await logIn(user, otherPassword)).reply?.error?.data.code).toBe('login-failed');
    const again = await WireClient.open(server());
    expect(await again.ask('enroll', { code: reset?.result?.['code'] })).toHaveProperty('result');
  });

  test.each(['user.reset', 'user.disable'])('an enrolment whose code was redeemed loses against %s', async (method) => {
    const administrator = await openAs(server(), server().grant['accessToken']);
    const user = `user${++users}`;
    const added = await administrator.ask('user.add', { user, role: 'clerk' });
    const early = await WireClient.open(server());
    await early.ask('enroll', { code: added?.result?.['code'] });
    const ended = await administrator.ask(method, { user });
    expect(await early.ask('enroll', { password: testPassword })).toMatchObject({
      error: { data: { code: 'conflict' } },
    });
    expect(await codeOf(early)).toBe('login-required');
    await administrator.ask('user.enable', { user });
    expect((await logIn(user)).reply?.error?.data.code).toBe('login-failed');
    if (method === 'user.disable') return;
    const again = await WireClient.open(server());
    await again.ask('enroll', { code: ended?.result?.['code'] });
    expect(await again.ask('enroll', { password: testPassword })).toMatchObject({ result: { user } });
  });

  test('logins lose against a disable, whenever it comes', async () => {
    const { administrator, user } = await newUser();
    const clients = await Promise.all(Array.from({ length: 4 }, () => WireClient.open(server())));
    const logins = clients.map((client) => client.ask('login', { user, password: testPassword }));
    await logins[0];
    await administrator.ask('user.disable', { user });
    await administrator.ask('user.enable', { user });
    const replies = await Promise.all(logins);
    for (const [at, client] of clients.entries()) {
      // Whoever was let in before was let out, and nobody was let in between with what they had proven before.
      if (replies[at]?.result && at === 0) expect(await codeOf(client)).toMatch(/^(session-expired|login-required)$/);
    }
  });

  test('a rehash under new settings loses against a new password', async () => {
    const flags: Record<string, string> = {};
    const own = await startServer({ flags });
    await enrollAdministrator(own);
    flags['auth.password.memoryKibibytes'] = '65536';
    await own.restart();
    const [first, second] = [await WireClient.open(own), await WireClient.open(own)];
    await first.ask('login', { user: 'admin', password: testPassword });
    const [rehashed, changed] = await Promise.all([
      second.ask('login', { user: 'admin', password: testPassword }),
      first.ask('passwd', { current: testPassword, password: otherPassword }),
    ]);
    expect(changed).toHaveProperty('result');
    expect(rehashed).toBeDefined();
    const third = await WireClient.open(own);
    expect(await third.ask('login', { user: 'admin', password: testPassword })).toMatchObject({
      error: { code: 1003 },
    });
    expect(await third.ask('login', { user: 'admin', password: otherPassword })).toHaveProperty('result');
  });
});

describe('an enrolment code', () => {
  test('is good once, on the connection that redeemed it', async () => {
    const administrator = await openAs(server(), server().grant['accessToken']);
    const added = await administrator.ask('user.add', { user: `user${++users}`, role: 'clerk' });
    const { code } = added?.result ?? {};
    const [first, second] = [await WireClient.open(server()), await WireClient.open(server())];
    const redeemed = await Promise.all([first, second].map((client) => client.ask('enroll', { code })));
    expect(redeemed.filter((reply) => reply?.result)).toHaveLength(1);
    const loser = redeemed[0]?.result ? second : first;
    expect(await loser.ask('enroll', { password: testPassword })).toMatchObject({
      error: { data: { code: 'login-required' } },
    });
  });

  test('gives nothing before a good password was set', async () => {
    const administrator = await openAs(server(), server().grant['accessToken']);
    const user = `user${++users}`;
    const added = await administrator.ask('user.add', { user, role: 'admin' });
    const client = await WireClient.open(server());
    await client.ask('enroll', { code: added?.result?.['code'] });
    expect(await codeOf(client)).toBe('login-required');
    for (const password of [
      'short',
      'password1234',
      'secure-inv-secure-inv',
      'Secure Inventory 12!',
      `${user}${user}${user}`,
      'aaaaaaaaaaaaaaaa',
      'x'.repeat(257),
    ]) {
      expect(await client.ask('enroll', { password })).toMatchObject({ error: { data: { code: 'bad-params' } } });
    }
    expect(await codeOf(client)).toBe('login-required');
    expect(await client.ask('enroll', { password: testPassword })).toMatchObject({ result: { user } });
    expect(await codeOf(client)).toBeUndefined();
    expect(await client.ask('enroll', { password: otherPassword })).toMatchObject({
      error: { data: { code: 'login-required' } },
    });
  });
});

describe('a session that began with a certificate', () => {
  test('is worth nothing without it, or with another one of the same user', async () => {
    const authority = await clientAuthority(server().certs);
    const { user } = await newUser();
    const [own, other] = [
      makeOddCertificate(authority, { names: [userUri(user)] }),
      makeOddCertificate(authority, { names: [userUri(user)] }),
    ];
    const bound = await WireClient.open(server(), own);
    const granted = (await bound.ask('login', { user, password: testPassword }))?.result;
    const { accessToken: token, refreshToken } = granted ?? {};
    for (const options of [{}, other]) {
      const client = await WireClient.open(server(), options);
      expect(await client.ask('authenticate', { token })).toMatchObject({
        error: { data: { code: 'login-required' } },
      });
      expect(await client.ask('refresh', { refreshToken })).toMatchObject({
        error: { data: { code: 'login-required' } },
      });
    }
    const again = await WireClient.open(server(), own);
    expect(await again.ask('authenticate', { token })).toMatchObject({ result: { user } });
    // The refusals above have not spent it.
    const refreshed = await again.ask('refresh', { refreshToken });
    const successor = refreshed?.result?.['refreshToken'];
    expect(await again.ask('refresh', { refreshToken: successor })).toHaveProperty('result');
  });
});

test('a connection is one user’s: another’s token is refused on it, and not spent', async () => {
  const { client, user } = await newUser();
  const stranger = await newUser();
  const { accessToken: token, refreshToken } = stranger.grant;
  expect(await client.ask('authenticate', { token })).toMatchObject({ error: { data: { code: 'login-required' } } });
  expect(await client.ask('refresh', { refreshToken })).toMatchObject({ error: { data: { code: 'login-required' } } });
  expect(await client.ask('whoami')).toMatchObject({ result: { user } });
  expect(await stranger.client.ask('refresh', { refreshToken })).toHaveProperty('result');
});
