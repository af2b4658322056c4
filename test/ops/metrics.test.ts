import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rename } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test, vi } from 'vitest';
import { commands } from '../../src/command/index.ts';
import { Metrics } from '../../src/ops/metrics.ts';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { backUpStore } from '../../src/store/files.ts';
import { freePort, getPage, readMetric } from '../support/ops-port.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, line, testPassword, WireClient } from '../support/wire-client.ts';

/** The machine may be busy. */
const patience = { timeout: 10_000 };

async function startMeasured(flags: Readonly<Record<string, string>> = {}) {
  const port = await freePort();
  const server = await startServer({ flags: { 'ops.port': String(port), ...flags } });
  const metrics = async () => (await getPage(port, '/metrics')).text;
  const value = async (series: string) => readMetric(await metrics(), `secure_inv_${series}`);
  return { server, metrics, value, port };
}

test('is the text format of Prometheus, every metric of ours with its help and type', async () => {
  const { port } = await startMeasured();
  const { type, text } = await getPage(port, '/metrics');
  expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
  const lines = text
    .trim()
    .split('\n')
    .filter((one) => one !== '');
  for (const one of lines) expect(one).toMatch(/^(# (HELP|TYPE) secure_inv_|secure_inv_[a-z_]+(\{.*\})? -?[\d.e+-]+$)/);
  const named = (kind: string) => lines.flatMap((one) => one.match(`^# ${kind} (\\S+)`)?.[1] ?? []).sort();
  expect(named('HELP')).toEqual(named('TYPE'));
  expect(new Set(named('HELP')).size).toBe(named('HELP').length);
});

test('requests are counted and timed by command and outcome, and commits by their size', async () => {
  const { server, value } = await startMeasured();
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  const commits = (await value('commit_batch_size_count')) ?? 0;
  for (let times = 0; times < 3; times++) {
    await client.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() });
  }
  await client.ask('take', { item: 'Soap', quantity: 9, operation: randomUUID() });
  await expect.poll(() => value('requests_total{command="add",outcome="ok"}'), patience).toBe(3);
  expect(await value('requests_total{command="take",outcome="out-of-stock"}')).toBe(1);
  expect(await value('request_duration_seconds_count{command="add"}')).toBe(3);
  const sum = (await value('request_duration_seconds_sum{command="add"}')) ?? 0;
  expect(sum).toBeGreaterThan(0.0001);
  expect(sum).toBeLessThan(10);
  expect(await value('commit_batch_size_count')).toBeGreaterThanOrEqual(commits + 4);
  expect(await value('commit_fsync_seconds_sum')).toBeGreaterThan(0);
  expect(await value('commit_failures_total')).toBe(0);
});

test('changes that share a commit are counted as one batch', async () => {
  const { server, value } = await startMeasured();
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  const writes = async () => (await value('commit_batch_size_sum')) ?? 0;
  const batches = async () => (await value('commit_batch_size_count')) ?? 0;
  const before = { writes: await writes(), batches: await batches() };
  const add = (id: number) => line(id, 'add', { item: 'Soap', quantity: 1, operation: randomUUID() });
  client.write(Array.from({ length: 100 }, (_, id) => add(id)).join(''));
  await client.replies(100);
  await expect.poll(writes, patience).toBeGreaterThanOrEqual(before.writes + 100);
  expect(await batches()).toBeLessThan(before.batches + 60);
});

test('a commit that fails is counted as such', async () => {
  const { server, value } = await startMeasured();
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  const { DatabaseSync } = await import('node:sqlite');
  const other = new DatabaseSync(join(server.folder, 'data', 'inventory.db'));
  onTestFinished(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const refused = await client.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() });
  expect(refused?.error?.data.code).toBe('busy');
  await expect.poll(() => value('commit_failures_total'), patience).toBeGreaterThanOrEqual(1);
});

