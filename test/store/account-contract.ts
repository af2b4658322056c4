import { expect, test } from 'vitest';
import type { Fixture } from './contract.ts';
import { apiTokenOf, hashOf, note, sessionOf } from './intent.ts';

export function accountContract(get: () => Fixture): void {
  test('a user is kept as it was added, and its name is never free again', async () => {
    const fixture = get();
    const added = await fixture.store.addUser(note, 'anna', 'manager', null, 77);
    expect(added).toEqual({
      id: 2,
      user: 'anna',
      role: 'manager',
      passwordHash: null,
      enabled: true,
      epoch: 0,
      scope: null,
      createdAt: 77,
      certificatesFrom: 0,
    });
    await fixture.store.setEnabled(note, added.id, false);
    await expect(fixture.store.addUser(note, 'anna', 'viewer', null, 78)).rejects.toMatchObject({ code: 'conflict' });
    await fixture.reopen();
    expect((await fixture.store.users()).map((user) => user.user)).toEqual(['clerk1', 'anna']);
  });

  test('an id that nobody has is a bug and not a refusal', async () => {
    const { store } = get();
    const calls = [
      store.setRole(note, 9, 'admin'),
      store.setPassword(note, 9, 'x', 0),
      store.setEnabled(note, 9, true),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { name: 'Error' } });
    }
  });

  test('the last administrator who can log in stays one', async () => {
    const { store } = get();
    const first = await store.addUser(note, 'first', 'admin', null, 1);
    // Not enrolled yet, so nobody depends on this account.
    await store.setEnabled(note, first.id, false);
    await store.setEnabled(note, first.id, true);
    await store.setPassword(note, first.id, 'hash', 1);
    const second = await store.addUser(note, 'second', 'admin', null, 1);
    const refusal = { code: 'conflict', message: 'first is the last administrator who can log in.' };
    await expect(store.setRole(note, first.id, 'viewer')).rejects.toMatchObject(refusal);
    await expect(store.setEnabled(note, first.id, false)).rejects.toMatchObject(refusal);
    await store.setPassword(note, second.id, 'hash', 0);
    const [demoted, disabled] = await Promise.allSettled([
      store.setRole(note, first.id, 'viewer'),
      store.setEnabled(note, second.id, false),
    ]);
    expect([demoted.status, disabled.status]).toEqual(['fulfilled', 'rejected']);
  });

  test('an enrolment code works once, until it expires, and not after a newer one or a password', async () => {
    const { store } = get();
    const anna = await store.addUser(note, 'anna', 'clerk', { hash: hashOf(1), expiresAt: 100 }, 1);
    expect(await store.redeemEnrolment(note, hashOf(9), 1, null)).toBeUndefined();
    const twice = await Promise.all([
      store.redeemEnrolment(note, hashOf(1), 99, null),
      store.redeemEnrolment(note, hashOf(1), 99, null),
    ]);
    expect(twice).toEqual([anna.id, undefined]);
    await store.resetUser(note, anna.id, { hash: hashOf(2), expiresAt: 100 }, 0);
    await store.resetUser(note, anna.id, { hash: hashOf(3), expiresAt: 100 }, 0);
    expect(await store.redeemEnrolment(note, hashOf(2), 1, null)).toBeUndefined();
    expect(await store.redeemEnrolment(note, hashOf(3), 100, null)).toBeUndefined();
    await store.resetUser(note, anna.id, { hash: hashOf(4), expiresAt: 100 }, 0);
    await store.setPassword(note, anna.id, 'hash', 3);
    expect(await store.redeemEnrolment(note, hashOf(4), 1, null)).toBeUndefined();
  });

  test('a new password, a reset and a disabled account end sessions and outdate tokens; a rehash does not', async () => {
    const { store } = get();
    const login = (epoch: number) => store.addSession(note, sessionOf(crypto.randomUUID(), 1, 1), 9, epoch);
    const left = async () => (await store.sessions(1)).length;
    await login(0);
    expect(await store.setPasswordHash(1, 'newer', 0)).toMatchObject({ passwordHash: 'newer', epoch: 0 });
    expect(await store.setRole(note, 1, 'viewer')).toMatchObject({ role: 'viewer', epoch: 0 });
    expect(await left()).toBe(1);
    expect(await store.setPassword(note, 1, 'other', 0)).toMatchObject({ passwordHash: 'other', epoch: 1 });
    expect(await left()).toBe(0);
    await login(1);
    expect(await store.resetUser(note, 1, { hash: hashOf(1), expiresAt: 9 }, 0)).toMatchObject({
      passwordHash: null,
      epoch: 2,
    });
    expect(await left()).toBe(0);
    await login(2);
    expect(await store.setEnabled(note, 1, false)).toMatchObject({ enabled: false, epoch: 3 });
    expect(await left()).toBe(0);
    expect(await store.setEnabled(note, 1, true)).toMatchObject({ enabled: true, epoch: 3 });
  });

  test('what was proven before the access ended changes nothing any more', async () => {
    const { store } = get();
    await store.setPassword(note, 1, 'newest', 0);
    const refusal = { code: 'conflict' };
    await expect(store.setPassword(note, 1, 'stale', 0)).rejects.toMatchObject(refusal);
    await expect(store.setPasswordHash(1, 'stale', 0)).rejects.toMatchObject(refusal);
    await expect(store.addSession(note, sessionOf('stale', 1, 1), 9, 0)).rejects.toMatchObject(refusal);
    expect((await store.users())[0]).toMatchObject({ passwordHash: 'newest', epoch: 1 });
    expect(await store.sessions(1)).toEqual([]);
  });

  test('sessions are kept until they expire, end, or are too many', async () => {
    const fixture = get();
    const session = { ...sessionOf('a', 1, 1), certificate: 'thumb' };
    expect(await fixture.store.addSession(note, session, 2, 0)).toEqual([]);
    await fixture.reopen();
    const { store } = fixture;
    const [kept] = await store.sessions(1);
    expect({ ...kept, refreshHash: Buffer.from(kept?.refreshHash ?? []) }).toEqual({
      ...session,
      refreshHash: Buffer.from(session.refreshHash),
    });
    expect(await store.addSession(note, sessionOf('b', 1, 1), 2, 0)).toEqual([]);
    expect(await store.addSession(note, sessionOf('c', 1, 1), 2, 0)).toEqual(['a']);
    await store.endSession(note, 'c');
    expect((await store.sessions(1)).map(({ id }) => id)).toEqual(['b']);
    expect(await store.sessions(101)).toEqual([]);
    expect(await store.addSession(note, sessionOf('d', 1, 101), 2, 0)).toEqual(['b']);
  });

  test('a session from before its source was kept has none', async () => {
    const { store } = get();
    await store.addSession(note, { ...sessionOf('a', 1, 1), source: null }, 2, 0);
    await store.addSession(note, { ...sessionOf('b', 1, 1), source: '2001:db8::1' }, 2, 0);
    expect((await store.sessions(1)).map(({ source }) => source)).toEqual([null, '2001:db8::1']);
  });

  test('an API token is kept until it is removed, its user is reset, or it expires and another is added', async () => {
    const fixture = get();
    const token = apiTokenOf('a', 1, 1);
    expect(await fixture.store.addApiToken(note, token, 9, 0)).toEqual([]);
    await fixture.store.noteApiTokenUse('a', 7);
    await fixture.reopen();
    const { store } = fixture;
    const [kept] = await store.apiTokens();
    expect({ ...kept, hash: Buffer.from(kept?.hash ?? []) }).toEqual({
      ...token,
      hash: Buffer.from(token.hash),
      lastUsedAt: 7,
    });
    await store.addApiToken(note, apiTokenOf('b', 1, 50), 9, 0);
    const anna = await store.addUser(note, 'anna', 'clerk', null, 1);
    expect(await store.addApiToken(note, apiTokenOf('c', anna.id, 200), 9, 0)).toEqual([]);
    expect(await store.addApiToken(note, apiTokenOf('d', 1, 101), 9, 0)).toEqual(['a']);
    await store.removeApiToken(note, 'b');
    await store.removeApiToken(note, 'b');
    const left = async () => (await store.apiTokens()).map(({ id }) => id);
    expect(await left()).toEqual(['d', 'c']);
    await store.setPassword(note, 1, 'hash', 0);
    await store.setEnabled(note, 1, false);
    expect(await left()).toEqual(['d', 'c']);
    await store.resetUser(note, 1, { hash: hashOf(1), expiresAt: 9 }, 0);
    expect(await left()).toEqual(['c']);
  });

  test('a name is one API token of a user, who may have so many and none after their access was ended', async () => {
    const { store } = get();
    const anna = await store.addUser(note, 'anna', 'clerk', null, 1);
    await store.addApiToken(note, { ...apiTokenOf('a', 1, 1), name: 'dock' }, 2, 0);
    const refusal = { code: 'conflict' };
    await expect(store.addApiToken(note, { ...apiTokenOf('b', 1, 1), name: 'dock' }, 2, 0)).rejects.toMatchObject(
      refusal,
    );
    await store.addApiToken(note, { ...apiTokenOf('c', anna.id, 1), name: 'dock' }, 2, 0);
    await store.addApiToken(note, apiTokenOf('d', 1, 1), 2, 0);
    await expect(store.addApiToken(note, apiTokenOf('e', 1, 1), 2, 0)).rejects.toMatchObject(refusal);
    await store.setEnabled(note, anna.id, false);
    await expect(store.addApiToken(note, apiTokenOf('f', anna.id, 1), 2, 0)).rejects.toMatchObject(refusal);
    expect((await store.apiTokens()).map(({ id }) => id)).toEqual(['a', 'c', 'd']);
  });

  test('of two rotations of one refresh token one succeeds, and none after the session ended', async () => {
    const { store } = get();
    const session = sessionOf('a', 1, 1);
    await store.addSession(note, session, 9, 0);
    const next = { ...session, refreshHash: hashOf(2), refreshedAt: 5, generation: 1 };
    expect(await Promise.all([store.rotateSession(next), store.rotateSession(next)])).toEqual([true, false]);
    expect(await store.sessions(1)).toMatchObject([{ generation: 1, refreshedAt: 5 }]);
    await store.endSession(note, 'a');
    expect(await store.rotateSession({ ...next, generation: 2 })).toBe(false);
  });

  test('failed logins are kept for users as they were written last, until a reset, and for nobody not at all', async () => {
    const fixture = get();
    const anna = await fixture.store.addUser(note, 'anna', 'clerk', null, 1);
    expect(await fixture.store.throttles()).toEqual([]);
    await Promise.all([fixture.store.saveThrottle(anna.id, 'first'), fixture.store.saveThrottle(anna.id, 'second')]);
    await fixture.store.saveThrottle(1, 'other');
    await fixture.store.saveThrottle(0, 'nobody');
    await expect(fixture.store.saveThrottle(9, 'x')).rejects.toMatchObject({ name: 'Error' });
    await fixture.reopen();
    const { store } = fixture;
    expect(await store.throttles()).toEqual([
      { userId: 1, state: 'other' },
      { userId: anna.id, state: 'second' },
    ]);
    await store.saveThrottle(1, null);
    await store.setPassword(note, anna.id, 'hash', 0);
    expect(await store.throttles()).toEqual([{ userId: anna.id, state: 'second' }]);
    await store.resetUser(note, anna.id, { hash: hashOf(1), expiresAt: 9 }, 0);
    expect(await store.throttles()).toEqual([]);
  });

  test('a device is known to its own user until it expires or the user is reset', async () => {
    const { store } = get();
    const anna = await store.addUser(note, 'anna', 'clerk', null, 1);
    await store.addDevice(1, hashOf(1), 100);
    expect(await store.hasDevice(1, hashOf(1), 99)).toBe(true);
    expect(await store.hasDevice(1, hashOf(1), 100)).toBe(false);
    expect(await store.hasDevice(anna.id, hashOf(1), 1)).toBe(false);
    await store.addDevice(1, hashOf(1), 200);
    expect(await store.hasDevice(1, hashOf(1), 150)).toBe(true);
    await store.resetUser(note, 1, { hash: hashOf(1), expiresAt: 9 }, 0);
    expect(await store.hasDevice(1, hashOf(1), 150)).toBe(false);
  });
}
