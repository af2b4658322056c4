import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shareServer } from '../support/shared-server.ts';
import { line, openAs, WireClient } from '../support/wire-client.ts';

const server = shareServer();

const ping = '{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}';
const inParams = (json: string) => `{"jsonrpc":"2.0","id":1,"method":"ping","params":${json}}`;
const withId = (json: string) => `{"jsonrpc":"2.0","id":${json},"method":"ping"}`;

/** A ping of exactly this many bytes: JSON may have spaces around it. */
const pingOf = (bytes: number) => ping.padEnd(bytes, ' ');

const badFrames: readonly (readonly [string, string | Uint8Array])[] = [
  ['nothing at all', ''],
  ['no JSON', 'hello'],
  ['a half object', ping.slice(0, -1)],
  ['two objects', ping + ping],
  ['a comment', `${ping} // a comment`],
  ['a single quote', "{'jsonrpc':'2.0'}"],
  ['a control character in a string', inParams('{"item":"a\u0001"}')],
  ['a key twice', ping.replace('"id":1', '"id":1,"id":2')],
  ['a key twice, once escaped', inParams('{"a":1,"\\u0061":2}')],
  ['a nested key twice', inParams('{"lines":[{"item":"x","quantity":1,"item":"y"}]}')],
  ['an empty key twice', inParams('{"":1,"":2}')],
  ['__proto__', inParams('{"__proto__":{"role":"admin"}}')],
  ['__proto__, escaped', inParams('{"\\u005f_proto__":{}}')],
  ['__proto__ at the top', '{"__proto__":{"method":"view"},"jsonrpc":"2.0","id":1,"method":"ping"}'],
  ['constructor', inParams('{"constructor":{"prototype":{}}}')],
  ['a byte order mark', `\ufeff${ping}`],
  [
    'invalid UTF-8',
    Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'), Buffer.of(0xff), Buffer.from('"}')]),
  ],
  ['a surrogate in UTF-8', Buffer.concat([Buffer.from('{"id":"'), Buffer.of(0xed, 0xa0, 0x80), Buffer.from('"}')])],
  ['an overlong encoding', Buffer.concat([Buffer.from('{"id":"'), Buffer.of(0xc0, 0xaf), Buffer.from('"}')])],
  ['UTF-16', Buffer.from(ping.slice(0, 20), 'utf16le')],
  ['a zero byte', Buffer.from([0])],
  ['nine levels', inParams(`${'['.repeat(8)}${']'.repeat(8)}`)],
  ['a thousand levels', '['.repeat(1000)],
  ['levels behind closing brackets', `${']'.repeat(1000)}${'['.repeat(2000)}`],
  ['an unfinished string', '"'],
  ['an unfinished escape', '"\\'],
];

const badRequests: readonly (readonly [string, string])[] = [
  ['a number', '1'],
  ['null', 'null'],
  ['a string', '"ping"'],
  ['an empty array', '[]'],
  ['a batch', `[${ping}]`],
  ['an empty object', '{}'],
  ['no jsonrpc', '{"id":1,"method":"ping"}'],
  ['jsonrpc 1.0', '{"jsonrpc":"1.0","id":1,"method":"ping"}'],
  ['jsonrpc as a number', '{"jsonrpc":2.0,"id":1,"method":"ping"}'],
  ['no id: a notification', '{"jsonrpc":"2.0","method":"ping"}'],
  ['id null', withId('null')],
  ['id true', withId('true')],
  ['a fraction as id', withId('1.5')],
  ['an id past 2^53', withId('9007199254740993')],
  ['an infinite id', withId('1e400')],
  ['an object as id', withId('{}')],
  ['an array as id', withId('[1]')],
  ['an id of 65 characters', withId(`"${'x'.repeat(65)}"`)],
  ['no method', '{"jsonrpc":"2.0","id":1}'],
  ['a number as method', '{"jsonrpc":"2.0","id":1,"method":1}'],
  ['params in an array', inParams('[]')],
  ['params null', inParams('null')],
  ['params as a string', inParams('"x"')],
  ['a reply', '{"jsonrpc":"2.0","id":1,"result":{}}'],
  ['one member too many', ping.replace('}}', '}},"auth":"admin"}').replace('}},', '},')],
];

/** Sends a line and a ping behind it, and expects the one answer that ends the connection. */
async function expectClosed(client: WireClient, bytes: string | Uint8Array, code: string, rpc: number): Promise<void> {
  client.write(Buffer.concat([Buffer.from(bytes), Buffer.from(`\n${ping}\n`)]));
  expect(await client.replies(2)).toMatchObject([{ jsonrpc: '2.0', id: null, error: { code: rpc, data: { code } } }]);
  await client.closed;
}

async function expectServing(): Promise<void> {
  const client = await WireClient.open(server());
  expect(await client.ask('ping')).toMatchObject({ result: {} });
}

