import { createPublicKey, ECDH, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadAuthority } from '../../src/pki/authority.ts';
import { formatCertificate, issueClientCertificate } from '../../src/pki/certificate.ts';
import { makeClientCertificate, renewClientCertificate } from '../../src/pki/client-certificate.ts';
import { renewServer, renewServerCertificate } from '../../src/pki/renewal.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { loadServerCertificates } from '../../src/pki/server-certificates.ts';
import { startServer } from '../support/server.ts';
import { WireClient } from '../support/wire-client.ts';
import { certificateFolder, copyFolder, day, newFolder, openssl } from './folder.ts';

const shared = await certificateFolder(['inv.example.com', '192.0.2.7']);
await makeClientCertificate(shared, 'clerk1');

const read = (folder: string, file: string) => readFile(join(folder, file), 'utf8');
const certificateIn = async (folder: string, file: string) => new X509Certificate(await read(folder, file));
const modeOf = async (folder: string, file: string) => ((await stat(join(folder, file))).mode & 0o777).toString(8);

async function assertStrict(folder: string): Promise<void> {
  const verify = (...words: string[]) => openssl(folder, 'verify', '-x509_strict', ...words);
  const client = ['-CAfile', 'client-ca.pem', '-CRLfile', 'client-crl.pem', '-crl_check', '-purpose', 'sslclient'];
  expect(await verify('-CAfile', 'server-ca.pem', '-purpose', 'sslserver', 'server.pem')).toMatchObject({ status: 0 });
  expect(await verify(...client, 'clerk1.pem')).toMatchObject({ status: 0 });
  await loadServerCertificates(folder);
}

describe('renewing the server', () => {
  test.each([false, true])(
    'gives it a new certificate for the same hosts and a new list (rekey: %s)',
    async (rekey) => {
      const folder = await copyFolder(shared);
      const before = await loadServerCertificates(folder);
      expect(await renewServer(folder, rekey)).toEqual({
        made: [...(rekey ? ['server-key.pem'] : []), 'server.pem', 'client-crl.pem'],
        left: [],
      });
      const after = await loadServerCertificates(folder);
      const [old, renewed] = [before, after].map(({ cert }) => new X509Certificate(cert));
      expect(renewed?.serialNumber).not.toBe(old?.serialNumber);
      expect(renewed?.subjectAltName).toBe(old?.subjectAltName);
      expect((await read(folder, 'server-key.pem')) === (await read(shared, 'server-key.pem'))).toBe(!rekey);
      expect(after.clientTrust.listNumber).toBe(before.clientTrust.listNumber + 1n);
      expect(await modeOf(folder, 'server-key.pem')).toBe('600');
      expect(await modeOf(folder, 'server-ca-key.pem')).toBe('400');
      expect(await modeOf(folder, '.')).toBe('700');
      await assertStrict(folder);
    },
  );

  test('works after everything has expired but the authorities', async () => {
    const folder = await certificateFolder(['inv.example.com'], Date.now() - 200 * day);
    await expect(loadServerCertificates(folder)).rejects.toMatchObject({
      message: expect.stringContaining('server.pem expired on'),
      details: { hint: expect.stringContaining('npm run gen-certs -- renew ') },
    });
    await renewServer(folder);
    await loadServerCertificates(folder);
    expect((await certificateIn(folder, 'server.pem')).checkHost('inv.example.com')).toBe('inv.example.com');
  });

  test('does what the keys of the authorities that are there allow, and says what it left', async () => {
    const folder = await copyFolder(shared);
    await rm(join(folder, 'server-ca-key.pem'));
    const server = await read(folder, 'server.pem');
    expect(await renewServer(folder)).toEqual({
      made: ['client-crl.pem'],
      left: [{ file: 'server.pem', authorityKeyFile: 'server-ca-key.pem' }],
    });
    expect(await read(folder, 'server.pem')).toBe(server);
    await rm(join(folder, 'client-ca-key.pem'));
    await expect(renewServer(folder)).rejects.toThrow('server-ca-key.pem is missing');
  });

  test('writes nothing when any part of it is refused', async () => {
    const folder = await copyFolder(shared);
    const server = await read(folder, 'server.pem');
    await writeFile(join(folder, 'client-crl.pem'), 'hello');
    await expect(renewServer(folder)).rejects.toThrow('client-crl.pem is not a PEM file');
    expect(await read(folder, 'server.pem')).toBe(server);
    const none = await newFolder();
    await expect(renewServer(none)).rejects.toMatchObject({ details: { hint: expect.stringContaining('First run') } });
    await expect(readdir(none)).rejects.toThrow('ENOENT');
  });

  test('refuses a key that is not the certificate’s, and --rekey replaces it', async () => {
    const folder = await copyFolder(shared);
    await writeFile(join(folder, 'server-key.pem'), await read(folder, 'clerk1-key.pem'));
    await expect(renewServer(folder)).rejects.toMatchObject({
      message: `${join(folder, 'server-key.pem')} does not belong to server.pem.`,
      details: { hint: expect.stringContaining('renew --rekey') },
    });
    await renewServer(folder, true);
    await assertStrict(folder);
  });

  test('by itself keeps the key, so that one file changes', async () => {
    const folder = await copyFolder(shared);
    expect(await renewServerCertificate(folder, Date.now() + 61 * day)).toBe(true);
    expect(await read(folder, 'server-key.pem')).toBe(await read(shared, 'server-key.pem'));
    expect(await read(folder, 'client-crl.pem')).toBe(await read(shared, 'client-crl.pem'));
    const { validToDate } = await certificateIn(folder, 'server.pem');
    expect(validToDate.getTime() - Date.now()).toBeGreaterThan(150 * day);
  });

  test.each([false, true])('is taken up by a server that runs (rekey: %s)', async (rekey) => {
    const server = await startServer();
    const served = async () => {
      const client = await WireClient.open(server);
      const { raw } = client.socket.getPeerCertificate();
      client.socket.destroy();
      return new X509Certificate(raw);
    };
    const before = await served();
    await renewServer(server.certs, rekey);
    await server.reload();
    const after = await served();
    expect(after.serialNumber).not.toBe(before.serialNumber);
    expect(after.publicKey.equals(before.publicKey)).toBe(!rekey);
  });
});

