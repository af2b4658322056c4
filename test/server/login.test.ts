import { describe, expect, test } from 'vitest';
import { commands } from '../../src/command/index.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollUser, line, openAs, testPassword, WireClient } from '../support/wire-client.ts';

const server = shareServer();
const token = () => server().grant['accessToken'];

describe('before login', () => {
  const offered = ['hello', 'ping', 'login', 'enroll', 'refresh', 'authenticate'];

  test('exactly six commands are offered, and all others require a login before they look at parameters', async () => {
    const client = await WireClient.open(server());
    for (const { name } of commands) {
      const reply = await client.ask(name, { nonsense: 1 });
      const code = offered.includes(name) ? 'bad-params' : 'login-required';
      expect([name, reply?.error?.data.code]).toEqual([name, code]);
    }
  });

  test('the principal comes from the pipelined authenticate, in one write, for every command behind it', async () => {
    const client = await WireClient.open(server());
    client.write(
      line(1, 'authenticate', { token: token() }) + line(2, 'whoami') + line('three', 'view') + line(4, 'ping'),
    );
    const replies = await client.replies(4);
    expect(replies.map(({ id }) => id).sort()).toEqual([1, 2, 4, 'three']);
    expect(replies.find(({ id }) => id === 2)).toMatchObject({ result: { user: 'admin' } });
  });

  test('a command in front of authenticate is refused, and one behind a refused authenticate, too', async () => {
    const client = await WireClient.open(server());
    client.write(line(1, 'view') + line(2, 'authenticate', { token: 'x' }) + line(3, 'view'));
    expect(await client.replies(3)).toMatchObject(
      [1, 2, 3].map((id) => ({ id, error: { code: 1001, data: { code: 'login-required' } } })),
    );
  });

  test('requests are answered one at a time, in their order', async () => {
    const client = await WireClient.open(server());
    const wrong = { user: 'nobody', password: 'x' };
    client.write(line(1, 'login', wrong) + line(2, 'ping') + line(3, 'login', wrong) + line(4, 'hello'));
    expect((await client.replies(4)).map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  });

  test('hello tells a stranger the version and the mode, and nothing else', async () => {
    const client = await WireClient.open(server());
    const reply = await client.ask('hello');
    expect(Object.keys(reply?.result ?? {}).sort()).toEqual(['authMode', 'server', 'time', 'version']);
  });
});

describe('a login', () => {
  test('that fails three times closes the connection, behind the third answer', async () => {
    server().turnClock(60_000); // Whatever other tests failed is no reason to wait any more.
    const client = await WireClient.open(server());
    for (let id = 1; id <= 5; id++) client.write(line(id, 'login', { user: 'admin', password: 'wrong-password' }));
    expect(await client.replies(5)).toMatchObject(
      [1, 2, 3].map((id) => ({ id, error: { code: 1003, data: { code: 'login-failed' } } })),
    );
    await client.closed;
  });

  test('that fails with an enrolment code counts, too', async () => {
    const client = await WireClient.open(server());
    for (let id = 1; id <= 5; id++) client.write(line(id, 'enroll', { code: 'A'.repeat(22) }));
    expect(await client.replies(5)).toHaveLength(3);
    await client.closed;
  });

  test('says the same bytes to unknown, disabled, invited and wrong users', async () => {
    server().turnClock(60_000); // As above.
    const administrator = await openAs(server(), token());
    await enrollUser(server(), administrator, 'disabled', 'clerk');
    await administrator.ask('user.disable', { user: 'disabled' });
    await administrator.ask('user.add', { user: 'invited', role: 'clerk' });
    const answers: string[] = [];
    for (const [user, password] of [
      ['admin', 'wrong-password'],
      ['nobody', testPassword],
      ['disabled', testPassword],
      ['disabled', 'wrong-password'],
      ['invited', testPassword],
      ['invited', ''],
    ]) {
      const client = await WireClient.open(server());
      const text = new Promise<string>((resolve) => client.socket.once('data', (data) => resolve(String(data))));
      client.write(line(7, 'login', { user, password, device: 'A'.repeat(22) }));
      // Each refusal has a number of its own, which is random and says nothing.
      const answer = (await text).replace(/,"request":"[0-9a-f]{8}"/, '');
      answers.push(answer.replace(`reset ${user}`, 'reset NAME'));
    }
    expect(new Set(answers)).toEqual(
      new Set([
        '{"jsonrpc":"2.0","id":7,"error":{"code":1003,"message":"Wrong user or password.","data":{"code":"login-failed",' +
          '"hint":"Try again, or ask an administrator for: secure-inv user reset NAME"}}}\n',
      ]),
    );
  });

  test('compares passwords in NFC, and by every character of long ones', async () => {
    const administrator = await openAs(server(), token());
    const added = await administrator.ask('user.add', { user: 'zoe', role: 'viewer' });
    const client = await WireClient.open(server());
    await client.ask('enroll', { code: added?.result?.['code'] });
    const password = `Zoe\u0308 ${'correct horse battery '.repeat(11)}`;
    expect(await client.ask('enroll', { password })).toMatchObject({ result: { user: 'zoe' } });
    for (const [attempt, right] of [
      [password.normalize('NFC'), true],
      [password.slice(0, -1), false],
      [`${password}\0`, false],
    ] as const) {
      const reply = await (await WireClient.open(server())).ask('login', { user: 'zoe', password: attempt });
      expect(reply?.result !== undefined).toBe(right);
    }
  });

  test('with a password that is too long is refused before it is hashed', async () => {
    const client = await WireClient.open(server());
    const reply = await client.ask('login', { user: 'admin', password: 'x'.repeat(2000) });
    expect(reply).toMatchObject({ error: { data: { code: 'bad-params' } } });
  });
});
