import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmod, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { expect, onTestFinished, test } from 'vitest';
import { type CallCommand, keepCertificate, renewWhenDue, requestCertificate } from '../../src/client/certificate.ts';
import { ClientConnection } from '../../src/client/connect.ts';
import { ContextStore } from '../../src/client/context.ts';
import { openInventory } from '../../src/client/inventory.ts';
import { openSession } from '../../src/client/target.ts';
import { whoami } from '../../src/command/whoami.ts';
import { loadAuthority } from '../../src/pki/authority.ts';
import { formatKey, issueClientCertificate, newKey } from '../../src/pki/certificate.ts';
import { compiledPrograms } from '../support/programs.ts';
import { startServer } from '../support/server.ts';
import { testPassword } from '../support/wire-client.ts';

const day = 86_400_000;
const { client: program } = await compiledPrograms();

/** A server that knows its users by certificate, and its administrator's account with a certificate of its own making. */
async function setUp() {
  const server = await startServer({ mode: 'mutual' });
  const home = join(server.folder, 'home');
  const folders = {
    configFolder: join(home, '.config', 'secure-inv'),
    stateFolder: join(home, '.local', 'state', 'secure-inv'),
  };
  const store = new ContextStore(folders.configFolder, folders.stateFolder);
  const kept = { store, context: 'here' };
  const endpoint = { host: '127.0.0.1', port: server.port, ca: server.ca };
  const connection = await ClientConnection.open(endpoint);
  onTestFinished(() => connection.close());
  await connection.request('enroll', { code: server.link().code });
  await connection.request('enroll', { password: testPassword });
  await store.save({ name: 'here', ...endpoint, user: 'admin' });
  const call: CallCommand = async (command, params) =>
    v.parse(command.result, await connection.request(command.name, params));
  await keepCertificate(kept, await requestCertificate(call, 'admin'));
  await store.showCertificate('here');
  const file = store.certificateFile('here');

  /** A session of its own, as another shell would have. */
  const open = async (): Promise<CallCommand> => {
    const { session } = await openSession(folders);
    onTestFinished(() => session.close());
    return (command, params) => session.call(command, params);
  };
  /** Puts one there that was made so many days ago, because the clock of a whole program can't be turned. */
  const age = async (days: number) => {
    const key = newKey();
    const now = Date.now();
    const authority = await loadAuthority(server.certs, 'client', now);
    const certificate = issueClientCertificate(authority, 'admin', key, now - days * day);
    await store.writeCertificate('here', certificate.toString() + formatKey(key));
  };
  const run = async (...words: string[]) => {
    const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: '', XDG_STATE_HOME: '' };
    return promisify(execFile)(process.execPath, [program, ...words], { env, timeout: 20_000 });
  };
  const serial = async () => new X509Certificate(await readFile(file)).serialNumber;
  return { server, folders, kept, file, open, age, run, serial };
}

test('a certificate is renewed from two thirds of its life on, with a new key, and the new pair is a login', async () => {
  const { kept, file, open, serial } = await setUp();
  const call = await open();
  const before = await readFile(file, 'utf8');
  expect(await renewWhenDue(kept, call)).toBe(false);
  expect(await renewWhenDue(kept, call, Date.now() + 20 * day - 5 * 60_000)).toBe(false);
  expect(await readFile(file, 'utf8')).toBe(before);
  const old = await serial();
  expect(await renewWhenDue(kept, call, Date.now() + 20 * day)).toBe(true);
  const after = await readFile(file, 'utf8');
  expect(await serial()).not.toBe(old);
  expect(after.split('-----BEGIN PRIVATE KEY')[1]).not.toBe(before.split('-----BEGIN PRIVATE KEY')[1]);
  const again = await open();
  expect((await again(whoami, {})).certificate?.serial).toBe((await serial()).toLowerCase());
  expect(await readdir(join(file, '..'))).toHaveLength(1);
});

