import { createHmac } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, enrollUser, testPassword, WireClient, type WireReply } from '../support/wire-client.ts';
import { ok, Receiver, status, verifying } from './receiver.ts';

const hour = 3_600_000;
const year = 365 * 24 * hour;
/** A first retry comes after a second and a quarter at the latest. */
const soon = { timeout: 10_000, interval: 20 };

let operations = 0;
const newOperation = () => `0192f0c1-7b5e-7000-8000-${String(++operations).padStart(12, '0')}`;

class Shop {
  readonly server: TestServer;
  readonly client: WireClient;

  constructor(server: TestServer, client: WireClient) {
    this.server = server;
    this.client = client;
  }

  add(item: string, quantity: number): Promise<WireReply | undefined> {
    return this.client.ask('add', { item, quantity, operation: newOperation() });
  }

  take(item: string, quantity: number): Promise<WireReply | undefined> {
    return this.client.ask('take', { item, quantity, operation: newOperation() });
  }

  /** What the store's own file says. */
  ask(sql: string): Record<string, unknown>[] {
    const file = new DatabaseSync(join(this.server.folder, 'data', 'inventory.db'));
    try {
      return file.prepare(sql).all();
    } finally {
      file.close();
    }
  }

  get outbox(): Record<string, unknown>[] {
    return this.ask('SELECT id, attempts FROM outbox ORDER BY number');
  }
}

/** A server that tells these webhooks; it has 10 of each item, which is low at 5. */
async function openShop(
  urls: readonly string[],
  caFile = '',
  items: readonly string[] = ['Soap'],
  more: Readonly<Record<string, string>> = {},
): Promise<Shop> {
  const flags = { 'notify.webhooks': urls.join(','), 'notify.ca': caFile, ...more };
  const server = await startServer({ flags });
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  const shop = new Shop(server, client);
  for (const item of items) {
    await client.ask('item.add', { item, lowAt: 5, operation: newOperation() });
    await shop.add(item, 10);
  }
  return shop;
}

async function openShopAndReceiver(items?: readonly string[]) {
  const receiver = await Receiver.open();
  return { receiver, shop: await openShop([receiver.url], receiver.caFile, items) };
}