describe('renewing a client', () => {
  test.each([false, true])('issues a new certificate that holds (rekey: %s)', async (rekey) => {
    const folder = await copyFolder(shared);
    const old = await certificateIn(folder, 'clerk1.pem');
    const renewed = await renewClientCertificate(folder, 'clerk1', rekey);
    expect(renewed).toMatchObject({ key: rekey ? 'new' : 'kept', replaced: { serial: old.serialNumber } });
    const certificate = await certificateIn(folder, 'clerk1.pem');
    expect(certificate.serialNumber).toBe(renewed.serial);
    expect(certificate.publicKey.equals(old.publicKey)).toBe(!rekey);
    expect((await read(folder, 'clerk1-key.pem')) === (await read(shared, 'clerk1-key.pem'))).toBe(!rekey);
    expect(await modeOf(folder, 'clerk1-key.pem')).toBe('600');
    await assertStrict(folder);
  });

  test('needs no key of the user, who may have taken it away', async () => {
    const folder = await copyFolder(shared);
    await rm(join(folder, 'clerk1-key.pem'));
    expect(await renewClientCertificate(folder, 'clerk1')).toMatchObject({ key: 'elsewhere' });
    expect(await readdir(folder)).not.toContain('clerk1-key.pem');
    await writeFile(join(folder, 'clerk1-key.pem'), await read(shared, 'clerk1-key.pem'));
    const { text } = await openssl(folder, 'pkey', '-in', 'clerk1-key.pem', '-pubout');
    expect((await certificateIn(folder, 'clerk1.pem')).publicKey.export({ type: 'spki', format: 'pem' })).toBe(text);
    await assertStrict(folder);
  });

  test('does not bring a revoked key back', async () => {
    const folder = await copyFolder(shared);
    await revoke(folder, 'clerk1');
    await expect(renewClientCertificate(folder, 'clerk1')).rejects.toMatchObject({
      message: `${join(folder, 'clerk1.pem')} is revoked, and so is not renewed with its key.`,
      details: { hint: expect.stringContaining('renew clerk1 --rekey') },
    });
    await renewClientCertificate(folder, 'clerk1', true);
    await assertStrict(folder);
  });

  test('refuses who has none, another user’s certificate and a key that is another’s', async () => {
    const folder = await copyFolder(shared);
    await expect(renewClientCertificate(folder, 'clerk2')).rejects.toMatchObject({
      message: `${join(folder, 'clerk2.pem')} is missing.`,
      details: { hint: expect.stringContaining('client clerk2') },
    });
    await writeFile(join(folder, 'clerk2.pem'), await read(folder, 'clerk1.pem'));
    await expect(renewClientCertificate(folder, 'clerk2', true)).rejects.toThrow(
      'not a certificate of the user clerk2',
    );
    await writeFile(join(folder, 'clerk1-key.pem'), await read(folder, 'server-key.pem'));
    await expect(renewClientCertificate(folder, 'clerk1')).rejects.toThrow('does not belong to clerk1.pem');
    await expect(renewClientCertificate(folder, 'server')).rejects.toThrow('cannot be called');
  });
});

describe('a certificate for a public key alone', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  test('is what openssl takes, also for a key in its compressed form', async () => {
    const folder = await copyFolder(shared);
    const authority = await loadAuthority(folder, 'client', Date.now());
    const point = publicKey.export({ type: 'spki', format: 'der' }).subarray(-65);
    const compressed = ECDH.convertKey(point, 'prime256v1', undefined, undefined, 'compressed');
    const head = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex');
    const der = Buffer.concat([head, Buffer.from(compressed)]);
    const sent = createPublicKey({ key: der, type: 'spki', format: 'der' });
    for (const key of [publicKey, sent]) {
      const certificate = issueClientCertificate(authority, 'clerk1', key, Date.now());
      expect(certificate.publicKey.equals(publicKey)).toBe(true);
      await writeFile(join(folder, 'clerk1.pem'), formatCertificate(certificate));
      await assertStrict(folder);
    }
  });

  test.each([
    ['rsa', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ec secp384r1', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['ec secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['ed25519', generateKeyPairSync('ed25519')],
  ])('is refused for a key of the kind %s', async (kind, pair) => {
    const authority = await loadAuthority(shared, 'client', Date.now());
    expect(() => issueClientCertificate(authority, 'clerk1', pair.publicKey, Date.now())).toThrow(
      expect.objectContaining({
        code: 'bad-params',
        message: `A certificate is not made for a key of the kind ${kind}.`,
      }),
    );
  });
});
