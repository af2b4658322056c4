import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { ContextStore } from '../../src/client/context.ts';
import { openWay } from '../support/cuttable-way.ts';
import { compiledPrograms } from '../support/programs.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, openAs, testPassword, type WireClient } from '../support/wire-client.ts';

const { client: program } = await compiledPrograms();

interface Watching {
  readonly child: ChildProcessWithoutNullStreams;
  next(): Promise<string>;
  errors(): string;
}

/** A server with an administrator, and a way to run the client against it. */
async function open() {
  const server = await startServer({ isClockStopped: true });
  const grant = await enrollAdministrator(server);
  const ca = join(server.folder, 'ca.pem');
  await writeFile(ca, server.ca);
  const watch = (port: number, words: readonly string[], token = grant['accessToken']): Watching => {
    const target = ['--server', `127.0.0.1:${port}`, '--ca', ca];
    return start([...target, 'watch', ...words], { HOME: server.folder, SECURE_INV_TOKEN: token });
  };
  return { server, grant, watch, writer: await openAs(server, grant['accessToken']) };
}

function start(words: readonly string[], env: Readonly<Record<string, string | undefined>>): Watching {
  const child = spawn(process.execPath, [program, ...words], { env: { PATH: process.env['PATH'], ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
    child.emit('said');
  });
  return { child, next: async () => (await lines.next()).value ?? '', errors: () => errors };
}

const add = (client: WireClient, quantity: number, more = {}) =>
  client.ask('add', { item: 'Soap', quantity, operation: randomUUID(), ...more });

test('watch prints a line for each movement, for people and for programs, and Ctrl-C ends it without a word', async () => {
  const { server, watch, writer } = await open();
  await add(writer, 200);
  await writer.ask('take', { item: 'Soap', quantity: 5, note: 'torn', operation: randomUUID() });
  const [person, machine] = [watch(server.port, ['--after', '0']), watch(server.port, ['--after', '1', '--json'])];
  expect(await person.next()).toMatch(
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC {2}#1 {2}\+200 Soap at main by admin → 200$/,
  );
  expect(await person.next()).toMatch(/#2 {2}-5 Soap at main by admin → 195 \(torn\)$/);
  expect(JSON.parse(await machine.next())).toMatchObject({ seq: 2, kind: 'take', item: 'Soap', delta: -5 });
  await add(writer, 1);
  expect(await person.next()).toContain('#3');
  expect(JSON.parse(await machine.next())).toMatchObject({ seq: 3, balance: 196 });
  for (const { child, errors } of [person, machine]) {
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([null, 'SIGINT']);
    expect(errors()).toBe('');
  }
});

test('watch says once that the server is away, and goes on where it was when it is back', async () => {
  const { server, watch, writer } = await open();
  const way = await openWay(() => (isAway ? 1 : server.port));
  let isAway = false;
  const watching = watch(way.port, ['--after', '0', '--json']);
  await add(writer, 1);
  expect(JSON.parse(await watching.next())).toMatchObject({ seq: 1 });
  isAway = true;
  way.cut();
  await add(writer, 2);
  await once(watching.child, 'said');
  const before = way.connections;
  await expect.poll(() => way.connections, { timeout: 5000 }).toBeGreaterThan(before + 1);
  isAway = false;
  expect(JSON.parse(await watching.next())).toMatchObject({ seq: 2 });
  expect(watching.errors().trim().split('\n')).toHaveLength(1);
  expect(watching.errors()).toContain('Watching goes on when the server is back.');
});

test('watch outlives its access token: the login is renewed, and nothing is missed', async () => {
  const { server, grant } = await open();
  const folder = (...names: string[]) => join(server.folder, ...names, 'secure-inv');
  const store = new ContextStore(folder('.config'), folder('.local', 'state'));
  await store.save({ name: 'here', host: '127.0.0.1', port: server.port, ca: server.ca, user: 'admin' });
  const { accessToken = '', refreshToken = '', expiresAt = '' } = grant;
  await store.writeTokens('here', { accessToken, refreshToken, expiresAt });
  const watching = start(['watch', '--after', '0', '--json'], { HOME: server.folder });
  const writer = await openAs(server, accessToken);
  await add(writer, 1);
  expect(JSON.parse(await watching.next())).toMatchObject({ seq: 1 });
  server.turnClock(11 * 60_000);
  await writer.ask('login', { user: 'admin', password: testPassword });
  await add(writer, 1);
  await add(writer, 1);
  expect(JSON.parse(await watching.next())).toMatchObject({ seq: 2 });
  expect(JSON.parse(await watching.next())).toMatchObject({ seq: 3 });
  expect(watching.errors()).toBe('');
  expect((await store.readTokens('here')).refreshToken).not.toBe(refreshToken);
});

test('watch ends when one may not look any more, and says why; and at once for a movement that is not there yet', async () => {
  const { server, watch, writer } = await open();
  const future = watch(server.port, ['--after', '7']);
  expect(await once(future.child, 'close')).toEqual([1, null]);
  expect(future.errors()).toContain('There is no movement 7 yet: the last one is 0.');
  const made = await writer.ask('token.create', { name: 'screen', role: 'viewer' });
  const watching = watch(server.port, ['--after', '0'], String(made?.result?.['token']));
  await add(writer, 1);
  await watching.next();
  await writer.ask('token.revoke', { id: made?.result?.['id'] });
  expect(await once(watching.child, 'close')).toEqual([3, null]);
  expect(watching.errors()).toContain('hint:');
});

test('watch ends quietly when nobody reads it any more', async () => {
  const { server, watch, writer } = await open();
  const { child, errors } = watch(server.port, ['--after', '0']);
  await add(writer, 1);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const closed = once(child, 'exit');
  for (let count = 0; count < 3; count++) await add(writer, 1);
  expect(await closed).toEqual([0, null]);
  expect(errors()).toBe('');
});
