import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startServer, type TestServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, testPassword, WireClient } from '../support/wire-client.ts';

const minute = 60_000;

async function start(): Promise<{ server: TestServer; administrator: WireClient }> {
  const server = await startServer({ isClockStopped: true });
  const administrator = await WireClient.open(server);
  await enrollAdministrator(server, administrator);
  return { server, administrator };
}

async function digestOf(administrator: WireClient): Promise<unknown> {
  return (await administrator.ask('server.status'))?.result?.['config'];
}

/** For how long the access token of a fresh login is good. */
async function minutesOfLogin(server: TestServer): Promise<number> {
  const client = await WireClient.open(server);
  const { result } = (await client.ask('login', { user: 'admin', password: testPassword })) ?? {};
  const time = String((await client.ask('hello'))?.result?.['time']);
  return (Date.parse(String(result?.['expiresAt'])) - Date.parse(time)) / minute;
}

describe('a reload of the configuration', () => {
  test('takes up live settings: from then on logins, new passwords and the digest go by them', async () => {
    const { server, administrator } = await start();
    expect(await minutesOfLogin(server)).toBe(10);
    const before = await digestOf(administrator);
    await server.configure('{ "auth": { "token": { "accessMinutes": 3 }, "password": { "charactersMin": 30 } } }');
    expect((await administrator.ask('server.reload'))?.result).toMatchObject({
      settings: ['auth.password.charactersMin', 'auth.token.accessMinutes'],
    });
    expect(await minutesOfLogin(server)).toBe(3);
    const { client, grant } = await enrollUser(server, administrator, 'anna', 'clerk');
    expect(grant).toBeUndefined(); // The password that tests use has fewer than 30 characters.
    expect(await client.ask('enroll', { password: `${testPassword}-and-a-few-more` })).toHaveProperty('result');
    expect(await digestOf(administrator)).not.toBe(before);
    const records = (await administrator.ask('audit', { event: 'config-changed' }))?.result?.['records'];
    expect(records).toMatchObject([{ detail: 'auth.password.charactersMin, auth.token.accessMinutes' }]);
    await server.configure('{}');
    await server.reload(); // As the signal SIGHUP does.
    expect(await minutesOfLogin(server)).toBe(10);
    expect(await digestOf(administrator)).toBe(before);
    expect((await administrator.ask('server.reload'))?.result).toMatchObject({ settings: [] });
  });

  test('has a password hashed with the new settings at its next login', async () => {
    const server = await startServer({ flags: { 'auth.password.passes': undefined } });
    await server.configure('{ "auth": { "password": { "passes": 2 } } }');
    await server.restart();
    const administrator = await WireClient.open(server);
    await enrollAdministrator(server, administrator);
    const database = new DatabaseSync(join(server.folder, 'data', 'inventory.db'), { readOnly: true });
    onTestFinished(() => database.close());
    const hash = () => String(database.prepare('SELECT password_hash FROM user').get()?.['password_hash']);
    expect(hash()).toContain(',t=2,');
    await server.configure('{ "auth": { "password": { "passes": 4 } } }');
    await administrator.ask('server.reload');
    await minutesOfLogin(server);
    expect(hash()).toContain(',t=4,');
  });

  test.for([
    [
      '{ "audit": { "days": 5 }, "pki": { "issue": "on" } }',
      /^Only a restart takes up: pki\.issue\. Changed as well: audit\.days\. /,
    ],
    [
      '{ "auth": { "token": { "accessMinutes": 5 } }, "log": { "format": "json" } }',
      /^Only a restart takes up: log\.format\. /,
    ],
    [
      '{ "auth": { "token": { "accessMinutes": 0 } } }',
      /^The configuration is wrong: .*server\.jsonc:1:41 auth\.token\.accessMinutes: must be/,
    ],
    [
      '{ "auth": { "token": { "accessMinutes": 5',
      /^The configuration is wrong: .*the file ends before its closing brace/,
    ],
  ] as const)('of %s applies nothing, and says why', async ([text, message]) => {
    const { server, administrator } = await start();
    const before = await digestOf(administrator);
    await server.configure(text);
    const refused = (await administrator.ask('server.reload'))?.error;
    expect(refused).toMatchObject({ data: { code: 'conflict', hint: expect.any(String) } });
    expect(refused?.message).toMatch(message);
    expect(refused?.message).toMatch(/All settings in use stay\.$/);
    await server.reload();
    expect(await digestOf(administrator)).toBe(before);
    expect(await minutesOfLogin(server)).toBe(10);
  });

  test('looks at each by itself: bad certificates keep no settings from being taken up, and both are told of', async () => {
    const { server, administrator } = await start();
    await server.configure('{ "audit": { "days": 5 } }');
    const certificate = join(server.certs, 'server.pem');
    const good = await readFile(certificate);
    await writeFile(certificate, good.subarray(0, 300));
    const refused = (await administrator.ask('server.reload'))?.error;
    expect(refused?.data.code).toBe('conflict');
    expect(refused?.message).toMatch(
      /server\.pem is cut off.* The certificates in use stay\. Taken up all the same: audit\.days\.$/,
    );
    await server.configure('{ "audit": { "days": 0 } }');
    const both = (await administrator.ask('server.reload'))?.error;
    expect(both?.message).toMatch(
      /The certificates in use stay\. The configuration is wrong: .*audit\.days.* All settings in use stay\.$/,
    );
    expect(both?.data.hint).toMatch(/gen-certs.* Then: Where the server runs: npx secure-invd config check$/);
    await writeFile(certificate, good);
    await server.configure('{ "audit": { "days": 5 } }');
    expect(await administrator.ask('server.reload')).toHaveProperty('result.settings', []);
  });
});
