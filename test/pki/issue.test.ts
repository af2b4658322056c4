import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatCertificate,
  formatFingerprint,
  issueAuthority,
  issueServerCertificate,
  newKey,
} from '../../src/pki/certificate.ts';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { parseHosts } from '../../src/pki/host.ts';
import { ensureCertificates, makeServerCertificates } from '../../src/pki/issue.ts';
import { loadServerCertificates } from '../../src/pki/server-certificates.ts';
import { certificateFolder, copyFolder, day, newFolder, openssl } from './folder.ts';

async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')])),
  );
}

const complete = await certificateFolder(['inv.example.com', '192.0.2.7']);

describe('what is made', () => {
  test('openssl accepts every certificate under its strictest rules, for its purpose and no other', async () => {
    const folder = await copyFolder(complete);
    await makeClientCertificate(folder, 'clerk1');
    const verify = (...words: string[]) => openssl(folder, 'verify', '-x509_strict', ...words);
    const server = ['-CAfile', 'server-ca.pem', '-purpose', 'sslserver'];
    const client = ['-CAfile', 'client-ca.pem', '-CRLfile', 'client-crl.pem', '-crl_check', '-purpose', 'sslclient'];
    expect(await verify(...server, 'server.pem')).toMatchObject({ status: 0 });
    expect(await verify(...client, 'clerk1.pem')).toMatchObject({ status: 0 });
    expect(await verify('-CAfile', 'server-ca.pem', '-check_ss_sig', 'server-ca.pem')).toMatchObject({ status: 0 });
    expect(await verify('-CAfile', 'client-ca.pem', '-check_ss_sig', 'client-ca.pem')).toMatchObject({ status: 0 });
    expect((await verify('-CAfile', 'server-ca.pem', '-purpose', 'sslclient', 'server.pem')).status).not.toBe(0);
    expect((await verify('-CAfile', 'client-ca.pem', '-purpose', 'sslserver', 'clerk1.pem')).status).not.toBe(0);
    expect((await verify('-CAfile', 'server-ca.pem', 'clerk1.pem')).status).not.toBe(0);
    const list = await openssl(folder, 'crl', '-in', 'client-crl.pem', '-noout', '-verify', '-CAfile', 'client-ca.pem');
    expect(list.text).toContain('verify OK');
  });

  test('has the hosts, lifetimes, serials and key that the design fixes', async () => {
    const server = new X509Certificate(await readFile(join(complete, 'server.pem')));
    const authority = new X509Certificate(await readFile(join(complete, 'server-ca.pem')));
    expect(server.subjectAltName).toBe(
      'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:inv.example.com, IP Address:192.0.2.7',
    );
    const days = (certificate: X509Certificate) =>
      (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / day;
    expect([days(server), days(authority)]).toEqual([90, 3650]);
    expect(Date.now() - server.validFromDate.getTime()).toBeGreaterThanOrEqual(60_000);
    expect(server.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    expect(server.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    const text = (await openssl(complete, 'x509', '-in', 'server-ca.pem', '-noout', '-text')).text;
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/);
    expect(text).toContain('ecdsa-with-SHA256');
  });

  test('no certificate outlives its authority', () => {
    const made = Date.now();
    const authority = issueAuthority('server', made);
    const late = made + 3640 * day;
    const certificate = issueServerCertificate(authority, parseHosts([]), newKey(), late);
    expect(certificate.validTo).toBe(authority.certificate.validTo);
  });

  test('a certificate that ends after 2049 is written as RFC 5280 demands', async () => {
    const folder = await certificateFolder([], Date.UTC(2045, 0, 1));
    const words = [
      'verify',
      '-x509_strict',
      '-attime',
      String(Date.UTC(2045, 0, 2) / 1000),
      '-CAfile',
      'server-ca.pem',
    ];
    expect(await openssl(folder, ...words, 'server.pem')).toMatchObject({ status: 0 });
    const authority = new X509Certificate(await readFile(join(folder, 'server-ca.pem')));
    expect(authority.validToDate.getUTCFullYear()).toBe(2054);
  });

  test('a fingerprint reads as openssl prints it', async () => {
    const { authority, fingerprint } = await loadServerCertificates(complete);
    const { text } = await openssl(complete, 'x509', '-in', 'server-ca.pem', '-noout', '-fingerprint', '-sha256');
    expect(text.trim().split('=')[1]).toBe(fingerprint);
    expect(formatFingerprint(authority.raw)).toBe(authority.fingerprint256);
  });

  test('only the owner can read keys, and nobody writes the keys of authorities', async () => {
    const mode = async (file: string) => ((await stat(join(complete, file))).mode & 0o777).toString(8);
    expect(await mode('.')).toBe('700');
    expect(await mode('server-key.pem')).toBe('600');
    expect(await mode('server-ca-key.pem')).toBe('400');
    expect(await mode('client-ca-key.pem')).toBe('400');
    expect((await readdir(complete)).filter((file) => file.startsWith('.'))).toEqual([]);
  });

  test('any list of valid hosts makes a certificate that is good for each of them', () => {
    const authority = issueAuthority('server', Date.now());
    const hosts = fc.array(fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()), { maxLength: 8 });
    fc.assert(
      fc.property(hosts, (texts) => {
        const certificate = issueServerCertificate(authority, parseHosts(texts), newKey(), Date.now());
        expect(new X509Certificate(formatCertificate(certificate)).verify(authority.certificate.publicKey)).toBe(true);
        for (const { name, address } of parseHosts(texts)) {
          expect(address ? certificate.checkIP(name) : certificate.checkHost(name, { subject: 'never' })).toBe(name);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('what exists', () => {
  test('a first start makes everything, a second nothing', async () => {
    const folder = await newFolder();
    expect(await ensureCertificates(folder, ['inv.example.com'])).toEqual({ created: true });
    const before = await contents(folder);
    expect(await ensureCertificates(folder, ['inv.example.com'])).toEqual({ created: false });
    expect(await makeServerCertificates(folder, { hosts: ['inv.example.com'] })).toEqual([]);
    expect(await contents(folder)).toEqual(before);
  });

  test('two first starts at once end with one set that belongs together', async () => {
    const folder = await newFolder();
    const results = await Promise.all([ensureCertificates(folder, []), ensureCertificates(folder, [])]);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    await loadServerCertificates(folder);
  });

  test('a start without one of the files says which is missing, and replaces nothing', async () => {
    for (const file of ['server-ca.pem', 'server.pem', 'server-key.pem', 'client-ca.pem', 'client-crl.pem']) {
      const folder = await copyFolder(complete);
      await rm(join(folder, file));
      const before = await contents(folder);
      await expect(ensureCertificates(folder, [])).rejects.toMatchObject({
        code: 'bad-params',
        message: `${join(folder, file)} is missing.`,
        details: { hint: expect.stringContaining(`npm run gen-certs -- --force`) },
      });
      expect(await contents(folder)).toEqual(before);
    }
  });

  test('the keys of the authorities may be taken away', async () => {
    const folder = await copyFolder(complete);
    await rm(join(folder, 'server-ca-key.pem'));
    await rm(join(folder, 'client-ca-key.pem'));
    expect(await ensureCertificates(folder, [])).toEqual({ created: false });
    expect(await makeServerCertificates(folder, { hosts: [] })).toEqual([]);
    await loadServerCertificates(folder);
    await expect(makeServerCertificates(folder, { hosts: [], force: true })).rejects.toThrow(
      /server-ca-key\.pem is missing/,
    );
  });

  test('what is missing is made when nothing has to be replaced for it', async () => {
    const folder = await copyFolder(complete);
    await rm(join(folder, 'server.pem'));
    await rm(join(folder, 'server-key.pem'));
    expect(await makeServerCertificates(folder, { hosts: [] })).toEqual(['server-key.pem', 'server.pem']);
    await loadServerCertificates(folder);
  });

  test('one more host is refused with the command that adds it, and added by that', async () => {
    const folder = await copyFolder(complete);
    const before = await contents(folder);
    await expect(makeServerCertificates(folder, { hosts: ['b.example.com'] })).rejects.toMatchObject({
      message: `${join(folder, 'server.pem')} is not for b.example.com, and is not replaced unasked.`,
      details: { hint: expect.stringContaining('-- --force --host b.example.com --folder') },
    });
    expect(await contents(folder)).toEqual(before);
    const made = await makeServerCertificates(folder, { hosts: ['b.example.com'], force: true });
    expect(made).toEqual(['server-key.pem', 'server.pem']);
    const { authority, cert } = await loadServerCertificates(folder);
    expect(authority.toString()).toBe(before['server-ca.pem']);
    expect(new X509Certificate(cert).subjectAltName).toMatch(/DNS:inv\.example\.com, .*DNS:b\.example\.com$/);
  });

  test('authorities are replaced only when that is said, and then both', async () => {
    const folder = await copyFolder(complete);
    const before = await contents(folder);
    await expect(makeServerCertificates(folder, { hosts: [], newAuthority: true })).rejects.toThrow(/--new-authority/);
    expect(await contents(folder)).toEqual(before);
    await makeServerCertificates(folder, { hosts: [], force: true, newAuthority: true });
    const after = await contents(folder);
    for (const file of Object.keys(before)) expect(after[file]).not.toBe(before[file]);
    await loadServerCertificates(folder);
  });

  test('a lost revocation list is not replaced by an empty one unless that is said', async () => {
    const folder = await copyFolder(complete);
    await rm(join(folder, 'client-crl.pem'));
    await expect(makeServerCertificates(folder, { hosts: [] })).rejects.toThrow(/client-crl\.pem is missing/);
    await expect(makeServerCertificates(folder, { hosts: [], force: true })).rejects.toThrow(/client-crl\.pem/);
    const order = { hosts: [], force: true, newRevocationList: true };
    expect(await makeServerCertificates(folder, order)).toEqual(['client-crl.pem']);
    await loadServerCertificates(folder);
  });

  test('a folder that others use for other things is left as it is', async () => {
    const folder = await newFolder();
    await mkdir(folder);
    await chmod(folder, 0o755);
    await writeFile(join(folder, 'notes.txt'), 'mine');
    await expect(ensureCertificates(folder, [])).rejects.toThrow(/holds other files, such as notes\.txt/);
    expect((await stat(folder)).mode & 0o777).toBe(0o755);
  });

  test('a folder that cannot be made is named', async () => {
    const file = join(complete, 'server.pem');
    await expect(ensureCertificates(join(file, 'certs'), [])).rejects.toMatchObject({
      code: 'bad-params',
      message: expect.stringContaining(`${join(file, 'certs')} cannot be`),
    });
  });

  test('every key is a P-256 key in PKCS #8', async () => {
    for (const [file, text] of Object.entries(await contents(complete))) {
      if (!file.endsWith('-key.pem')) continue;
      expect(text).toMatch(/^-----BEGIN PRIVATE KEY-----/);
      expect(createPrivateKey(text).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    }
  });
});