describe('a movement that takes an item to its threshold', () => {
  test('is told once, signed, with all that a receiver needs', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    const taken = (await shop.take('Soap', 6))?.result;
    expect(taken).toMatchObject({ low: true });
    await expect.poll(() => receiver.received.length, soon).toBe(1);
    const [received] = receiver.received;
    const { method, url, headers, body = '' } = received ?? {};
    expect([method, url, headers?.['content-type']]).toEqual(['POST', '/hook?key=hush-hush-hush', 'application/json']);
    expect(JSON.parse(body)).toEqual({
      id: headers?.['secure-inv-delivery'],
      event: 'low-stock',
      at: taken?.['at'],
      item: 'Soap',
      unit: 'pcs',
      quantity: 4,
      lowAt: 5,
      location: 'main',
      seq: taken?.['seq'],
      user: 'admin',
    });

    const secretFile = join(shop.server.folder, 'data', 'webhook-secret');
    expect((await stat(secretFile)).mode & 0o777).toBe(0o600);
    const secret = (await readFile(secretFile, 'utf8')).trim();
    const [, seconds = '', mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers?.['secure-inv-signature'])) ?? [];
    expect(mac).toBe(createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'));
    expect(Math.abs(Number(seconds) * 1000 - Date.now())).toBeLessThan(60_000);

    await expect.poll(() => shop.outbox, soon).toEqual([]);
    await shop.take('Soap', 1); // Lower still is no news.
    await shop.add('Soap', 7);
    await shop.take('Soap', 8);
    await expect.poll(() => receiver.received.length, soon).toBe(2);
    expect(new Set(receiver.ids).size).toBe(2);
    await shop.server.restart();
    await expect.poll(() => shop.outbox, soon).toEqual([]);
    expect(receiver.received).toHaveLength(2);
  });

  test('is not told when the operation is refused, nor a second time when it is repeated', async () => {
    const { receiver, shop } = await openShopAndReceiver(['Soap', 'Towels']);
    await receiver.stop();
    const lines = [
      { item: 'Soap', quantity: 6 },
      { item: 'Towels', quantity: 11 },
    ];
    const refused = await shop.client.ask('take', { lines, operation: newOperation() });
    expect(refused?.error?.data.code).toBe('out-of-stock');
    expect(shop.outbox).toEqual([]);
    const take = { item: 'Soap', quantity: 6, operation: newOperation() };
    for (let times = 0; times < 2; times++) {
      expect((await shop.client.ask('take', take))?.result).toMatchObject({ low: true });
    }
    expect(shop.outbox).toHaveLength(1);
  });

  test('is told also when somebody limited made it, who does not learn of it', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    const { client } = await enrollUser(shop.server, shop.client, 'clerk1', 'clerk');
    await shop.client.ask('user.limit', { user: 'clerk1', locations: ['main'] });
    const taken = await client.ask('take', { item: 'Soap', quantity: 6, operation: newOperation() });
    expect(taken?.result).toMatchObject({ balance: 4 });
    expect(taken?.result).not.toHaveProperty('low');
    await expect.poll(() => receiver.received.map(({ body }) => JSON.parse(body).user), soon).toEqual(['clerk1']);
  });

  test('is told also when it was a count or an undo, and a move has none', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    const ask = (command: string, params: object) => shop.client.ask(command, { ...params, operation: newOperation() });
    await shop.client.ask('location.add', { location: 'cellar' });
    const moved = await ask('move', { item: 'Soap', quantity: 5, from: 'main', to: 'cellar' });
    expect(moved?.error).toBeUndefined();
    const counted = await ask('count', { item: 'Soap', quantity: 0 });
    expect(counted?.result).toMatchObject({ delta: -5, low: true, seq: 5 });
    const added = (await shop.add('Soap', 7))?.result;
    const undone = await ask('undo', { seq: added?.['seq'] });
    expect(undone?.error).toBeUndefined();
    await expect.poll(() => receiver.seqs, soon).toEqual([5, 7]);
    await expect.poll(() => shop.outbox, soon).toEqual([]);
  });

  test('is signed under the secret that the operator chose, which a receiver verifies', async () => {
    const receiver = await Receiver.open();
    const secretFile = join(await temporaryFolder(), 'secret');
    const secret = 'only-the-two-of-us-know-this-very-long-one';
    await writeFile(secretFile, `${secret}\n`, { mode: 0o600 });
    receiver.answer = verifying(`${secret}!`);
    const shop = await openShop([receiver.url], receiver.caFile, ['Soap'], { 'notify.secretFile': secretFile });
    await shop.take('Soap', 6);
    await expect.poll(() => shop.outbox, soon).toMatchObject([{ attempts: 1 }]);
    receiver.answer = verifying(secret);
    await expect.poll(() => shop.outbox, soon).toEqual([]);
    expect(new Set(receiver.ids).size).toBe(1);
  });

  test('is told to every webhook, to each under an id of its own, whatever becomes of the others', async () => {
    const [one, other] = [await Receiver.open(), await Receiver.open()];
    const authorities = join(await temporaryFolder(), 'ca.pem');
    await writeFile(authorities, (await readFile(one.caFile, 'utf8')) + (await readFile(other.caFile, 'utf8')));
    await one.stop();
    const shop = await openShop([one.url, other.url], authorities);
    await shop.take('Soap', 5);
    await expect.poll(() => other.items, soon).toEqual(['Soap']);
    await one.start();
    await expect.poll(() => one.items, soon).toEqual(['Soap']);
    expect(one.ids).not.toEqual(other.ids);
  });

  test('leaves nothing in the outbox where there are no webhooks, and makes no secret', async () => {
    const shop = await openShop([]);
    expect((await shop.take('Soap', 6))?.result).toMatchObject({ low: true });
    expect(shop.outbox).toEqual([]);
    await expect(stat(join(shop.server.folder, 'data', 'webhook-secret'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a message that was not confirmed', () => {
  const failures: readonly (readonly [string, Receiver['answer']])[] = [
    ['a server error', status(500)],
    ['a client error', status(404)],
    ['a connection that breaks', (response) => void response.destroy()],
    ['an upgrade that nobody asked for', status(101, { connection: 'upgrade', upgrade: 'websocket' })],
    ['no HTTP', (response) => void response.socket?.end('hello')],
    ['a head that is too long', status(200, { long: 'x'.repeat(20_000) })],
  ];
  test.for(failures)('is sent again as it was after %s', async ([, answer]) => {
    const { receiver, shop } = await openShopAndReceiver();
    receiver.answer = answer;
    await shop.take('Soap', 6);
    await expect.poll(() => receiver.received.length, soon).toBe(1);
    receiver.answer = ok;
    await expect.poll(() => receiver.received.length, soon).toBe(2);
    expect(new Set(receiver.ids).size).toBe(1);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    await expect.poll(() => shop.outbox, soon).toEqual([]);
  });

  test('is sent again after a redirect, which is not followed', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    const elsewhere = await Receiver.open();
    const location = `https://127.0.0.1:${elsewhere.port}/`;
    const answers = [status(302, { location }), status(307, { location }), ok];
    receiver.answer = (...asked) => (answers.shift() ?? ok)(...asked);
    await shop.take('Soap', 6);
    await expect.poll(() => receiver.received.length, soon).toBe(3);
    expect(receiver.received.map(({ method, url }) => `${method} ${url}`)).toEqual(
      Array(3).fill('POST /hook?key=hush-hush-hush'),
    );
    expect(elsewhere.received).toEqual([]);
  });

  test('is given up for the moment after 10 s, whether the receiver is silent or drips', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    const dripping: NodeJS.Timeout[] = [];
    onTestFinished(() => dripping.forEach(clearInterval));
    receiver.answer = (response) => {
      response.socket?.write('HTTP/1.1 200 OK\r\nslow: ');
      dripping.push(setInterval(() => response.socket?.write('x'), 500));
    };
    const started = performance.now();
    await shop.take('Soap', 6);
    await expect.poll(() => shop.outbox, { timeout: 20_000 }).toMatchObject([{ attempts: 1 }]);
    expect(performance.now() - started).toBeGreaterThan(9500);
    expect(performance.now() - started).toBeLessThan(14_000);
    receiver.answer = ok;
    await expect.poll(() => shop.outbox, soon).toEqual([]);
    expect(new Set(receiver.ids).size).toBe(1);
  });

  test('is delivered by a status alone: a body without end is not read', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    receiver.answer = (response) => void response.writeHead(200, { 'content-length': '1000000000' }).write('x');
    await shop.take('Soap', 6);
    await expect.poll(() => shop.outbox, soon).toEqual([]);
    expect(receiver.received).toHaveLength(1);
  });

  test('waits for a receiver that is away, also across a restart of the server', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    await receiver.stop();
    await shop.take('Soap', 6);
    await expect.poll(() => shop.outbox[0]?.['attempts'], soon).toBe(1);
    const [before] = shop.outbox;
    await shop.server.restart();
    await receiver.start();
    await expect.poll(() => receiver.ids, soon).toEqual([before?.['id']]);
    await expect.poll(() => shop.outbox, soon).toEqual([]);
  });

  test('does not hold up a shutdown, and is sent again after it', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    receiver.answer = () => undefined; // Says nothing at all.
    await shop.take('Soap', 6);
    await expect.poll(() => receiver.received.length, soon).toBe(1);
    const started = performance.now();
    await shop.server.restart();
    expect(performance.now() - started).toBeLessThan(5000);
    await expect.poll(() => receiver.received.length, soon).toBe(2);
    expect(new Set(receiver.ids).size).toBe(1);
  });

  test('does not keep others from being sent', async () => {
    const { receiver, shop } = await openShopAndReceiver(['Soap', 'Towels', 'Cups']);
    receiver.answer = (response, received) => (received.body.includes('Soap') ? status(422) : ok)(response, received);
    await shop.take('Soap', 6);
    await expect.poll(() => receiver.items, soon).toEqual(['Soap']);
    for (const item of ['Towels', 'Cups']) await shop.take(item, 6);
    await expect.poll(() => receiver.items, soon).toEqual(expect.arrayContaining(['Towels', 'Cups']));
    await expect.poll(() => shop.outbox, soon).toHaveLength(1);
  });

  test('is one of many that go one after the other', async () => {
    const items = Array.from({ length: 5 }, (_, at) => `Item ${at}`);
    const { receiver, shop } = await openShopAndReceiver(items);
    receiver.answer = (...asked) => void setTimeout(() => ok(...asked), 30);
    const lines = items.map((item) => ({ item, quantity: 6 }));
    await shop.client.ask('take', { lines, operation: newOperation() });
    await expect.poll(() => shop.outbox, soon).toEqual([]);
    expect(receiver.items).toEqual(items);
    expect(receiver.inFlightMax).toBe(1);
  });
});

