import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { shareServer } from '../support/shared-server.ts';
import { line, openAs, WireClient } from '../support/wire-client.ts';

const server = shareServer();
const token = () => server().grant['accessToken'];

describe('pipelining', () => {
  test('600 requests in one write are each answered exactly once', async () => {
    const client = await openAs(server(), token());
    const kinds = ['ping', 'view', 'whoami', 'history'] as const;
    const ids = Array.from({ length: 600 }, (_, id) => id);
    client.write(ids.map((id) => line(id, kinds[id % 4] ?? 'ping')).join(''));
    const replies = await client.replies(600);
    expect(replies.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(ids);
    expect(replies.every(({ result }) => result !== undefined)).toBe(true);
  });

  test('adds of many clients at once, each with a repeat in flight, are counted once each', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => openAs(server(), token())));
    const replies = await Promise.all(
      clients.map((client) => {
        const lines = Array.from({ length: 40 }, (_, at) => {
          const params = { item: `Item ${at % 5}`, quantity: 0.5 + 0.5, operation: randomUUID() };
          return line(2 * at, 'add', params) + line(2 * at + 1, 'add', params);
        });
        client.write(lines.join(''));
        return client.replies(80);
      }),
    );
    expect(replies.flat().filter(({ error }) => error)).toEqual([]);
    const viewed = await clients[0]?.ask('view');
    const items = viewed?.result?.['items'] as { item: string; quantity: number }[];
    expect(items.map(({ quantity }) => quantity)).toEqual([64, 64, 64, 64, 64]);
    expect(viewed?.result?.['seq']).toBe(320);
  });

  test('a client that has sent everything and says so gets every reply, and then the end', async () => {
    for (let round = 0; round < 5; round++) {
      const client = await WireClient.open(server());
      client.write(line(1, 'authenticate', { token: token() }));
      client.socket.end(Array.from({ length: 300 }, (_, id) => line(id + 2, 'view')).join(''));
      expect(await client.replies(400)).toHaveLength(301);
      await client.closed;
    }
    const silent = await WireClient.open(server());
    silent.socket.end();
    await silent.closed;
  });

  test('one request id twice in flight is answered twice', async () => {
    const client = await openAs(server(), token());
    client.write(line('same', 'ping') + line('same', 'ping'));
    expect(await client.replies(2)).toMatchObject([{ id: 'same' }, { id: 'same' }]);
  });

  test('a request that is refused takes none of those around it down', async () => {
    const client = await openAs(server(), token());
    const add = (id: number, quantity: unknown) =>
      line(id, 'add', { item: 'Around', quantity, operation: randomUUID() });
    client.write(
      add(1, 5) +
        add(2, -1) +
        line(3, 'nothing') +
        add(4, 5) +
        line(5, 'take', { item: 'Around', quantity: 99, operation: randomUUID() }),
    );
    const replies = await client.replies(5);
    const code = (id: number) => replies.find((reply) => reply.id === id)?.error?.data.code;
    expect([1, 2, 3, 4, 5].map(code)).toEqual([undefined, 'bad-params', 'unknown-command', undefined, 'out-of-stock']);
  });
});

describe('a client that does not read', () => {
  test('before login is closed before its unread replies cost anything', async () => {
    const client = await WireClient.open(server());
    client.socket.pause();
    let written = 0;
    const asking = setInterval(() => {
      if (!client.socket.writableNeedDrain && written < 40e6) client.write(line(1, 'hello').repeat(5000));
      written += 250_000;
    }, 2);
    await Promise.race([client.closed, sleep(9000)]);
    clearInterval(asking);
    expect(client.socket.destroyed).toBe(true);
  });
});
