import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';

const program = fileURLToPath(new URL('../../src/secure-inv.ts', import.meta.url));

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
  await once(child.stdout, 'data');
  await administrator.ask('logout');
  const [status] = await once(child, 'close');
  expect(status).toBe(3);
  expect(said).toContain('This login was ended.');
});
