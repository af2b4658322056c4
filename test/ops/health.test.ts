import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { opsConnectionsMax } from '../../src/model/limits.ts';
import { OpsServer } from '../../src/ops/ops-server.ts';
import { freePort, getPage, readMetric } from '../support/ops-port.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, line, WireClient } from '../support/wire-client.ts';

/** The machine may be busy. */
const patience = { timeout: 10_000 };

const day = 86_400_000;

async function startWithOps(mode: 'either' | 'both' = 'either') {
  const port = await freePort();
  const server = await startServer({ mode, flags: { 'ops.port': String(port) } });
  return { server, port };
}

/** A plain TCP connection that the server may cut at any time. */
async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket.resume();
}

/** `once` would reject when the end is a reset, which is an end like any other here. */
const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });

test('without ops.port nothing listens but the server itself', async () => {
  const port = await freePort();
  await startServer();
  await expect(getPage(port, '/livez')).rejects.toThrow('ECONNREFUSED');
});

test('a server that serves is alive and ready, with every check by its name', async () => {
  const { port } = await startWithOps();
  expect(await getPage(port, '/livez')).toMatchObject({ status: 200, text: 'ok\n' });
  expect(await getPage(port, '/readyz')).toMatchObject({ status: 200, text: 'ready\n' });
  expect((await getPage(port, '/readyz?verbose')).text).toBe(
    '[+] store\n[+] certificates\n[+] event loop\n[+] disk\nready\n',
  );
});

test('a port that is taken is refused by name before anybody is served', async () => {
  const { port } = await startWithOps();
  await expect(startServer({ flags: { 'ops.port': String(port) } })).rejects.toThrow(/which is ops\.port, is in use/);
});

