import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type ServerProcess, startProcess } from '../fault/server-process.ts';
import { temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';
import { ok, Receiver, status } from './receiver.ts';

const soon = { timeout: 15_000, interval: 20 };

let operations = 0;
const newOperation = () => `0192f0c1-7b5e-7000-9000-${String(++operations).padStart(12, '0')}`;

function runSql(folder: string, sql: string): Record<string, unknown>[] {
  const file = new DatabaseSync(join(folder, 'data', 'inventory.db'));
  try {
    return file.prepare(sql).all();
  } finally {
    file.close();
  }
}

async function openProcess() {
  const receiver = await Receiver.open();
  const folder = await temporaryFolder();
  let log = '';
  const flags = { 'notify-webhooks': receiver.url, 'notify-ca': receiver.caFile };
  const start = (isFirst = false) =>
    startProcess(folder, isFirst, { logLevel: 'trace', onLog: (text) => (log += text), flags });
  const server = await start(true);
  onTestFinished(() => server.kill());
  const { link } = server;
  if (!link) throw new Error('The server printed no link.');
  const client = await WireClient.open(server);
  const token = (await enrollAdministrator({ ...server, link: () => link }, client))['accessToken'];
  return { receiver, folder, server, client, token, start, log: () => log };
}

/** 10 of each item, which is low at 5: two movements each. */
async function openStock(client: WireClient, items: readonly string[]): Promise<void> {
  for (const item of items) {
    await client.ask('item.add', { item, lowAt: 5, operation: newOperation() });
    await client.ask('add', { item, quantity: 10, operation: newOperation() });
  }
}

test('a log at its most talkative tells of low stock, and neither of the note nor of any secret', async () => {
  const { receiver, folder, client, log } = await openProcess();
  await openStock(client, ['Soap']);
  let attempts = 0;
  receiver.answer = (...asked) => (attempts++ === 0 ? status(500) : ok)(...asked);
  const take = { item: 'Soap', quantity: 6, note: 'for Mrs Smith', operation: newOperation() };
  await client.ask('take', take);
  await client.ask('take', take);
  await expect.poll(log, soon).toContain('takes messages again');
  const lines = log().trim().split('\n');
  const low = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'low stock');
  const shown = { item: 'Soap', location: 'main', balance: 4, quantity: 4, lowAt: 5, seq: 3, user: 'admin' };
  expect(low).toEqual([{ level: 40, time: expect.any(String), ...shown, msg: 'low stock' }]);
  expect(log()).toContain(`"webhook":"127.0.0.1:${receiver.port}","reason":"HTTP status 500"`);
  const secret = (await readFile(join(folder, 'data', 'webhook-secret'), 'utf8')).trim();
  const mac = /v1=(\w+)/.exec(String(receiver.received[0]?.headers['secure-inv-signature']))?.[1] ?? '';
  expect([secret.length, mac.length]).toEqual([43, 64]);
  for (const hidden of ['Mrs Smith', 'hush', '/hook', secret, mac]) expect(log()).not.toContain(hidden);
});

test('kill -9 after the commit and before any try: the next start delivers it', async () => {
  const { receiver, folder, server, client, start } = await openProcess();
  await openStock(client, ['Soap']);
  await receiver.stop();
  const taken = await client.ask('take', { item: 'Soap', quantity: 6, operation: newOperation() });
  expect(taken?.result).toMatchObject({ low: true });
  await server.kill();
  const [row] = runSql(folder, 'SELECT id FROM outbox');
  await receiver.start();
  const next = await start();
  onTestFinished(() => next.kill());
  await expect.poll(() => receiver.ids, soon).toEqual([row?.['id']]);
  await expect.poll(() => runSql(folder, 'SELECT id FROM outbox'), soon).toEqual([]);
});

