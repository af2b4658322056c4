import { X509Certificate } from 'node:crypto';
import { copyFile, cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadServerConfig } from '../../src/config/server.ts';
import { openDaemon } from '../../src/daemon.ts';
import { parseEnrolmentLink } from '../../src/model/enrolment-link.ts';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { renewServerCertificate } from '../../src/pki/renewal.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { loadServerCertificates } from '../../src/pki/server-certificates.ts';
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, enrollUser, WireClient } from '../support/wire-client.ts';

const day = 86_400_000;

/** By then the server has looked at its files by itself. */
const seen = () => sleep(950);

async function shown(certs: string, user: string): Promise<ConnectionOptions> {
  const read = (name: string) => readFile(join(certs, name), 'utf8');
  return { cert: await read(`${user}.pem`), key: await read(`${user}-key.pem`) };
}

/** A server with a clerk who has a certificate. */
async function startWithClerk() {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  await enrollAdministrator(server, administrator);
  await enrollUser(server, administrator, 'clerk1', 'clerk');
  await makeClientCertificate(server.certs, 'clerk1');
  return { server, certificate: await shown(server.certs, 'clerk1') };
}

async function serialOf(server: TestServer): Promise<string> {
  const client = await WireClient.open(server);
  const { serialNumber } = client.socket.getPeerCertificate();
  client.socket.destroy();
  return serialNumber;
}

describe('while the server runs', () => {
  test('a new server certificate is taken up, and TLS 1.2 and resumption are refused as before', async () => {
    const server = await startServer();
    const before = await serialOf(server);
    await makeServerCertificates(server.certs, { hosts: ['inv.example.com'], force: true });
    await seen();
    expect(await serialOf(server)).not.toBe(before);
    await expect(WireClient.open(server, { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' })).rejects.toThrow();
    const first = await WireClient.open(server);
    const session = first.socket.getSession();
    const second = await WireClient.open(server, session ? { session } : {});
    expect(second.socket.isSessionReused()).toBe(false);
  });

  test('a revoked client is cut off within a second, and told why at the next try', async () => {
    const { server, certificate } = await startWithClerk();
    const client = await WireClient.open(server, certificate);
    expect((await client.ask('whoami'))?.result).toMatchObject({ user: 'clerk1' });
    await revoke(server.certs, 'clerk1');
    expect((await client.reply())?.error?.data).toMatchObject({ code: 'certificate-refused', reason: 'revoked' });
    await client.closed;
    const again = await WireClient.open(server, certificate);
    expect((await again.reply())?.error?.data.reason).toBe('revoked');
  });

  test('an older revocation list is not taken back', async () => {
    const { server, certificate } = await startWithClerk();
    const list = join(server.certs, 'client-crl.pem');
    await copyFile(list, `${list}.old`);
    await revoke(server.certs, 'clerk1');
    await server.reload();
    await rename(`${list}.old`, list);
    await server.reload();
    const client = await WireClient.open(server, certificate);
    expect((await client.reply())?.error?.data.reason).toBe('revoked');
  });

  test('a list that has ended refuses every certificate, also of those who are connected', async () => {
    const { server, certificate } = await startWithClerk();
    const client = await WireClient.open(server, certificate);
    await client.ask('whoami');
    server.turnClock(31 * day);
    expect((await client.ask('whoami'))?.error?.data).toMatchObject({ code: 'certificate-refused' });
  });

  test.for([
    ['half-written', (text: string) => text.slice(0, 300)],
    ['empty', () => ''],
  ] as const)('a server certificate that is %s leaves the server with the old one', async ([, damage]) => {
    const server = await startServer();
    const before = await serialOf(server);
    const file = join(server.certs, 'server.pem');
    await writeFile(file, damage(await readFile(file, 'utf8')));
    await server.reload();
    expect(await serialOf(server)).toBe(before);
  });

  test('a key of another certificate, another authority and a missing file leave the server with what it had', async () => {
    const server = await startServer();
    const other = await startServer();
    const before = await serialOf(server);
    for (const file of ['server-key.pem', 'server-ca.pem', 'client-crl.pem']) {
      const path = join(server.certs, file);
      await cp(path, `${path}.kept`);
      await cp(join(other.certs, file), path, { force: true });
      await server.reload();
      expect(await serialOf(server)).toBe(before);
      await rm(path);
      await server.reload();
      expect(await serialOf(server)).toBe(before);
      await rename(`${path}.kept`, path);
    }
  });

  test('new authorities are taken up, and void the certificates of the old one on open connections', async () => {
    const { server, certificate } = await startWithClerk();
    const client = await WireClient.open(server, certificate);
    await client.ask('whoami');
    await makeServerCertificates(server.certs, { hosts: [], force: true, newAuthority: true });
    expect((await client.reply())?.error?.data.reason).toBe('unknown-authority');
    const ca = await readFile(join(server.certs, 'server-ca.pem'), 'utf8');
    const again = await WireClient.open({ port: server.port, ca });
    expect((await again.ask('hello'))?.result).toMatchObject({ server: 'secure-inv' });
  });
});

test('the server certificate is renewed at two thirds of its life, where the authority key is', async () => {
  const { certs } = await startServer();
  expect(await renewServerCertificate(certs, Date.now() + 59 * day)).toBe(false);
  expect(await renewServerCertificate(certs, Date.now() + 61 * day)).toBe(true);
  await rm(join(certs, 'server-ca-key.pem'));
  expect(await renewServerCertificate(certs, Date.now() + 200 * day)).toBe(false);
});

test('a server whose certificate is not for its own name does not start, and says what to do', async () => {
  const starting = startServer({ flags: { 'listen.name': 'inv.example.com' } });
  await expect(starting).rejects.toMatchObject({
    message: 'The server certificate is not for inv.example.com, which is listen.name.',
    details: { hint: 'Run: npm run gen-certs -- --force --host inv.example.com' },
  });
});

test('the first certificate is for the name in the first link', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'server.jsonc');
  await writeFile(file, '{ "listen": { "port": 0, "name": "inv.example.com" }, "log": { "level": "silent" } }');
  let link = '';
  const daemon = await openDaemon(loadServerConfig({ file, env: {} }).config, {
    onLink: (printed) => (link = printed),
  });
  onTestFinished(() => daemon.close());
  await daemon.inviteFirstAdministrator();
  expect(parseEnrolmentLink(link).host).toBe('inv.example.com');
  const { cert } = await loadServerCertificates(join(folder, 'certs'));
  expect(new X509Certificate(cert).checkHost('inv.example.com')).toBe('inv.example.com');
});
