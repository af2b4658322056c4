import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/model/failure.ts';
import { loadAuthority } from '../../src/pki/authority.ts';
import { readRevocationList } from '../../src/pki/certificate-file.ts';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { listCertificates } from '../../src/pki/listing.ts';
import { renewRevocationList } from '../../src/pki/renewal.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { parseRevocationList } from '../../src/pki/revocation-list.ts';
import { loadServerCertificates } from '../../src/pki/server-certificates.ts';
import { certificateFolder, copyFolder, day, openssl } from './folder.ts';

const shared = await certificateFolder();

async function readList(folder: string) {
  return readRevocationList(folder, (await loadAuthority(folder, 'client', Date.now())).certificate);
}

/** What a server says of the client's certificate in a real handshake. */
async function handshake(folder: string, user: string): Promise<string> {
  const { key, cert, clientAuthority, revocationList } = await loadServerCertificates(folder);
  const server = createServer({
    key,
    cert,
    ca: clientAuthority,
    crl: revocationList,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.end(`${socket.getProtocol()} ${socket.authorized ? 'authorized' : socket.authorizationError}`);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const address = server.address();
    const socket = connect({
      port: typeof address === 'object' && address ? address.port : 0,
      host: '127.0.0.1',
      ca: await readFile(join(folder, 'server-ca.pem')),
      cert: await readFile(join(folder, `${user}.pem`)),
      key: await readFile(join(folder, `${user}-key.pem`)),
    });
    return await text(socket);
  } finally {
    server.close();
  }
}

describe('a client certificate', () => {
  test('names its user in one SAN URI and in nothing else that counts', async () => {
    const folder = await copyFolder(shared);
    const made = await makeClientCertificate(folder, 'clerk1');
    const certificate = new X509Certificate(await readFile(join(folder, made.certificateFile)));
    expect(certificate.subjectAltName).toBe('URI:urn:secure-inv:user:clerk1');
    expect(certificate.subject).toBe('CN=clerk1');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.validToDate.getTime() - certificate.validFromDate.getTime()).toBe(30 * day);
    expect((await stat(join(folder, made.keyFile))).mode & 0o777).toBe(0o600);
  });

  test.each(['server', 'client-crl', 'server-ca', 'client-ca', 'x-ca', 'server-key', 'a-key'])(
    'cannot be called %s, which is the name of other files',
    async (name) => {
      const before = (await readdir(shared)).length;
      await expect(makeClientCertificate(shared, name, true)).rejects.toThrow(/cannot be called/);
      expect(await readdir(shared)).toHaveLength(before);
    },
  );

  test.each(['', 'Clerk', '../x', 'a/b', '-x', '.x', 'a b', 'x'.repeat(33)])('cannot be called %j', async (name) => {
    await expect(makeClientCertificate(shared, name)).rejects.toThrow(/is not a user name/);
  });

  test('is not replaced unless forced, and then the serial of the old one is told', async () => {
    const folder = await copyFolder(shared);
    const first = await makeClientCertificate(folder, 'clerk1');
    await expect(makeClientCertificate(folder, 'clerk1')).rejects.toMatchObject({
      message: `${join(folder, 'clerk1.pem')} exists already and is not replaced unasked.`,
      details: { hint: expect.stringContaining('client clerk1 --force') },
    });
    const second = await makeClientCertificate(folder, 'clerk1', true);
    expect(second.replaced).toEqual({ serial: first.serial, expiresAt: first.expiresAt });
  });

  test('needs the authority and its own key', async () => {
    const folder = await copyFolder(shared);
    await rm(join(folder, 'client-ca-key.pem'));
    await expect(makeClientCertificate(folder, 'clerk1')).rejects.toThrow(/client-ca-key\.pem is missing/);
    await writeFile(join(folder, 'client-ca-key.pem'), await readFile(join(folder, 'server-ca-key.pem')));
    await expect(makeClientCertificate(folder, 'clerk1')).rejects.toThrow(/does not belong to client-ca\.pem/);
    await rm(join(folder, 'client-ca.pem'));
    await expect(makeClientCertificate(folder, 'clerk1')).rejects.toThrow(/client-ca\.pem is missing/);
  });

  test('logs in over TLS 1.3, and no more once it is revoked', async () => {
    const folder = await copyFolder(shared);
    await makeClientCertificate(folder, 'clerk1');
    await makeClientCertificate(folder, 'clerk2');
    expect(await handshake(folder, 'clerk1')).toBe('TLSv1.3 authorized');
    await revoke(folder, 'clerk1');
    expect(await handshake(folder, 'clerk1')).toBe('TLSv1.3 CERT_REVOKED');
    expect(await handshake(folder, 'clerk2')).toBe('TLSv1.3 authorized');
  });
});