test('whatever peers send, labels take few values and nothing secret is told', async () => {
  const { server, metrics, value } = await startMeasured();
  const client = await WireClient.open(server);
  const grant = await enrollAdministrator(server, client);
  for (let at = 0; at < 50; at++) await client.ask(`evil"}\n${at}`, { password: 'hunter-hunter-hunter' });
  await client.ask('add', { item: 'Topsecret', quantity: 1, operation: randomUUID(), note: 'Confidential' });
  const other = await WireClient.open(server);
  await other.ask('login', { user: 'Nobody-of-ours', password: testPassword });
  await expect.poll(() => value('requests_total{command="unknown",outcome="unknown-command"}'), patience).toBe(50);
  const text = await metrics();
  const secrets = [...Object.values(grant), testPassword, 'hunter', 'Topsecret', 'Confidential', 'Nobody', '127.0.0.1'];
  for (const secret of secrets.filter((one) => one !== 'admin')) expect(text).not.toContain(secret);
  const names = new Set([...text.matchAll(/command="([^"]*)"/g)].map(([, name]) => name));
  const known = new Set<string>([...commands.map(({ name }) => name), 'unknown']);
  for (const name of names) expect(known).toContain(name);
});

test('refused logins are counted by reason', async () => {
  const { server, value } = await startMeasured();
  await enrollAdministrator(server);
  const tries = [
    ['login', { user: 'admin', password: 'wrong-wrong-wrong' }, 'password'],
    ['authenticate', { token: 'x.y.z' }, 'token'],
    ['refresh', { refreshToken: 'x'.repeat(43) }, 'refresh-token'],
    ['enroll', { code: 'x'.repeat(22) }, 'link'],
  ] as const;
  for (const [method, params, reason] of tries) {
    const client = await WireClient.open(server);
    expect([method, (await client.ask(method, params))?.error?.data.code]).toEqual([
      method,
      expect.stringMatching(/^login-/),
    ]);
    await expect.poll(() => value(`login_failures_total{reason="${reason}"}`), patience).toBe(1);
  }
});

test('failed handshakes are counted by reason', async () => {
  const { server, value } = await startMeasured();
  const failures = (reason: string) => value(`handshake_failures_total{reason="${reason}"}`);
  const speak = async (bytes: string) => {
    const socket = connectTcp(server.port, '127.0.0.1').on('error', () => undefined);
    socket.write(bytes);
    await new Promise((resolve) => socket.resume().once('close', resolve));
  };
  await speak('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await expect.poll(() => failures('not-tls'), patience).toBe(1);
  const old = connectTls({ host: '127.0.0.1', port: server.port, ca: server.ca, maxVersion: 'TLSv1.2' });
  await once(old, 'error');
  await expect.poll(() => failures('version'), patience).toBe(1);
  const distrustful = connectTls({
    host: '127.0.0.1',
    port: server.port,
    servername: 'localhost',
    ALPNProtocols: ['secure-inv/1'],
  });
  await once(distrustful, 'error');
  const leaver = connectTcp(server.port, '127.0.0.1');
  await once(leaver, 'connect');
  leaver.resetAndDestroy();
  await expect.poll(() => failures('reset'), patience).toBeGreaterThanOrEqual(1);
});

test('a silent peer that is cut off is one failed handshake, for its time', async () => {
  const { server, value } = await startMeasured();
  const silent = connectTcp(server.port, '127.0.0.1').on('error', () => undefined);
  await expect.poll(() => value('connections{state="handshake"}'), patience).toBe(1);
  await new Promise((resolve) => silent.resume().once('close', resolve));
  await expect.poll(() => value('handshake_failures_total{reason="timeout"}')).toBe(1);
  expect(await value('handshake_failures_total{reason="reset"}')).toBeUndefined();
  expect(await value('connections{state="handshake"}')).toBe(0);
});

test('a refused certificate is a failed handshake with its reason', async () => {
  const { server, value } = await startMeasured();
  await enrollAdministrator(server);
  await makeClientCertificate(server.certs, 'admin');
  const [cert = '', key = ''] = await Promise.all(
    ['admin.pem', 'admin-key.pem'].map((file) => readFile(join(server.certs, file), 'utf8')),
  );
  await revoke(server.certs, 'admin');
  await server.reload();
  const revoked = await WireClient.open(server, { cert, key });
  expect((await revoked.reply())?.error?.data.reason).toBe('revoked');
  await expect.poll(() => value('handshake_failures_total{reason="certificate-revoked"}'), patience).toBe(1);
});

test('what is there now is told: connections, ends of certificates, sizes, hashes in work, the age of a backup', async () => {
  const { server, value } = await startMeasured();
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  await WireClient.open(server);
  await expect.poll(() => value('connections{state="user"}'), patience).toBe(1);
  expect(await value('connections{state="stranger"}')).toBe(1);
  const ends = (await value('certificate_expiry_timestamp_seconds{file="server.pem"}')) ?? 0;
  expect(Math.round((ends - Date.now() / 1000) / 86_400)).toBe(90);
  expect(await value('store_bytes{part="database"}')).toBeGreaterThanOrEqual(4096);
  expect(await value('store_bytes{part="log"}')).toBeGreaterThan(0);
  expect(await value('disk_free_bytes')).toBeGreaterThan(0);
  expect(await value('ready')).toBe(1);
  expect(await value('password_hashes{state="waiting"}')).toBe(0);
  expect(await value('clock_divergence_seconds')).toBe(0);
  expect(await value('resident_memory_bytes')).toBeGreaterThan(1e6);
  expect(await value('backup_age_seconds')).toBeUndefined();
  await backUpStore(
    `sqlite:${join(server.folder, 'data', 'inventory.db')}`,
    join(server.folder, 'backup.db'),
    () => undefined,
  );
  await expect.poll(() => value('backup_age_seconds'), patience).toBeGreaterThanOrEqual(0);
  expect(await value('backup_age_seconds')).toBeLessThan(60);
});

test('logins that wait for a hash are seen in the queue', async () => {
  const { server, value } = await startMeasured({ 'auth.password.memoryKibibytes': '262144' });
  const { user = '' } = await enrollAdministrator(server);
  const clients = await Promise.all(Array.from({ length: 4 }, () => WireClient.open(server)));
  const logins = clients.map((client) => client.ask('login', { user, password: testPassword }));
  await expect.poll(() => value('password_hashes{state="waiting"}'), { ...patience, interval: 20 }).toBeGreaterThan(0);
  await Promise.all(logins);
  await expect.poll(() => value('password_hashes{state="waiting"}'), patience).toBe(0);
});

test('what cannot be measured is left out, counted and told once, and all else is served', async () => {
  const { server, value, port } = await startMeasured();
  await WireClient.open(server);
  const data = join(server.folder, 'data');
  await rename(data, `${data}.away`);
  await expect.poll(() => value('disk_free_bytes'), patience).toBeUndefined();
  await expect.poll(() => value('gauge_failures_total{gauge="disk_free_bytes"}'), patience).toBeGreaterThanOrEqual(1);
  expect(await value('connections{state="stranger"}')).toBe(1);
  // And what has happened is told by whoever looks at the store.
  await expect.poll(() => value('ready'), patience).toBe(0);
  expect((await getPage(port, '/readyz')).text).toMatch(/\[-\] store: The store was moved, deleted or replaced/);
  await rename(`${data}.away`, data);
  await expect.poll(() => value('disk_free_bytes'), patience).toBeGreaterThan(0);
});

test('what is not measured in time is left out as well, and told again only after it could be', async () => {
  const told = vi.fn();
  const nothing = async () => 0;
  let free: () => Promise<number> = () => Promise.reject(new Error('gone'));
  const observed = {
    ...{ version: '1', startedAt: 0, now: () => 0, divergence: () => 0, certificateEnds: () => [] },
    ...{ connections: () => ({ handshake: 0, stranger: 0, user: 0 }), hashing: () => ({ running: 0, waiting: 0 }) },
    ...{ storeBytes: async () => ({ database: 1, log: 0 }), diskFree: () => free(), backupAt: nothing },
    isReady: async () => true,
  };
  const metrics = new Metrics(observed, told);
  onTestFinished(() => metrics.close());
  const isThere = async () => /^secure_inv_disk_free_bytes /m.test(await metrics.text());
  expect([await isThere(), await isThere(), told.mock.calls.length]).toEqual([false, false, 1]);
  free = nothing;
  expect([await isThere(), told.mock.calls.length]).toEqual([true, 1]);
  free = () => new Promise(() => undefined);
  expect([await isThere(), told.mock.calls.length]).toEqual([false, 2]);
  expect(await metrics.text()).toContain('secure_inv_gauge_failures_total{gauge="disk_free_bytes"} 3');
});