test('two shells at once renew it once', async () => {
  const { server, kept, open } = await setUp();
  const calls = await Promise.all([open(), open(), open()]);
  const renewed = await Promise.all(calls.map((call) => renewWhenDue(kept, call, Date.now() + 21 * day)));
  expect(renewed.filter(Boolean)).toHaveLength(1);
  const issued = await readFile(join(server.certs, 'client-issued.jsonl'), 'utf8');
  expect(issued.trim().split('\n')).toHaveLength(2); // The first, and one renewal.
});

test('a command renews it after its own work, and says nothing of it', async () => {
  const { age, run, serial } = await setUp();
  await age(21);
  const old = await serial();
  const { stdout, stderr } = await run('add', 'Soap', '200');
  expect([stdout, stderr]).toEqual(['Added 200 Soap(s) to the inventory. In stock: 200. New item.\n', '']);
  const renewed = await serial();
  expect(renewed).not.toBe(old);
  await run('view');
  expect(await serial()).toBe(renewed);
});

test('a renewal that fails is one line of warning with the days that are left, and no failure', async () => {
  const { server, age, run, serial } = await setUp();
  await age(25);
  const key = join(server.certs, 'client-ca-key.pem');
  await rename(key, `${key}.away`);
  const old = await serial();
  const { stdout, stderr } = await run('view');
  expect(stdout).toContain('No items');
  expect(stderr).toBe(
    "secure-inv: warning: your certificate ends in 4 days and could not be renewed: This server cannot issue certificates: the client authority's key is not there.\n",
  );
  expect((await run('view', '--json')).stderr).toBe('');
  expect(await serial()).toBe(old);
  await rename(`${key}.away`, key);
  expect((await run('view')).stderr).toBe('');
  expect(await serial()).not.toBe(old);
});

test('a command that fails says why it failed and nothing else', async () => {
  const { age, run, serial } = await setUp();
  await age(25);
  const old = await serial();
  await expect(run('take', 'Gold', '1')).rejects.toMatchObject({
    code: 5,
    stderr: expect.not.stringContaining('warning'),
  });
  expect(await serial()).toBe(old);
});

test('a key that others can read is not used', async () => {
  const { file, run } = await setUp();
  await chmod(file, 0o640);
  const stderr = expect.stringContaining(`${file} holds your key and is open to others.`);
  await expect(run('view')).rejects.toMatchObject({ code: 3, stderr });
  await chmod(file, 0o600);
  expect((await run('view')).stderr).toBe('');
});

test('a certificate that somebody else keeps is theirs to renew', async () => {
  const { folders, kept, file, age, run } = await setUp();
  await age(25);
  const pem = await readFile(file, 'utf8');
  const own = join(folders.configFolder, 'own.pem');
  await writeFile(own, pem, { mode: 0o600 });
  const context = await kept.store.find('here');
  if (!context) throw new Error('The context was saved above.');
  await kept.store.save({ ...context, cert: own, key: own });
  const told = /^secure-inv: Your client certificate ends in 4 days .*\n$/;
  expect((await run('view')).stderr).toMatch(told);
  expect((await run('view', '--cert', file, '--key', file)).stderr).toMatch(told);
  expect([await readFile(own, 'utf8'), await readFile(file, 'utf8')]).toEqual([pem, pem]);
});

test('the library begins with a renewed one, and works on when it cannot be renewed', async () => {
  const { server, folders, age, serial } = await setUp();
  const whoAmI = async () => {
    const inventory = await openInventory(folders);
    onTestFinished(() => inventory.close());
    return (await inventory.whoami()).certificate?.serial.toUpperCase();
  };
  await age(21);
  const old = await serial();
  const key = join(server.certs, 'client-ca-key.pem');
  await rename(key, `${key}.away`);
  expect(await whoAmI()).toBe(old);
  await rename(`${key}.away`, key);
  const renewed = await whoAmI();
  expect(renewed).not.toBe(old);
  expect(renewed).toBe(await serial());
});