describe('readiness fails', () => {
  test('when the store cannot be written, and says which check it was', async () => {
    const { server, port } = await startWithOps();
    const { DatabaseSync } = await import('node:sqlite');
    const other = new DatabaseSync(join(server.folder, 'data', 'inventory.db'));
    onTestFinished(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    const { status, text } = await getPage(port, '/readyz');
    expect(status).toBe(503);
    expect(text).toMatch(/^\[-\] store: .*\nnot ready\n$/);
    expect((await getPage(port, '/livez')).status).toBe(200); // A new start would not mend it.
    other.exec('ROLLBACK');
    await expect.poll(async () => (await getPage(port, '/readyz')).status, patience).toBe(200);
  });

  test.for([
    ['server.pem', 'either', 91, 503],
    ['client-crl.pem', 'either', 31, 200],
    ['client-crl.pem', 'both', 31, 503],
  ] as const)('when %s ends in auth.mode %s, if that shuts everybody out', async ([file, mode, days, status]) => {
    const { server, port } = await startWithOps(mode);
    server.turnClock(days * day);
    const page = await getPage(port, '/readyz?verbose');
    expect(page.status).toBe(status);
    expect(page.text.includes(`[-] certificates: ${file} has ended`)).toBe(status === 503);
  });

  test('during a drain, while the server is still alive', async () => {
    const { server, port } = await startWithOps();
    const client = await WireClient.open(server);
    await enrollAdministrator(server, client);
    // Somebody who reads nothing holds the drain up.
    client.socket.pause();
    const lines = Array.from({ length: 500 }, (_, at) => line(at, 'rpc.discover')).join('');
    client.write(lines);
    await expect.poll(async () => (await getPage(port, '/livez')).status, patience).toBe(200);
    const restarting = server.restart();
    await expect
      .poll(async () => (await getPage(port, '/readyz').catch(() => undefined))?.text, patience)
      .toContain('[-] serving: the server is stopping');
    expect((await getPage(port, '/livez')).status).toBe(200);
    client.socket.destroy();
    await restarting;
    expect((await getPage(port, '/readyz')).status).toBe(200);
  });
});

test('a warning does not make readiness fail', async () => {
  const { server, port } = await startWithOps();
  for (const file of ['server-ca-key.pem', 'client-ca-key.pem']) {
    await rename(join(server.certs, file), join(server.folder, file));
  }
  await writeFile(join(server.certs, 'server.pem'), 'damaged');
  server.turnClock(25 * day);
  await server.reload();
  expect((await getPage(port, '/readyz')).status).toBe(200);
});

describe('a hostile request', () => {
  test.for([
    ['evil.example', 421],
    ['evil.example:9464', 421],
    ['127.0.0.1.evil.example', 421],
    ['localhost@evil.example', 421],
    ['localhost', 200],
    ['LOCALHOST:1', 200],
    ['[::1]:9464', 200],
  ] as const)('with the host %j, as after DNS rebinding, gets %i', async ([host, status]) => {
    const { port } = await startWithOps();
    for (const path of ['/livez', '/readyz', '/metrics']) {
      expect((await getPage(port, path, { host })).status).toBe(status);
    }
  });

  const long = 'x'.repeat(5000);
  test.for([
    ['with a body', 'POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello', /^HTTP\/1\.1 405 /],
    [
      'with a body to come',
      'GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n',
      /^HTTP\/1\.1 200 /,
    ],
    ['for a file', 'GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n', /^HTTP\/1\.1 404 /],
    ['without a host', 'GET /livez HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 421 /],
    [
      'for another protocol',
      'GET /livez HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
      /^$/,
    ],
    ['for a tunnel', 'CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n', /^$/],
    [
      'that waits for leave',
      'GET /livez HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
      /^$/,
    ],
    ['with a large header', `GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${long}\r\n\r\n`, /^$/],
    ['with a long path', `GET /${long} HTTP/1.1\r\nHost: localhost\r\n\r\n`, /^$/],
    ['that is no HTTP', '\u0016\u0003\u0001 \r\n\r\n', /^$/],
  ] as const)('%s is answered or cut off, and its connection ends', async ([, bytes, expected]) => {
    const { port } = await startWithOps();
    const socket = await openSocket(port);
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.write(bytes);
    await closed(socket);
    expect(answer).toMatch(expected);
    expect((await getPage(port, '/livez')).status).toBe(200);
  });

  test('that drips its bytes is cut off within 3 s', async () => {
    const { port } = await startWithOps();
    const since = performance.now();
    const socket = await openSocket(port);
    const dripping = setInterval(() => socket.write('X'), 100);
    socket.write('GET /livez HTTP/1.1\r\n');
    await closed(socket);
    clearInterval(dripping);
    expect(performance.now() - since).toBeLessThan(3500);
  });

  test('of a crowd that says nothing does not keep a probe out', async () => {
    const { port } = await startWithOps();
    const crowd = await Promise.all(Array.from({ length: opsConnectionsMax + 50 }, () => openSocket(port)));
    expect((await getPage(port, '/livez')).status).toBe(200);
    const open = crowd.filter(({ closed: isClosed, destroyed }) => !isClosed && !destroyed);
    expect(open.length).toBeLessThanOrEqual(opsConnectionsMax);
  });

  test('of a crowd that comes without end pushes out nobody who is being answered', async () => {
    const port = await freePort();
    const { promise: answer, resolve } = Promise.withResolvers<boolean>();
    let asked = 0;
    const isAlive = () => {
      asked++;
      return answer;
    };
    const metrics = { contentType: 'text/plain', text: async () => '' };
    const ops = await OpsServer.open(port, { isAlive, findings: async () => [], metrics, onError: () => undefined });
    onTestFinished(() => ops.close());
    const probe = getPage(port, '/livez');
    await expect.poll(() => asked, patience).toBe(1);
    for (let times = 0; times < 2 * opsConnectionsMax; times++) await openSocket(port);
    resolve(true);
    expect((await probe).status).toBe(200);
  });
});

test('a flood of probes costs one write in a moment', async () => {
  const { port } = await startWithOps();
  const commits = async () =>
    readMetric((await getPage(port, '/metrics')).text, 'secure_inv_commit_batch_size_count') ?? Number.NaN;
  const before = await commits();
  const pages = await Promise.all(Array.from({ length: 30 }, () => getPage(port, '/readyz')));
  expect(pages.filter(({ status }) => status === 200)).toHaveLength(30);
  await expect.poll(commits, patience).toBeGreaterThan(before - 1);
  expect((await commits()) - before).toBeLessThanOrEqual(2);
});
