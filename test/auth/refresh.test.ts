import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Accounts } from '../../src/auth/accounts.ts';
import { openKeyRing } from '../../src/auth/key-ring.ts';
import { refreshSession, startSession } from '../../src/auth/session.ts';
import { host } from '../../src/model/audit.ts';
import { refreshRepeatSeconds } from '../../src/model/limits.ts';
import { openStore } from '../../src/store/open.ts';
import type { SessionRecord } from '../../src/store/store.ts';
import { temporaryFolder } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { testPassword, WireClient } from '../support/wire-client.ts';

const settings = { accessMinutes: 10, refreshIdleHours: 24, refreshDays: 7 };
const anyone = () => undefined;
const from = { certificate: null, source: '192.0.2.7' };

/** Sessions over a real store, and a clock to turn. */
async function openSessions() {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'data'));
  const store = await openStore(`sqlite:${join(folder, 'data', 'inventory.db')}`, { exclusive: true });
  const keys = await openKeyRing(join(folder, 'data', 'keys.json'));
  const accounts = await Accounts.open(store, Date.now, () => undefined);
  const { user } = await accounts.invite(host, 'anna', 'clerk');
  const start = 1_800_000_000_000;
  const thefts: string[] = [];
  const onTheft = ({ id }: SessionRecord) => void thefts.push(id);
  const started = await startSession(accounts, keys, settings, user, from, start);
  const clock = { now: start };
  const refresh = async (token: string, assertBearer: () => void = anyone) => {
    const watch = { source: null, assertBearer, onTheft };
    return (await refreshSession(accounts, keys, settings, token, watch, clock.now)).refreshToken;
  };
  const isAlive = () => accounts.session(started.session.id) !== undefined;
  const { session, refreshToken: first } = started;
  return { store, accounts, keys, user, first, session, refresh, clock, isAlive, thefts };
}

const expired = expect.objectContaining({ code: 'session-expired' });
const unknown = expect.objectContaining({ code: 'login-required' });

describe('a refresh token', () => {
  test('is exchanged for another, which is good in its turn', async () => {
    const { store, first, refresh } = await openSessions();
    const second = await refresh(first);
    const third = await refresh(second);
    expect(new Set([first, second, third]).size).toBe(3);
    await store.close();
  });

  test('gives the same successor again within 30 s, as long as nobody has used that', async () => {
    const { store, first, refresh, clock, isAlive } = await openSessions();
    const second = await refresh(first);
    clock.now += refreshRepeatSeconds * 1000;
    expect(await refresh(first)).toBe(second);
    clock.now += 1;
    await expect(refresh(first)).rejects.toEqual(expired);
    expect(isAlive()).toBe(false);
    await expect(refresh(second)).rejects.toEqual(unknown);
    await store.close();
  });

  test('whose successor was used ends the session, also within 30 s', async () => {
    const { store, first, refresh, isAlive } = await openSessions();
    const third = await refresh(await refresh(first));
    await expect(refresh(first)).rejects.toEqual(expired);
    expect(isAlive()).toBe(false);
    await expect(refresh(third)).rejects.toEqual(unknown);
    await store.close();
  });

  test('that was stolen is known however often the login was renewed since, and the theft is told once', async () => {
    const { store, accounts, first, refresh, session, isAlive, thefts } = await openSessions();
    // As after 90 days of a renewal each minute.
    const renewed = { ...session, refreshHash: randomBytes(32) };
    for (let generation = 1; generation <= 3; generation++) await accounts.rotateSession({ ...renewed, generation });
    await expect(refresh(first)).rejects.toEqual(expired);
    expect([isAlive(), thefts]).toEqual([false, [session.id]]);
    await store.close();
  });

  test('from before tokens had tags is exchanged for one that has, and known as stolen as well', async () => {
    const { store, first, refresh, isAlive, thefts } = await openSessions();
    const untagged = first.split('.').slice(0, 2).join('.');
    const second = await refresh(untagged);
    expect(second).toMatch(/^[\w-]{16}\.[\w-]{43}\.[\w-]{22}$/);
    expect(await refresh(untagged)).toBe(second);
    let last = second;
    for (let count = 0; count < 5; count++) last = await refresh(last);
    await expect(refresh(untagged)).rejects.toEqual(expired);
    expect([isAlive(), thefts.length]).toEqual([false, 1]);
    await store.close();
  });

  test('that somebody made up ends nothing, not even with the session’s id', async () => {
    const { store, first, refresh, session, isAlive } = await openSessions();
    const guesses = [
      `${session.id}.${randomBytes(32).toString('base64url')}`,
      `${session.id}.${Buffer.from(session.refreshHash).toString('base64url')}`,
      `${session.id}.${'A'.repeat(43)}`,
      `${session.id}.`,
      session.id,
      `${'A'.repeat(16)}.${first.split('.')[1]}`,
      `${first}A`,
      first.replace(/.{22}$/, 'A'.repeat(22)),
      `${session.id}.${randomBytes(32).toString('base64url')}.${first.slice(-22)}`,
      first.toUpperCase(),
      ` ${first}`,
      '',
      '.',
    ];
    for (const guess of guesses) await expect(refresh(guess)).rejects.toEqual(unknown);
    expect(isAlive()).toBe(true);
    await refresh(first);
    await store.close();
  });

  test('ends after 24 h without use, and after 7 days with', async () => {
    const idle = await openSessions();
    idle.clock.now += 24 * 3_600_000;
    await expect(idle.refresh(idle.first)).rejects.toEqual(expired);
    await idle.store.close();
    const busy = await openSessions();
    let token = busy.first;
    for (let hours = 23; hours < 7 * 24; hours += 23) {
      busy.clock.now += 23 * 3_600_000;
      token = await busy.refresh(token);
    }
    busy.clock.now = busy.session.createdAt + 7 * 24 * 3_600_000;
    await expect(busy.refresh(token)).rejects.toEqual(expired);
    await busy.store.close();
  });

  test('is not spent for who must not use the session', async () => {
    const { store, accounts, first, refresh, session } = await openSessions();
    const refused = new Error('not yours');
    const assertNobody = () => {
      throw refused;
    };
    await expect(refresh(first, assertNobody)).rejects.toBe(refused);
    expect(accounts.session(session.id)?.generation).toBe(0);
    await store.close();
  });

  test('takes no longer to refuse when the session was refreshed a million times', async () => {
    const { store, accounts, user, refresh, session } = await openSessions();
    const old = { ...session, id: 'B'.repeat(16), generation: 1_000_000, refreshHash: createHash('sha256').digest() };
    await accounts.addSession(host, old, user);
    const started = performance.now();
    await expect(refresh(`${old.id}.${'A'.repeat(43)}`)).rejects.toEqual(unknown);
    // A million steps take longer on any machine, and a thousand do not, even on a busy one.
    expect(performance.now() - started).toBeLessThan(2000);
    await store.close();
  });
});

