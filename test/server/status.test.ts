import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rotateKeys } from '../../src/auth/key-rotation.ts';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, testPassword, WireClient } from '../support/wire-client.ts';

const day = 86_400_000;

async function startWithAdministrator() {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  await enrollAdministrator(server, administrator);
  return { server, administrator };
}

async function logIn(server: TestServer, user = 'admin') {
  const client = await WireClient.open(server);
  const reply = await client.ask('login', { user, password: testPassword });
  return { client, result: reply?.result };
}

/** As recommended: the keys of the authorities are elsewhere. */
async function takeKeysAway({ certs }: TestServer): Promise<void> {
  for (const file of ['server-ca-key.pem', 'client-ca-key.pem']) await rm(join(certs, file));
}

describe('server.status', () => {
  test('says how the server is, and when each file ends', async () => {
    const { server, administrator } = await startWithAdministrator();
    await WireClient.open(server);
    const status = (await administrator.ask('server.status'))?.result;
    expect(status).toMatchObject({ authMode: 'either', node: process.versions.node, connections: 2, warnings: [] });
    expect(Date.parse(String(status?.['time'])) - Date.parse(String(status?.['startedAt']))).toBeGreaterThanOrEqual(0);
    expect(status?.['certificates']).toEqual([
      { file: 'server.pem', subject: 'CN=secure-inv server', notAfter: expect.any(String), daysLeft: 89 },
      { file: 'server-ca.pem', subject: expect.any(String), notAfter: expect.any(String), daysLeft: 3649 },
      { file: 'client-ca.pem', subject: expect.any(String), notAfter: expect.any(String), daysLeft: 3649 },
      { file: 'client-crl.pem', notAfter: expect.any(String), daysLeft: 29 },
    ]);
  });

  test('counts every open connection and none that is closed', async () => {
    const { server, administrator } = await startWithAdministrator();
    const other = await WireClient.open(server);
    await other.ask('hello');
    expect((await administrator.ask('server.status'))?.result?.['connections']).toBe(2);
    other.socket.destroy();
    await expect.poll(async () => (await administrator.ask('server.status'))?.result?.['connections']).toBe(1);
  });

  test('is for administrators and auditors; reload is for administrators alone', async () => {
    const { server, administrator } = await startWithAdministrator();
    for (const [role, status, reload] of [
      ['auditor', undefined, 'forbidden'],
      ['manager', 'forbidden', 'forbidden'],
    ] as const) {
      const { client } = await enrollUser(server, administrator, `a-${role}`, role);
      expect((await client.ask('server.status'))?.error?.data.code).toBe(status);
      expect((await client.ask('server.reload'))?.error?.data.code).toBe(reload);
    }
  });
});

describe('what ends soon and is not renewed here', () => {
  test('is told in status and at login to who may see to it, with what to do', async () => {
    const { server, administrator } = await startWithAdministrator();
    await enrollUser(server, administrator, 'clerk1', 'clerk');
    await takeKeysAway(server);
    server.turnClock(16 * day);
    const { client, result } = await logIn(server);
    const warning = new RegExp(
      '^.*/client-crl\\.pem ends in 13 days \\(.* UTC\\)\\. ' +
        'Bring client-ca-key\\.pem back into the folder and run: npm run gen-certs -- --folder .*/certs$',
    );
    expect(result?.['notices']).toEqual([expect.stringMatching(warning)]);
    expect((await client.ask('server.status'))?.result?.['warnings']).toEqual(result?.['notices']);
    expect((await client.ask('server.reload'))?.result?.['warnings']).toEqual(result?.['notices']);
    const clerk = await logIn(server, 'clerk1');
    expect(clerk.result).toMatchObject({ user: 'clerk1' });
    expect(clerk.result).not.toHaveProperty('notices');
  });

  test('is nothing as long as there is time, and while the server can renew it', async () => {
    const { server } = await startWithAdministrator();
    await takeKeysAway(server);
    expect((await logIn(server)).result).not.toHaveProperty('notices');
    const { server: other } = await startWithAdministrator();
    other.turnClock(16 * day);
    expect((await logIn(other)).result).not.toHaveProperty('notices');
  });
});

describe('server.reload', () => {
  test('says what it took up', async () => {
    const { server, administrator } = await startWithAdministrator();
    const unchanged = { certificates: 'unchanged', keys: 'unchanged', settings: [], warnings: [] };
    expect((await administrator.ask('server.reload'))?.result).toEqual(unchanged);
    // The server looks by itself, too, and may have been faster.
    await expect
      .poll(async () => {
        await rotateKeys(join(server.folder, 'data', 'token-keys.json'));
        return (await administrator.ask('server.reload'))?.result?.['keys'];
      })
      .toBe('changed');
    await expect
      .poll(async () => {
        await makeServerCertificates(server.certs, { hosts: [], force: true });
        return (await administrator.ask('server.reload'))?.result?.['certificates'];
      })
      .toBe('changed');
    expect((await administrator.ask('server.reload'))?.result).toEqual(unchanged);
  });

  test('takes up a revocation list at once: who was revoked is out when it answers', async () => {
    const { server, administrator } = await startWithAdministrator();
    const { client } = await enrollUser(server, administrator, 'clerk1', 'clerk');
    client.socket.destroy();
    await makeClientCertificate(server.certs, 'clerk1');
    const [cert, key] = await Promise.all(
      ['clerk1.pem', 'clerk1-key.pem'].map((file) => readFile(join(server.certs, file), 'utf8')),
    );
    await revoke(server.certs, 'clerk1');
    await administrator.ask('server.reload');
    const revoked = await WireClient.open(server, { ...(cert ? { cert } : {}), ...(key ? { key } : {}) });
    expect((await revoked.reply())?.error?.data.reason).toBe('revoked');
  });

  test.for([
    ['server.pem', 'certificates'],
    ['../data/token-keys.json', 'token keys'],
  ] as const)('refuses %s when it is wrong, names it, and keeps what was in use', async ([name, what]) => {
    const { server, administrator } = await startWithAdministrator();
    const file = join(server.certs, name);
    await copyFile(file, `${file}.kept`);
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, 300));
    for (let times = 0; times < 2; times++) {
      const refused = (await administrator.ask('server.reload'))?.error;
      expect(refused).toMatchObject({ data: { code: 'conflict', hint: expect.any(String) } });
      expect(refused?.message).toContain(file);
      expect(refused?.message).toContain(`The ${what} in use stay.`);
    }
    expect((await logIn(server)).result).toMatchObject({ user: 'admin' });
    await rename(`${file}.kept`, file);
    expect((await administrator.ask('server.reload'))?.result).toBeDefined();
  });
});
