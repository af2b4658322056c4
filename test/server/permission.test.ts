import { describe, expect, test } from 'vitest';
import { commands } from '../../src/command/index.ts';
import { may, permissionsOf, roleNames, rolesWith } from '../../src/model/user.ts';
import { startServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, openAs, WireClient } from '../support/wire-client.ts';

const server = shareServer();

const permissions = [...new Set(commands.map(({ permission }) => permission))].filter(
  (permission) => permission !== 'anyone' && permission !== 'principal',
);

test('a role may what its list names and nothing else, by name and not by likeness', () => {
  for (const role of roleNames) {
    for (const permission of permissions) {
      expect(may(role, permission)).toBe(permissionsOf(role).includes(permission));
      expect(rolesWith(permission).includes(role)).toBe(may(role, permission));
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

test('the last administrator who can log in cannot be demoted or disabled, however many are only invited', async () => {
  const administrator = await openAs(server(), server().grant['accessToken']);
  await administrator.ask('user.add', { user: 'invited-admin', role: 'admin' });
  const { client } = await enrollUser(server(), administrator, 'disabled-admin', 'admin');
  await administrator.ask('user.disable', { user: 'disabled-admin' });
  await administrator.ask('user.disable', { user: 'some-admin' });
  expect(await client.ask('whoami')).toMatchObject({ error: { data: { code: 'login-required' } } });
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
