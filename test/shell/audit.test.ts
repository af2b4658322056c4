import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { compiledPrograms } from '../support/programs.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';

const { client: program } = await compiledPrograms();

test('audit --follow prints what was and then what comes, one JSON object a line', async () => {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  const { accessToken } = await enrollAdministrator(server, administrator);
  const ca = join(server.folder, 'ca.pem');
  await writeFile(ca, server.ca);
  const target = ['--server', `127.0.0.1:${server.port}`, '--ca', ca, '--json'];
  const child = spawn(process.execPath, [program, ...target, 'audit', '--follow', '--event', 'user-added'], {
    env: { PATH: process.env['PATH'], HOME: server.folder, SECURE_INV_TOKEN: accessToken },
  });
  onTestFinished(() => void child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value ?? '{}') as { id: number; subject: string };
  const first = await next();
  expect(first).toMatchObject({ event: 'user-added', subject: 'admin' });
  await administrator.ask('user.add', { user: 'anna', role: 'viewer' });
  expect(await next()).toMatchObject({ subject: 'anna' });
  await administrator.ask('user.add', { user: 'bert', role: 'viewer' });
  expect(await next()).toMatchObject({ subject: 'bert' });
  child.kill('SIGINT');
  await once(child, 'close');
});

test('audit --follow tells of refusals again when they have become more', async () => {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  const { accessToken } = await enrollAdministrator(server, administrator);
  const ca = join(server.folder, 'ca.pem');
  await writeFile(ca, server.ca);
  const follow = async (...options: readonly string[]) => {
    const target = ['--server', `127.0.0.1:${server.port}`, '--ca', ca, ...options];
    const child = spawn(process.execPath, [program, ...target, 'audit', '--follow', '--event', 'login-refused'], {
      env: { PATH: process.env['PATH'], HOME: server.folder, SECURE_INV_TOKEN: accessToken },
    });
    onTestFinished(() => void child.kill());
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return async () => String((await lines.next()).value);
  };
  const guess = async () => (await WireClient.open(server)).ask('login', { user: 'admin', password: 'wrong-password' });
  server.turnClock(60_000 - (Date.now() % 60_000)); // One record is one of a minute.
  await guess();
  const [person, machine] = [await follow(), await follow('--json')];
  expect(await person()).toMatch(/ login-refused about admin from 127\.0\.0\.1 \(password\)$/);
  const first = JSON.parse(await machine()) as { id: number }; // As the command's result says.
  await guess();
  expect(await person()).toMatch(/ \(password\) 2 times$/);
  expect(JSON.parse(await machine())).toMatchObject({ id: first.id, count: 2 });
  await guess();
  await guess();
  expect(await person()).toMatch(/ \(password, too many tries\) \d times$/);
  for (let count = 2; count < 4; ) {
    const record = JSON.parse(await machine()) as { id: number; count: number }; // As above.
    expect(record.id).toBe(first.id);
    expect(record.count).toBeGreaterThan(count);
    count = record.count;
  }
});

test('audit --follow ends when one may not look any more, and says why', async () => {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  const { accessToken } = await enrollAdministrator(server, administrator);
  const ca = join(server.folder, 'ca.pem');
  await writeFile(ca, server.ca);
  const child = spawn(
    process.execPath,
    [program, '--server', `127.0.0.1:${server.port}`, '--ca', ca, 'audit', '--follow'],
    { env: { PATH: process.env['PATH'], HOME: server.folder, SECURE_INV_TOKEN: accessToken } },
  );
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  const closed = once(child, 'close'); // On a busy machine that may be before the answer to the logout is read.
  await once(child.stdout, 'data');
  await administrator.ask('logout');
  const [status] = await closed;
  expect(status).toBe(3);
  expect(said).toContain('This login was ended.');
});
