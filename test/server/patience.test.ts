import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { handshakeSecondsMax, loginSecondsMax, unreadReplySecondsMax } from '../../src/model/limits.ts';
import { shareServer } from '../support/shared-server.ts';
import { line, WireClient } from '../support/wire-client.ts';

// All that takes seconds to show, side by side.

const server = shareServer();

type WhenDone = (clean: () => void) => void;

const open = (whenDone: WhenDone) => WireClient.open(server(), {}, whenDone);

async function logIn(whenDone: WhenDone): Promise<WireClient> {
  const client = await open(whenDone);
  await client.ask('authenticate', { token: server().grant['accessToken'] });
  return client;
}

async function openTcp(whenDone: WhenDone, port: number): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port });
  whenDone(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

/** The first bytes that a TLS client sends. */
async function recordClientHello(whenDone: WhenDone): Promise<Buffer> {
  const listener = createServer().listen(0, '127.0.0.1');
  whenDone(() => void listener.close());
  await once(listener, 'listening');
  const address = listener.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const socket = connect({ host: '127.0.0.1', port, ALPNProtocols: ['secure-inv/1'], minVersion: 'TLSv1.3' });
  socket.on('error', () => undefined);
  const [peer]: Socket[] = await once(listener, 'connection');
  const [hello]: Buffer[] = peer ? await once(peer, 'data') : [];
  socket.destroy();
  return hello ?? Buffer.alloc(0);
}

/** Milliseconds until it happens. */
async function timed(happening: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await happening;
  return performance.now() - started;
}

/** Early is wrong; late may be the machine. */
function expectAbout(milliseconds: number, seconds: number): void {
  expect(milliseconds).toBeGreaterThan(seconds * 1000 - 300);
  expect(milliseconds).toBeLessThan(seconds * 1000 + 3000);
}

test.concurrent('peers that say nothing, half a ClientHello, or drip it are closed 5 s after they connected', async ({
  onTestFinished,
}) => {
  const hello = await recordClientHello(onTestFinished);
  const sockets = await Promise.all(Array.from({ length: 3 }, () => openTcp(onTestFinished, server().port)));
  const [, half, dripping] = sockets;
  half?.write(hello.subarray(0, -10));
  let sent = 0;
  const drip = setInterval(() => {
    if (!dripping?.destroyed) dripping?.write(hello.subarray(sent, ++sent));
  }, 50);
  onTestFinished(() => clearInterval(drip));
  const lives = await Promise.all(sockets.map((socket) => timed(once(socket, 'close'))));
  for (const life of lives) expectAbout(life, handshakeSecondsMax);
});

test.concurrent('who does not log in is closed 10 s after the handshake, whatever is asked meanwhile', async ({
  onTestFinished,
}) => {
  const [silent, busy, slow] = await Promise.all([open(onTestFinished), open(onTestFinished), open(onTestFinished)]);
  const pings = setInterval(() => busy.write(line(1, 'ping')), 1000);
  const drip = setInterval(() => slow.write(' '), 500);
  onTestFinished(() => {
    clearInterval(pings);
    clearInterval(drip);
  });
  const lives = await Promise.all([silent, busy, slow].map((client) => timed(client.closed)));
  for (const life of lives) expectAbout(life, loginSecondsMax);
  expect(await silent.reply()).toMatchObject({ id: null, error: { code: 1009, data: { code: 'going-away' } } });
});

test.concurrent('who logs out has 10 s to log in again; who is logged in stays', async ({ onTestFinished }) => {
  const [leaving, staying] = await Promise.all([logIn(onTestFinished), logIn(onTestFinished)]);
  const [whose] = await Promise.all([leaving.ask('login', { user: 'nobody', password: 'x' })]);
  expect(whose?.error?.data.code).toBe('login-failed');
  await sleep(loginSecondsMax * 1000 + 500);
  expect(await staying.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
  expect(await leaving.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
});

test.concurrent('who reads no replies is not read any more itself, costs little, and is closed 10 s later', async ({
  onTestFinished,
}) => {
  const [client, other] = await Promise.all([logIn(onTestFinished), logIn(onTestFinished)]);
  for (let page = 0; page < 3; page++) {
    const items = Array.from({ length: 400 }, (_, at) => ({ item: `${page} ${at} ${'x'.repeat(50)}`, quantity: 1 }));
    expect(await other.ask('add', { lines: items, operation: randomUUID() })).toHaveProperty('result');
  }
  const before = process.memoryUsage().rss;
  client.socket.pause();
  for (let id = 0; id < 5000; id++) client.write(line(id, 'view', { limit: 1000 }));
  const started = performance.now();
  while (!client.socket.destroyed && performance.now() - started < 14_000) {
    client.write(' '); // Who does not read learns of the end only by writing.
    expect(await other.ask('ping')).toMatchObject({ result: {} });
    await sleep(100);
  }
  expectAbout(performance.now() - started, unreadReplySecondsMax);
  // 5,000 pages are 700 MB; 256 of them as objects were as much.
  expect(process.memoryUsage().rss - before).toBeLessThan(250e6);
});