test('a session is not started with what was proven before access ended', async () => {
  const { store, accounts, keys, user } = await openSessions();
  await accounts.reset(host, 'anna');
  const late = startSession(accounts, keys, settings, user, from, Date.now());
  await expect(late).rejects.toEqual(expect.objectContaining({ code: 'conflict' }));
  const change = accounts.setPassword(host, 'password-changed', user, 'a hash');
  await expect(change).rejects.toEqual(expect.objectContaining({ code: 'conflict' }));
  const rehash = accounts.setPasswordHash(user, 'a hash');
  await expect(rehash).rejects.toEqual(expect.objectContaining({ code: 'conflict' }));
  expect(await store.sessions(0)).toEqual([]);
  expect(accounts.byName('anna')?.passwordHash).toBeNull();
  await store.close();
});

describe('over the wire', () => {
  const server = shareServer();

  test('50 refreshes at once with one token leave one session, and every answer is good', async () => {
    const first = await WireClient.open(server());
    const granted = await first.ask('login', { user: 'admin', password: testPassword });
    const refreshToken = granted?.result?.['refreshToken'];
    const clients = await Promise.all(Array.from({ length: 50 }, () => WireClient.open(server())));
    const replies = await Promise.all(clients.map((client) => client.ask('refresh', { refreshToken })));
    expect(new Set(replies.map((reply) => reply?.result?.['refreshToken'])).size).toBe(1);
    expect(replies.every((reply) => reply?.result)).toBe(true);
    for (const client of clients) expect(await client.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
    const successor = replies[0]?.result?.['refreshToken'];
    expect(await first.ask('refresh', { refreshToken: successor })).toHaveProperty('result');
    // Now the first one is two exchanges old: a theft, which ends everything that came of it.
    expect(await clients[1]?.ask('refresh', { refreshToken })).toMatchObject({ error: { code: 1002 } });
    for (const client of [first, ...clients]) {
      expect((await client.ask('whoami'))?.error?.data.code).toBe('session-expired');
    }
  });

  test('a refresh logs a new connection in', async () => {
    const first = await WireClient.open(server());
    const granted = await first.ask('login', { user: 'admin', password: testPassword });
    const client = await WireClient.open(server());
    await client.ask('refresh', { refreshToken: granted?.result?.['refreshToken'] });
    expect(await client.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
    expect(await first.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
  });
});