describe('a line that is no request ends the connection with one answer to nobody', () => {
  test.each(badFrames)('%s is a bad frame', async (_, bytes) => {
    await expectClosed(await WireClient.open(server()), bytes, 'bad-frame', -32700);
    await expectServing();
  });

  test.each(badRequests)('%s is a bad request', async (_, json) => {
    await expectClosed(await WireClient.open(server()), json, 'bad-request', -32600);
    await expectServing();
  });

  test('and so it is after login, where requests in flight before it are still carried out', async () => {
    for (const [, bytes] of badFrames.slice(0, 12)) {
      await expectClosed(await openAs(server(), server().grant['accessToken']), bytes, 'bad-frame', -32700);
    }
  });
});

describe('what a request may look like', () => {
  const goodIds = ['0', '-1', '9007199254740991', '""', `"${'x'.repeat(64)}"`, '"__proto__"', '"\\ud83d\\ude00"'];
  test.each(goodIds)('the id %s comes back as it is', async (id) => {
    const client = await WireClient.open(server());
    client.write(`${withId(id)}\n`);
    expect(await client.reply()).toEqual({ jsonrpc: '2.0', id: JSON.parse(id), result: {} });
  });

  test('eight levels, spaces, and a carriage return are fine; values may say __proto__', async () => {
    const client = await WireClient.open(server());
    client.write(`${inParams(`{"a":${'['.repeat(6)}${']'.repeat(6)}}`)}\n`);
    expect(await client.reply()).toMatchObject({ id: 1, error: { data: { code: 'bad-params' } } });
    client.write(` \t${ping} \r\n`);
    expect(await client.reply()).toMatchObject({ id: 1, result: {} });
    client.write(`${inParams('{"a":"__proto__"}')}\n`);
    expect(await client.reply()).toMatchObject({ id: 1, error: { data: { code: 'bad-params' } } });
  });

  test('an unknown command keeps the id and the connection, and names the nearest without echoing control characters', async () => {
    const client = await openAs(server(), server().grant['accessToken']);
    expect(await client.ask('ad')).toMatchObject({
      id: 2,
      error: { code: -32601, message: 'No command "ad". Did you mean "add"?', data: { code: 'unknown-command' } },
    });
    for (const method of ['__proto__', 'constructor', 'toString', 'x'.repeat(9000), '\u001b[2J', '']) {
      const reply = await client.ask(method);
      expect(reply).toMatchObject({ error: { code: -32601 } });
      expect(reply?.error?.message.length).toBeLessThan(300);
      expect(reply?.error?.message).not.toContain('\u001b');
    }
  });
});

describe('lengths', () => {
  const sizes = [
    ['before login', 4 * 1024, () => WireClient.open(server())],
    ['after login', 64 * 1024, () => openAs(server(), server().grant['accessToken'])],
  ] as const;

  test.each(sizes)('%s a line may have exactly %i bytes', async (_, bytes, open) => {
    const client = await open();
    client.write(`${pingOf(bytes)}\n`);
    expect(await client.reply()).toMatchObject({ id: 1, result: {} });
    await expectClosed(client, pingOf(bytes + 1), 'bad-frame', -32700);
  });

  test.each(sizes)('%s an endless line is cut off without waiting for its end', async (_, bytes, open) => {
    const client = await open();
    client.write('x'.repeat(bytes + 1));
    expect(await client.reply()).toMatchObject({
      id: null,
      error: { message: `A line may be at most ${bytes} bytes.` },
    });
    await client.closed;
  });

  test('a long line behind an authenticate is judged by the limit after login', async () => {
    const client = await WireClient.open(server());
    client.write(`${line(1, 'authenticate', { token: server().grant['accessToken'] })}${pingOf(60_000)}\n`);
    expect(await client.replies(2)).toMatchObject([
      { id: 1, result: { user: 'admin' } },
      { id: 1, result: {} },
    ]);
  });

  test('a stranger writes no more values than a login has need of', async () => {
    const client = await WireClient.open(server());
    const asked = await client.ask('login', { user: 'nobody', password: 'x', device: 'x' });
    expect(asked).toMatchObject({ error: { data: { code: 'login-failed' } } });
    await expectClosed(client, inParams(`{"x":[${'{},'.repeat(32)}0]}`), 'bad-frame', -32700);
  });

  test('a line that arrives a byte at a time is the same line', async () => {
    const client = await WireClient.open(server());
    for (const byte of `${ping}\n`) {
      client.write(byte);
      await new Promise(setImmediate);
    }
    expect(await client.reply()).toMatchObject({ id: 1, result: {} });
  });
});

test('frames with any bytes changed, lost or put in are answered or end their own connection, and nothing else', async () => {
  const member = await openAs(server(), server().grant['accessToken']);
  const params = { item: 'Käse', quantity: 1.5, note: '"x"', operation: randomUUID() };
  const good = Buffer.from(line(1, 'add', params) + line('two', 'view', { limit: 1 }) + line(3, 'ping'));
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(3), fc.nat(255)), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(changes, async (all) => {
      const bytes = [...good];
      for (const [at, removed, put] of all) bytes.splice(at, removed, put);
      const client = await openAs(server(), server().grant['accessToken']);
      client.write(Buffer.from(bytes));
      client.socket.end();
      for (let reply = await client.reply(); reply; reply = await client.reply()) {
        expect(reply.error?.data.code).not.toBe('internal');
      }
      expect(await member.ask('ping')).toMatchObject({ result: {} });
    }),
    { numRuns: 80 },
  );
});