test('kill -9 while the receiver has it and has not answered: it comes again, under the same id', async () => {
  const { receiver, folder, server, client, start } = await openProcess();
  await openStock(client, ['Soap']);
  receiver.answer = () => undefined;
  const take = { item: 'Soap', quantity: 6, operation: newOperation() };
  await client.ask('take', take);
  await expect.poll(() => receiver.received.length, soon).toBe(1);
  await server.kill();
  receiver.answer = ok;
  const next = await start();
  onTestFinished(() => next.kill());
  await expect.poll(() => receiver.received.length, soon).toBe(2);
  const [first, second] = receiver.received;
  expect([second?.headers['secure-inv-delivery'], second?.body]).toEqual([receiver.ids[0], first?.body]);
  await expect.poll(() => runSql(folder, 'SELECT id FROM outbox'), soon).toEqual([]);
});

test('after a month away a receiver gets what is younger than a week, and the log says what was given up', async () => {
  const { receiver, folder, server, client, start, log } = await openProcess();
  await openStock(client, ['Soap', 'Towels', 'Cups']);
  await receiver.stop();
  for (const item of ['Soap', 'Towels', 'Cups']) {
    await client.ask('take', { item, quantity: 6, operation: newOperation() });
  }
  await server.kill();
  const day = 24 * 3_600_000;
  runSql(folder, `UPDATE outbox SET created_at = created_at - ${30 * day} WHERE body ->> 'item' = 'Soap'`);
  runSql(folder, `UPDATE outbox SET created_at = created_at - ${8 * day} WHERE body ->> 'item' = 'Towels'`);
  runSql(folder, `UPDATE outbox SET created_at = created_at - ${6 * day} WHERE body ->> 'item' = 'Cups'`);
  await receiver.start();
  const next = await start();
  onTestFinished(() => next.kill());
  await expect.poll(() => runSql(folder, 'SELECT id FROM outbox'), soon).toEqual([]);
  expect(receiver.items).toEqual(['Cups']);
  await expect
    .poll(log, soon)
    .toContain('"count":2,"msg":"messages to webhooks were given up: they waited for too long"');
});

test('kill -9 at any moment loses no message, and what comes twice has the same id', async () => {
  const items = Array.from({ length: 8 }, (_, at) => `Item ${at}`);
  const { receiver, folder, server: first, client, token, start, log } = await openProcess();
  await openStock(client, items);
  let attempts = 0;
  receiver.answer = (...asked) => (attempts++ % 3 === 0 ? status(503) : ok)(...asked);
  let server: ServerProcess = first;
  onTestFinished(() => server.kill());
  const acknowledged: unknown[] = [];
  for (const [at, item] of items.entries()) {
    const connection = await WireClient.open(server);
    await connection.ask('authenticate', { token });
    const asked = connection.ask('take', { item, quantity: 6, operation: newOperation() });
    // From before the commit to after the delivery; every other time after the answer, however slow the machine is.
    const killed = (at % 2 === 0 ? asked : sleep(at * 7)).then(() => server.kill());
    const taken = await asked;
    if (taken?.result) acknowledged.push(taken.result['seq']);
    await killed;
    server = await start();
  }
  await expect.poll(() => runSql(folder, 'SELECT id FROM outbox'), soon).toEqual([]);
  const told = new Map<unknown, Set<unknown>>();
  for (const { body } of receiver.received) {
    const { seq, id } = JSON.parse(body);
    told.set(seq, (told.get(seq) ?? new Set()).add(id));
  }
  const made = runSql(folder, "SELECT seq FROM movement WHERE kind = 'take' ORDER BY seq").map(({ seq }) => seq);
  expect(made.length).toBeGreaterThan(3);
  expect(made).toEqual(expect.arrayContaining(acknowledged));
  expect([...told.keys()].sort((a, b) => Number(a) - Number(b))).toEqual(made);
  expect([...told.values()].every(({ size }) => size === 1)).toBe(true);
  expect(log()).not.toContain('hush');
}, 60_000);