describe('the revocation list', () => {
  test('takes names and serials, counts up, and openssl agrees', async () => {
    const folder = await copyFolder(shared);
    const { serial } = await makeClientCertificate(folder, 'clerk1');
    const before = await readList(folder);
    expect(await revoke(folder, 'clerk1')).toMatchObject({ user: 'clerk1', revocations: [{ serial, isNew: true }] });
    const again = await revoke(folder, serial.toLowerCase());
    expect(again).toEqual({ user: undefined, revocations: [{ serial, at: expect.any(Number), isNew: false }] });
    const foreign = '4f'.repeat(16);
    expect(await revoke(folder, foreign.replace(/..(?!$)/g, '$&:'))).toMatchObject({
      revocations: [{ serial: foreign.toUpperCase(), isNew: true }],
    });
    const after = await readList(folder);
    expect(after.revocations.map((entry) => entry.serial)).toEqual([serial, foreign.toUpperCase()]);
    expect(after.number).toBe(before.number + 2n);
    const words = ['-CAfile', 'client-ca.pem', '-CRLfile', 'client-crl.pem', '-crl_check', 'clerk1.pem'];
    expect((await openssl(folder, 'verify', ...words)).text).toContain('certificate revoked');
    await expect(revoke(folder, 'nobody')).rejects.toMatchObject({ code: 'not-found' });
    await expect(revoke(folder, 'server')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('keeps every revocation when several are made at once', async () => {
    const folder = await copyFolder(shared);
    const serials = ['41', '42', '43', '44'].map((byte) => byte.repeat(16));
    await Promise.all([...serials.map((serial) => revoke(folder, serial)), renewRevocationList(folder)]);
    expect((await readList(folder)).revocations.map(({ serial }) => serial).sort()).toEqual(serials);
  });

  test('is signed anew past half of its life, with the same entries, while the key is there', async () => {
    const folder = await copyFolder(shared);
    await revoke(folder, '41'.repeat(16));
    const before = await readList(folder);
    expect(await renewRevocationList(folder, Date.now() + 14 * day)).toBe(false);
    expect(await renewRevocationList(folder, Date.now() + 16 * day)).toBe(true);
    const after = await readList(folder);
    expect(after.revocations).toEqual(before.revocations);
    expect(after.number).toBe(before.number + 1n);
    expect(after.expiresAt - before.expiresAt).toBeGreaterThan(15 * day);
    await rm(join(folder, 'client-ca-key.pem'));
    expect(await renewRevocationList(folder, Date.now() + 60 * day)).toBe(false);
  });

  test('is refused with any single byte changed, cut off or added', async () => {
    const folder = await copyFolder(shared);
    await revoke(folder, '41'.repeat(16));
    const { certificate } = await loadAuthority(folder, 'client', Date.now());
    const { pem } = await readRevocationList(folder, certificate);
    const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
    const parse = (bytes: Buffer) =>
      parseRevocationList(bytes, certificate, (problem) => new Failure('bad-params', problem));
    expect(parse(der).revocations).toHaveLength(1);
    for (let at = 0; at < der.length; at += 1) {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      expect(() => parse(changed)).toThrow(Failure);
      expect(() => parse(der.subarray(0, at))).toThrow(Failure);
    }
    expect(() => parse(Buffer.concat([der, Buffer.of(0)]))).toThrow(Failure);
  });
});

describe('the list of what there is', () => {
  test('marks what is expired, revoked and unreadable', async () => {
    const folder = await copyFolder(shared);
    await makeClientCertificate(folder, 'clerk1');
    await makeClientCertificate(folder, 'clerk2');
    await revoke(folder, 'clerk1');
    await writeFile(join(folder, 'broken.pem'), 'hello');
    const state = async (now?: number) =>
      Object.fromEntries((await listCertificates(folder, now)).map((row) => [row.file, row.state]));
    expect(await state()).toEqual({
      'server-ca.pem': 'valid',
      'server.pem': 'valid',
      'client-ca.pem': 'valid',
      'client-crl.pem': 'valid',
      'broken.pem': 'unreadable',
      'clerk1.pem': 'revoked',
      'clerk2.pem': 'valid',
    });
    expect(await state(Date.now() + 50 * day)).toMatchObject({ 'client-crl.pem': 'expired', 'clerk2.pem': 'expired' });
  });
});
