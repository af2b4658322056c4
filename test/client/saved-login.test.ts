import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { compiledPrograms } from '../support/programs.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, testPassword, WireClient } from '../support/wire-client.ts';

const { client: program } = await compiledPrograms();
const run = promisify(execFile);

/** A server, and somebody's account that is logged in to it. */
async function startWithAccount() {
  const server = await startServer();
  await enrollAdministrator(server);
  const home = join(server.folder, 'home');
  await mkdir(home);
  await writeFile(join(home, 'password'), testPassword);
  const shell = (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    run(process.execPath, [program, ...words], { env: { HOME: home, ...env }, timeout: 20_000 });
  const address = ['--server', `127.0.0.1:${server.port}`, '--ca', join(server.certs, 'server-ca.pem')];
  await shell([...address, 'login', '--user', 'admin'], { SECURE_INV_PASSWORD_FILE: join(home, 'password') });
  const state = join(home, '.local', 'state', 'secure-inv');
  const file = join(state, (await readdir(state)).find((name) => name.endsWith('.json')) ?? '');
  const readTokens = async (): Promise<Record<string, string>> => JSON.parse(await readFile(file, 'utf8'));
  /** Makes the access token one that has ended, for the server and for this account. */
  const expire = async () => {
    server.turnClock(11 * 60_000);
    const expiresAt = new Date(Date.now() - 1000).toISOString();
    await writeFile(file, JSON.stringify({ ...(await readTokens()), expiresAt }), { mode: 0o600 });
  };
  return { server, home, shell, address, readTokens, expire };
}

test('shells that start at once with an ended access token renew the login once, and all succeed', async () => {
  const { shell, readTokens, expire } = await startWithAccount();
  await expire();
  const before = await readTokens();
  const answers = await Promise.all([1, 2, 3].map(() => shell(['whoami', '--json'])));
  for (const { stdout } of answers) expect(JSON.parse(stdout)).toMatchObject({ user: 'admin' });
  const after = await readTokens();
  expect(after['refreshToken']).not.toBe(before['refreshToken']);
  // The login was not taken for stolen.
  expect(JSON.parse((await shell(['session', 'list', '--json'])).stdout)).toMatchObject({
    sessions: expect.arrayContaining([expect.objectContaining({ current: true })]),
  });
});

test('a shell that dies after the server has renewed its login, and before it has stored that, is not logged out', async () => {
  const { server, shell, readTokens, expire } = await startWithAccount();
  await expire();
  const { refreshToken } = await readTokens();
  const dying = await WireClient.open(server);
  const lost = await dying.ask('refresh', { refreshToken });
  dying.socket.destroy();
  const { stdout } = await shell(['whoami', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ user: 'admin' });
  const successor = (await readTokens())['refreshToken'];
  expect(successor).toBe(lost?.result?.['refreshToken']);
  const next = await WireClient.open(server);
  expect(await next.ask('refresh', { refreshToken: successor })).toHaveProperty('result');
});

test('an API token in a file works without a login, and is never renewed', async () => {
  const { server, home, shell, address } = await startWithAccount();
  const made = JSON.parse((await shell(['token', 'create', 'script', '--role', 'viewer', '--json'])).stdout);
  const file = join(home, 'token');
  await writeFile(file, `${made.token}\n`, { mode: 0o600 });
  const env = { HOME: join(home, 'nobody'), SECURE_INV_TOKEN_FILE: file };
  const { stdout } = await shell([...address, 'whoami', '--json'], env);
  expect(JSON.parse(stdout)).toMatchObject({ user: 'admin', role: 'viewer', token: 'script' });
  await shell(['token', 'revoke', made.id]);
  const refused = await shell([...address, 'view', '--json'], env).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('token create') });
  expect(refused).not.toMatchObject({ stderr: expect.stringContaining(made.token.slice(-43)) });
  const own = await WireClient.open(server);
  expect(await own.ask('authenticate', { token: made.token })).toMatchObject({ error: { code: 1001 } });
});
