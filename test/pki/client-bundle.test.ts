import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { makeClientBundle } from '../../src/pki/client-bundle.ts';
import { makeClientCertificate, renewClientCertificate } from '../../src/pki/client-certificate.ts';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { certificateFolder, copyFolder, day, openssl } from './folder.ts';

const shared = await certificateFolder();
await makeClientCertificate(shared, 'clerk1');
const password = 'seven green bottles "\\ ~';

const read = (folder: string, file: string) => readFile(join(folder, file), 'utf8');

/** What openssl finds in the file, keys without encryption. */
const open = (folder: string, given = password) =>
  openssl(folder, 'pkcs12', '-in', 'clerk1.p12', '-passin', `pass:${given}`, '-nodes', '-info');

describe('a PKCS #12 file', () => {
  test('holds the key, the certificate and the authority, as openssl reads it, and only its owner does', async () => {
    const folder = await copyFolder(shared);
    expect(await makeClientBundle(folder, 'clerk1', password)).toBe('clerk1.p12');
    expect((await stat(join(folder, 'clerk1.p12'))).mode & 0o777).toBe(0o600);
    const { status, text } = await open(folder);
    expect(status).toBe(0);
    expect(text).toContain('MAC: sha256, Iteration 2048');
    expect(text).toMatch(/MAC length: 32, salt length: 8\n/);
    expect(text).toContain('Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 2048, PRF hmacWithSHA256');
    const names = text.matchAll(/friendlyName: (.*)/g);
    expect([...names].map(([, name]) => name)).toEqual(['clerk1', 'clerk1']);
    expect(new Set([...text.matchAll(/localKeyID: (.*)/g)].map(([, id]) => id)).size).toBe(1);
    const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
    const files = [await read(folder, 'clerk1.pem'), await read(folder, 'client-ca.pem')];
    expect(found.map((pem) => new X509Certificate(pem).serialNumber)).toEqual(
      files.map((pem) => new X509Certificate(pem).serialNumber),
    );
    const [key = ''] = text.match(/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/) ?? [];
    expect(createPrivateKey(key).equals(createPrivateKey(await read(folder, 'clerk1-key.pem')))).toBe(true);
    createSecureContext({ pfx: await readFile(join(folder, 'clerk1.p12')), passphrase: password });
  });

  test('opens with no other password, and not after a change', async () => {
    const folder = await copyFolder(shared);
    await makeClientBundle(folder, 'clerk1', password);
    expect((await open(folder, `${password}!`)).text).toContain('Mac verify error');
    const file = join(folder, 'clerk1.p12');
    const bytes = await readFile(file);
    const at = bytes.indexOf(Buffer.from('secure-inv client authority'));
    bytes[at] = 0x53;
    await writeFile(file, bytes);
    expect((await open(folder)).text).toContain('Mac verify error');
  });

  test.each([
    ['eleven char', 'has fewer than 12 characters'],
    ['x'.repeat(257), 'has more than 256 characters'],
    ['sieben grüne Flaschen', 'has characters that not every program reads alike; take those of ASCII'],
    ['twelve chars\t', 'has characters that not every program reads alike; take those of ASCII'],
  ])('is not made with the password %j, which no message repeats', async (weak, problem) => {
    const before = await readdir(shared);
    await expect(makeClientBundle(shared, 'clerk1', weak)).rejects.toMatchObject({
      code: 'bad-params',
      message: `The password ${problem}.`,
      details: { hint: expect.not.stringContaining(weak) },
    });
    expect(await readdir(shared)).toEqual(before);
  });

  test('is made anew from what there is, and is not what the certificate was before', async () => {
    const folder = await copyFolder(shared);
    await makeClientBundle(folder, 'clerk1', password);
    const renewed = await renewClientCertificate(folder, 'clerk1');
    expect(renewed.staleBundleFile).toBe('clerk1.p12');
    await makeClientBundle(folder, 'clerk1', 'another password');
    expect((await open(folder, 'another password')).status).toBe(0);
    const { text } = await openssl(
      folder,
      'pkcs12',
      '-in',
      'clerk1.p12',
      '-passin',
      'pass:another password',
      '-nokeys',
    );
    expect(new X509Certificate(text.slice(text.indexOf('-----BEGIN'))).serialNumber).toBe(renewed.serial);
  });

  test('is not made of what is missing, mixed up or no longer good', async () => {
    const make = (folder: string, now?: number) => makeClientBundle(folder, 'clerk1', password, now);
    const folder = await copyFolder(shared);
    await expect(make(folder, Date.now() + 31 * day)).rejects.toMatchObject({
      message: `${join(folder, 'clerk1.pem')} has expired.`,
      details: { hint: expect.stringContaining('renew clerk1') },
    });
    const mixed = await copyFolder(shared);
    await writeFile(join(mixed, 'clerk1-key.pem'), await read(mixed, 'server-key.pem'));
    await expect(make(mixed)).rejects.toThrow('does not belong to clerk1.pem');
    const foreign = await copyFolder(shared);
    await makeServerCertificates(foreign, { hosts: [], force: true, newAuthority: true });
    await expect(make(foreign)).rejects.toThrow('was not issued by the client authority that is here');
    await revoke(folder, 'clerk1');
    await expect(make(folder)).rejects.toThrow('clerk1.pem is revoked');
    const keyless = await copyFolder(shared);
    await rm(join(keyless, 'clerk1-key.pem'));
    await expect(make(keyless)).rejects.toThrow('clerk1-key.pem is missing');
    for (const one of [folder, mixed, foreign, keyless]) expect(await readdir(one)).not.toContain('clerk1.p12');
    await expect(makeClientBundle(shared, 'server-ca', password)).rejects.toThrow('cannot be called');
  });
});
