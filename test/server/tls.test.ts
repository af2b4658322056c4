import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { clientAuthority, makeOddCertificate, userUri } from '../auth/odd-certificate.ts';
import { shareServer } from '../support/shared-server.ts';
import { line, openAs, WireClient } from '../support/wire-client.ts';

const server = shareServer();

async function openTcp(): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port: server().port });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** What a socket received until the other side closed it. */
async function readToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

/** How a TLS connection with these options ends: the error's code, or `closed`. */
async function endOf(options: ConnectionOptions): Promise<string> {
  const { port, ca } = server();
  const socket = connect({ host: '127.0.0.1', port, ca, servername: '', ...options });
  onTestFinished(() => void socket.destroy());
  socket.resume();
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    socket.once('close', () => resolve('closed'));
  });
}

async function expectServing(): Promise<void> {
  const client = await WireClient.open(server());
  expect(await client.ask('ping')).toMatchObject({ result: {} });
}

describe('what is not TLS', () => {
  const strangers: readonly (readonly [string, string | Uint8Array])[] = [
    ['plain HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['our own protocol without TLS', line(1, 'ping')],
    ['zeros', Buffer.alloc(20_000)],
    ['random bytes', Buffer.from(Array.from({ length: 20_000 }, (_, at) => (at * 7919 + 13) % 251))],
    ['a TLS record of the wrong kind', Buffer.from('170303000501020304050a', 'hex')],
    ['a ClientHello that lies about its length', Buffer.from('160301ffff0100ffffff0303', 'hex')],
    ['an alert', Buffer.from('15030100020228', 'hex')],
  ];

  test.each(strangers)('%s is closed at once, and the server goes on', async (_, bytes) => {
    const socket = await openTcp();
    socket.write(bytes);
    const answer = await readToEnd(socket);
    expect(answer.length).toBeLessThan(8); // A TLS alert at most.
    await expectServing();
  });

  test('a peer that connects and says that it has nothing to say is closed at once', async () => {
    const started = performance.now();
    const socket = await openTcp();
    socket.end();
    await readToEnd(socket);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('a crowd that says nothing, or next to nothing, does not keep honest clients out', async () => {
    const crowd = await Promise.all(Array.from({ length: 200 }, openTcp));
    for (const [at, socket] of crowd.entries()) if (at % 2 === 0) socket.write(Buffer.from('160301', 'hex'));
    const started = performance.now();
    await Promise.all(Array.from({ length: 64 }, expectServing));
    expect(performance.now() - started).toBeLessThan(4000);
    await sleep(400);
    const left = crowd.filter((socket) => !socket.destroyed && !socket.closed);
    expect(left.length).toBeLessThanOrEqual(8);
  });
});

const openssl = 'openssl';

/** What `openssl s_client` shows of a connection on which it pings. */
function sClient(...words: readonly string[]): Promise<string> {
  const { port, certs } = server();
  const target = ['-connect', `127.0.0.1:${port}`, '-alpn', 'secure-inv/1', '-CAfile', join(certs, 'server-ca.pem')];
  return new Promise((resolve) => {
    const child = execFile(openssl, ['s_client', ...target, ...words], (_, out, err) => resolve(out + err));
    child.stdin?.write(line(1, 'ping'));
    // It leaves at the end of its input, and must have had the time to be given tickets.
    child.stdout?.on('data', (text) => String(text).includes('"result"') && child.stdin?.end());
  });
}

/** The tickets that a connection is given; they name sessions that the server has not kept. */
async function collectTickets(): Promise<Buffer[]> {
  const client = await WireClient.open(server());
  const tickets: Buffer[] = [];
  client.socket.on('session', (ticket: Buffer) => tickets.push(ticket));
  await client.ask('ping');
  return tickets;
}

/** Everything that only the whole option set of TLS keeps away, however the server came by it. */
async function expectStrictTls(tickets: readonly Buffer[]): Promise<void> {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.1', 'TLSv1'] as const) {
    const options = {
      minVersion: 'TLSv1',
      maxVersion,
      ciphers: 'ALL@SECLEVEL=0',
      ALPNProtocols: ['secure-inv/1'],
    } as const;
    expect(await endOf(options)).toMatch(/PROTOCOL_VERSION|ECONNRESET|UNSUPPORTED_PROTOCOL/);
  }
  for (const session of [...tickets, ...(await collectTickets())]) {
    const resuming = await WireClient.open(server(), { session });
    expect(resuming.socket.isSessionReused()).toBe(false);
  }
  expect(await endOf({ ALPNProtocols: ['h2'] })).toMatch(/closed|ALPN|ECONNRESET|NO_APPLICATION_PROTOCOL/);
  const file = join(server().folder, 'session');
  await sClient('-sess_out', file);
  await writeFile(`${file}-early`, line(7, 'ping'));
  const shown = await sClient('-sess_in', file, '-early_data', `${file}-early`);
  expect(shown).toMatch(/New, TLSv1.3/);
  expect(shown).toMatch(/Early data was (not sent|rejected)/);
  expect(shown).not.toContain('"id":7');
  // A certificate is still asked for, and judged.
  const odd = makeOddCertificate(await clientAuthority(server().certs), { names: [userUri('nobody')] });
  const refused = await WireClient.open(server(), odd);
  expect(await refused.reply()).toMatchObject({ error: { data: { reason: 'unknown-user' } } });
  await expectServing();
}

test('old versions, resumption, early data and other protocols are refused, and still are after certificates were taken up', async () => {
  await expectStrictTls([]);
  for (let round = 0; round < 2; round++) {
    const tickets = await collectTickets();
    const before = await shownSerial();
    await makeServerCertificates(server().certs, { hosts: [], force: true });
    await server().reload();
    expect(await shownSerial()).not.toBe(before);
    await expectStrictTls(tickets);
  }
});

async function shownSerial(): Promise<string> {
  const { socket } = await WireClient.open(server());
  return socket.getPeerCertificate().serialNumber;
}

describe('TLS', () => {
  test.each([
    ['no protocol name', { ALPNProtocols: [] }],
    ['another protocol name', { ALPNProtocols: ['h2', 'http/1.1'] }],
    ['a protocol name with other capitals', { ALPNProtocols: ['Secure-Inv/1'] }],
    ['a longer protocol name', { ALPNProtocols: ['secure-inv/10'] }],
  ])('with %s is closed', async (_, options) => {
    expect(await endOf(options)).toMatch(/closed|ALPN|ECONNRESET|NO_APPLICATION_PROTOCOL/);
    await expectServing();
  });

  test('a command behind a handshake without protocol name is not carried out', async () => {
    const { port, ca } = server();
    const socket = connect({ host: '127.0.0.1', port, ca, servername: '' });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    socket.write(line(1, 'ping'));
    expect(await readToEnd(socket)).toHaveLength(0);
  });

  test('1.2 is refused, and 1.3 is what is spoken', async () => {
    expect(await endOf({ maxVersion: 'TLSv1.2', ALPNProtocols: ['secure-inv/1'] })).toMatch(
      /PROTOCOL_VERSION|ECONNRESET/,
    );
    const client = await WireClient.open(server());
    expect(client.socket.getProtocol()).toBe('TLSv1.3');
    expect(client.socket.alpnProtocol).toBe('secure-inv/1');
  });

  test('a session is never resumed, whatever ticket a client shows', async () => {
    const first = await WireClient.open(server());
    // OpenSSL sends tickets under TLS 1.3 all the same; they name a session that the server has not kept.
    const tickets: Buffer[] = [];
    first.socket.on('session', (ticket: Buffer) => tickets.push(ticket));
    await first.ask('ping');
    for (const session of tickets) {
      const second = await WireClient.open(server(), { session });
      expect(second.socket.isSessionReused()).toBe(false);
      expect(await second.ask('ping')).toMatchObject({ result: {} });
    }
  });

  test('renegotiation and key updates by a client do no harm', async () => {
    const client = await WireClient.open(server());
    client.socket.renegotiate({}, () => undefined);
    expect(await client.ask('ping')).toMatchObject({ result: {} });
  });

  test('a broken record after the handshake closes the connection and leaves the server and others unharmed', async () => {
    const other = await openAs(server(), server().grant['accessToken']);
    const raw = await openTcp();
    const { ca } = server();
    const socket: TLSSocket = connect({
      socket: raw,
      ca,
      host: '127.0.0.1',
      servername: '',
      ALPNProtocols: ['secure-inv/1'],
    });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    socket.write(line(1, 'ping'));
    await once(socket, 'data');
    // Below the TLS socket, so that the server reads a record whose tag is wrong.
    raw.write(Buffer.concat([Buffer.from('1703030020', 'hex'), Buffer.alloc(32, 7)]));
    await once(raw, 'close');
    expect(await other.ask('ping')).toMatchObject({ result: {} });
    await expectServing();
  });

  test('a peer that resets the connection with requests in flight does no harm', async () => {
    for (let round = 0; round < 5; round++) {
      const socket = await openTcp();
      const client = await openAs(server(), server().grant['accessToken'], { socket });
      for (let id = 0; id < 50; id++) client.write(line(id, 'view'));
      await new Promise(setImmediate);
      socket.resetAndDestroy();
    }
    await expectServing();
  });
});