describe('a receiver that cannot prove who it is gets nothing', () => {
  const cases: readonly (readonly [
    string,
    (receiver: Receiver) => readonly [url: string, ca: string],
    age?: number,
  ])[] = [
    ['an authority that nobody trusts', ({ url }) => [url, '']],
    ['a certificate for another host', ({ port, caFile }) => [`https://127.0.0.2:${port}/`, caFile]],
    ['a certificate that has ended', ({ url, caFile }) => [url, caFile], 30 * year],
  ];
  test.for(cases)('%s', async ([, make, age = 0]) => {
    const receiver = await Receiver.open(Date.now() - age);
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'; // A careless operator's.
    onTestFinished(() => {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    });
    const [url, ca] = make(receiver);
    const shop = await openShop([url], ca);
    await shop.take('Soap', 6);
    await expect.poll(() => Number(shop.outbox[0]?.['attempts']), soon).toBeGreaterThan(1);
    expect(receiver.received).toEqual([]);
  });
});

describe('an operator', () => {
  test('is told of a receiver that has been away for an hour, without more of its URL than the host', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    await receiver.stop();
    await shop.take('Soap', 6);
    const warnings = async () => (await shop.client.ask('server.status'))?.result?.['warnings'];
    await expect.poll(() => shop.outbox[0]?.['attempts'], soon).toBe(1);
    expect(await warnings()).toEqual([]);
    shop.server.turnClock(2 * hour);
    const host = `127.0.0.1:${receiver.port}`;
    const pattern = `^notify\\.webhooks\\[0\\] \\(${host}\\) has not taken 1 message, the oldest from .* The last try: ECONNREFUSED\\.`;
    // The login has ended meanwhile.
    const client = await WireClient.open(shop.server);
    await client.ask('login', { user: 'admin', password: testPassword });
    await expect
      .poll(async () => (await client.ask('server.status'))?.result?.['warnings'], soon)
      .toContainEqual(expect.stringMatching(pattern));
    expect(JSON.stringify((await client.ask('server.status'))?.result)).not.toContain('hush');
  });

  test('finds a week-old message given up at a start', async () => {
    const { receiver, shop } = await openShopAndReceiver();
    await receiver.stop();
    await shop.take('Soap', 6);
    expect(shop.outbox).toHaveLength(1);
    shop.ask(`UPDATE outbox SET created_at = created_at - ${7 * 24 * hour + 1000}`);
    await shop.server.restart();
    await expect.poll(() => shop.outbox, soon).toEqual([]);
    await receiver.start();
    await shop.server.restart();
    expect(receiver.received).toEqual([]);
  });

  test.for([
    ['notify.secretFile', 'too short', 0o600, 'is no secret for webhooks.'],
    ['notify.secretFile', 'x'.repeat(40), 0o644, 'is open to others.'],
    ['notify.ca', 'no certificate', 0o644, 'has no certificate in it.'],
  ] as const)('is refused a start with %s that is wrong (%s)', async ([key, text, mode, problem]) => {
    const file = join(await temporaryFolder(), 'file');
    await writeFile(file, text, { mode });
    const flags = { 'notify.webhooks': 'https://127.0.0.1:1/', [key]: file };
    const refusal = await startServer({ flags }).catch((error: Error) => error);
    expect(refusal).toMatchObject({ code: 'bad-params', message: expect.stringContaining(problem) });
    expect(String(refusal)).toContain(file);
    expect(String(refusal)).not.toContain('xxx');
  });
});
