import { createPublicKey, X509Certificate } from 'node:crypto';
import { chmod, copyFile, cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { loadServerConfig } from '../../src/config/server.ts';
import { openDaemon } from '../../src/daemon.ts';
import { parseEnrolmentLink } from '../../src/model/enrolment-link.ts';
import { loadAuthority } from '../../src/pki/authority.ts';
import {
  formatCertificate,
  formatKey,
  issueClientCertificate,
  issueServerCertificate,
  newKey,
} from '../../src/pki/certificate.ts';
import { readRevocationList } from '../../src/pki/certificate-file.ts';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { formatPem } from '../../src/pki/der.ts';
import { type Host, parseHost } from '../../src/pki/host.ts';
import { ensureCertificates, makeServerCertificates } from '../../src/pki/issue.ts';
import { LiveCertificates } from '../../src/pki/live-certificates.ts';
import { renewServerCertificate } from '../../src/pki/renewal.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { formatNextRevocationList } from '../../src/pki/revocation-list.ts';
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
    const revokedAt = performance.now();
    expect((await client.reply())?.error?.data).toMatchObject({ code: 'certificate-refused', reason: 'revoked' });
    expect(performance.now() - revokedAt).toBeLessThan(2000); // A second, and some for a busy machine.
    await client.closed;
    const again = await WireClient.open(server, certificate);
    expect((await again.reply())?.error?.data.reason).toBe('revoked');
  });

  test('one that another authority revoked stays good, and so does its connection', async () => {
    const { server, certificate } = await startWithClerk();
    const other = await startServer();
    const client = await WireClient.open(server, certificate);
    const { serialNumber } = new X509Certificate(String(certificate.cert));
    await revoke(other.certs, serialNumber);
    await cp(join(other.certs, 'client-crl.pem'), join(server.certs, 'client-crl.pem'), { force: true });
    await server.reload();
    expect(await client.ask('whoami')).toMatchObject({ result: { user: 'clerk1' } });
    expect(await (await WireClient.open(server, certificate)).ask('whoami')).toMatchObject({
      result: { user: 'clerk1' },
    });
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

const files = ['server.pem', 'server-key.pem', 'server-ca.pem', 'client-ca.pem', 'client-crl.pem'] as const;

interface Folders {
  readonly certs: string;
  /** Good certificates of somebody else. */
  readonly other: string;
}

/** Writes a server certificate that differs from a good one, with its key. */
async function writeServer(
  certs: string,
  issuedAt: number,
  hosts: readonly Host[] | 'clients' = [parseHost('localhost')],
) {
  const authority = await loadAuthority(certs, 'server', Date.now());
  const key = newKey();
  const publicKey = createPublicKey(key);
  const certificate =
    hosts === 'clients'
      ? issueClientCertificate(authority, 'server', publicKey, issuedAt)
      : issueServerCertificate(authority, hosts, publicKey, issuedAt);
  await writeFile(join(certs, 'server.pem'), formatCertificate(certificate) + formatCertificate(authority.certificate));
  await chmod(join(certs, 'server-key.pem'), 0o600);
  await writeFile(join(certs, 'server-key.pem'), formatKey(key));
}

/** Signs the list anew, as of another time or under another number. */
async function writeList(certs: string, issuedAt: number, behind = 0n): Promise<void> {
  const authority = await loadAuthority(certs, 'client', Date.now());
  const list = await readRevocationList(certs, authority.certificate);
  const text = formatNextRevocationList({ ...list, number: list.number - behind }, authority, issuedAt);
  await writeFile(join(certs, 'client-crl.pem'), text);
}

const change = (file: string, how: (text: string) => string) => async (folders: Folders) => {
  const path = join(folders.certs, file);
  const text = how(await readFile(path, 'utf8'));
  await rm(path); // An authority's certificate may be read-only.
  await writeFile(path, text, { mode: 0o600 });
};

/** Turns the last bit, which is one of the signature's. */
function turnBit(pem: string): string {
  const [, label = '', body = ''] = /-----BEGIN (.+)-----([^-]+)-----END/.exec(pem) ?? [];
  const der = Buffer.from(body, 'base64');
  der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
  return formatPem(der, label);
}

/** The same in the leaf, which is the first of two. */
const turnFirstSignature = (text: string) => {
  const [leaf = '', ...rest] = text.split(/(?<=-----END CERTIFICATE-----\n)/);
  return [turnBit(leaf), ...rest].join('');
};

const damages: readonly (readonly [string, (folders: Folders) => Promise<void>])[] = [
  ...files.flatMap((file) => [
    [`a missing ${file}`, ({ certs }: Folders) => rm(join(certs, file))] as const,
    [`an empty ${file}`, change(file, () => '')] as const,
    [`half of ${file}`, change(file, (text) => text.slice(0, text.length / 2))] as const,
    [
      `${file} of somebody else`,
      ({ certs, other }: Folders) => cp(join(other, file), join(certs, file), { force: true }),
    ] as const,
    [`text in place of ${file}`, change(file, () => 'no PEM')] as const,
  ]),
  ['a server certificate whose signature is broken', change('server.pem', turnFirstSignature)],
  ['a revocation list whose signature is broken', change('client-crl.pem', turnBit)],
  ['an expired server certificate', ({ certs }) => writeServer(certs, Date.now() - 91 * day)],
  ['a server certificate that is not valid yet', ({ certs }) => writeServer(certs, Date.now() + day)],
  ['a server certificate for clients', ({ certs }) => writeServer(certs, Date.now(), 'clients')],
  [
    'a server certificate without its authority',
    change('server.pem', (text) => text.slice(0, text.indexOf('-----END') + 26)),
  ],
  [
    'the authorities the wrong way round',
    ({ certs }) => cp(join(certs, 'server-ca.pem'), join(certs, 'client-ca.pem'), { force: true }),
  ],
  ['a revocation list that has ended', ({ certs }) => writeList(certs, Date.now() - 31 * day)],
  ['a revocation list of the future', ({ certs }) => writeList(certs, Date.now() + day)],
  ['a revocation list with a lower number', ({ certs }) => writeList(certs, Date.now(), 5n)],
];

describe('what is not good as a whole is not taken up, is said once, and what was loaded before stays', () => {
  let good = '';
  let other = '';
  const cleanings: (() => Promise<void>)[] = [];
  afterAll(() => Promise.all(cleanings.map((clean) => clean())));
  beforeAll(async () => {
    const whenDone = (clean: () => Promise<void>) => void cleanings.push(clean);
    good = await temporaryFolder(whenDone);
    other = await temporaryFolder(whenDone);
    await ensureCertificates(good, []);
    await ensureCertificates(other, []);
  });

  test.each(damages)('%s', async (_, damage) => {
    const folders = { certs: await temporaryFolder(), other };
    await cp(good, folders.certs, { recursive: true });
    const problems: unknown[] = [];
    const events = { onProblem: (problem: unknown) => void problems.push(problem), onEnding: () => undefined };
    const live = await LiveCertificates.open(folders.certs, Date.now, events);
    const before = live.current;
    await damage(folders);
    for (let look = 0; look < 3; look++) await live.reload();
    expect(live.current).toBe(before);
    expect(problems).toMatchObject([{ code: 'bad-params', message: expect.stringContaining(folders.certs) }]);
    // Mended, it is taken up, and the next problem would be said again.
    await cp(good, folders.certs, { recursive: true, force: true });
    await live.reload();
    expect(live.current).not.toBe(before);
    expect(live.current.fingerprint).toBe(before.fingerprint);
    expect(problems).toHaveLength(1);
    await damage(folders);
    await live.reload();
    expect(problems).toHaveLength(2);
    await live.close();
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
  const folder = await temporaryFolder();
  await ensureCertificates(folder, []);
  const starting = startServer({ flags: { 'listen.name': 'inv.example.com', 'certs.folder': folder } });
  await expect(starting).rejects.toMatchObject({
    message: 'The server certificate is not for inv.example.com, which is listen.name.',
    details: { hint: `Run: npm run gen-certs -- --force --host inv.example.com --folder ${folder}` },
  });
});

test('a certificate that is not for the name of the server is not taken up while it runs, and one that is, is', async () => {
  const server = await startServer({ flags: { 'listen.name': 'localhost' } });
  const before = await serialOf(server);
  const local = ['localhost', '127.0.0.1'].map(parseHost);
  await writeServer(server.certs, Date.now(), [parseHost('127.0.0.1')]);
  await server.reload();
  expect(await serialOf(server)).toBe(before);
  await writeServer(server.certs, Date.now(), local);
  await server.reload();
  expect(await serialOf(server)).not.toBe(before);
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
