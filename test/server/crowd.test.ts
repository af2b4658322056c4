import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connectionsBeforeLoginMax, halfOpenPeersHardMax } from '../../src/model/limits.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, line, openAs, WireClient } from '../support/wire-client.ts';

test('past 256 strangers the one who has done nothing for longest is told to come back, and all others are served', async () => {
  const server = await startServer();
  const grant = await enrollAdministrator(server);
  const member = await openAs(server, grant['accessToken']);
  const strangers: WireClient[] = [];
  while (strangers.length < connectionsBeforeLoginMax + 8) {
    strangers.push(...(await Promise.all(Array.from({ length: 8 }, () => WireClient.open(server)))));
  }
  const [first] = strangers;
  expect(await first?.reply()).toMatchObject({
    id: null,
    error: { code: 1008, data: { code: 'busy', retryAfter: 10 } },
  });
  await first?.closed;
  for (const { socket } of strangers.slice(8)) expect(socket.destroyed).toBe(false);
  expect(await strangers.at(-1)?.ask('ping')).toMatchObject({ result: {} });
  expect(await member.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
  for (const { socket } of strangers) socket.destroy();
  await expect.poll(async () => (await (await WireClient.open(server)).ask('ping'))?.result).toEqual({});
});

test('a server that stops answers what it has taken, says goodbye, and keeps what it acknowledged', async () => {
  const server = await startServer();
  const grant = await enrollAdministrator(server);
  const clients = await Promise.all(Array.from({ length: 4 }, () => openAs(server, grant['accessToken'])));
  const silent = await WireClient.open(server);
  for (const client of clients) {
    for (let id = 1; id <= 200; id++)
      client.write(line(id, 'add', { item: 'Soap', quantity: 1, operation: randomUUID() }));
  }
  await clients[0]?.reply();
  const replies = Promise.all(clients.map((client) => client.replies(1000)));
  await server.restart();
  const all = await replies;
  const acknowledged = 1 + all.flat().filter((reply) => reply.result).length;
  for (const ofOne of all)
    expect(ofOne.at(-1)).toMatchObject({ id: null, error: { code: 1009, data: { code: 'going-away' } } });
  expect(await silent.reply()).toMatchObject({ id: null, error: { code: 1009 } });
  const again = await openAs(server, grant['accessToken']);
  const viewed = await again.ask('view', { items: ['Soap'] });
  expect(viewed).toMatchObject({ result: { items: [{ quantity: acknowledged }], seq: acknowledged } });
});

test('half a ClientHello each, a thousand peers cannot hold more than the cap, and an honest client gets in', async () => {
  const server = await startServer();
  const half = Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), Buffer.alloc(100)]);
  let cut = 0;
  const sockets = Array.from({ length: halfOpenPeersHardMax + 40 }, () => {
    const socket = connect({ host: '127.0.0.1', port: server.port }, () => socket.write(half));
    socket.on('error', () => undefined).once('close', () => cut++);
    onTestFinished(() => void socket.destroy());
    return socket;
  });
  // Well before their 5 s are over.
  await expect.poll(() => cut, { timeout: 15_000 }).toBeGreaterThanOrEqual(40);
  expect(await (await WireClient.open(server)).ask('ping')).toMatchObject({ result: {} });
  expect(sockets.filter(({ destroyed }) => !destroyed).length).toBeLessThanOrEqual(halfOpenPeersHardMax);
});
