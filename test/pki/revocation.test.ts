import { appendFile, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadAuthority } from '../../src/pki/authority.ts';
import { readRevocationList } from '../../src/pki/certificate-file.ts';
import { makeClientCertificate, renewClientCertificate } from '../../src/pki/client-certificate.ts';
import { listCertificates } from '../../src/pki/listing.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { certificateFolder, copyFolder, day, openssl } from './folder.ts';

const shared = await certificateFolder();

async function readList(folder: string) {
  return readRevocationList(folder, (await loadAuthority(folder, 'client', Date.now())).certificate);
}

/** A folder with three certificates of one user, of which one is in a file, and one of another. */
async function folderWithThree() {
  const folder = await copyFolder(shared);
  const first = await makeClientCertificate(folder, 'clerk1');
  const pem = await readFile(join(folder, 'clerk1.pem'), 'utf8');
  const second = await makeClientCertificate(folder, 'clerk1', true);
  const third = await renewClientCertificate(folder, 'clerk1');
  await makeClientCertificate(folder, 'clerk2');
  return { folder, firstPem: pem, serials: [first, second, third].map(({ serial }) => serial) };
}

describe('revoking a user by name', () => {
  test('takes back every certificate that was ever made for them, in one new list that openssl takes', async () => {
    const { folder, firstPem, serials } = await folderWithThree();
    const before = await readList(folder);
    const { user, revocations } = await revoke(folder, 'clerk1');
    expect(user).toBe('clerk1');
    expect(revocations.map(({ serial, isNew }) => ({ serial, isNew }))).toEqual(
      serials.map((serial) => ({ serial, isNew: true })),
    );
    const after = await readList(folder);
    expect(after.number).toBe(before.number + 1n);
    expect(after.revocations.map(({ serial }) => serial)).toEqual(serials);

    await writeFile(join(folder, 'first.pem'), firstPem);
    const words = ['verify', '-x509_strict', '-CAfile', 'client-ca.pem', '-CRLfile', 'client-crl.pem', '-crl_check'];
    expect((await openssl(folder, ...words, 'first.pem')).text).toContain('certificate revoked');
    expect((await openssl(folder, ...words, 'clerk1.pem')).text).toContain('certificate revoked');
    expect(await openssl(folder, ...words, 'clerk2.pem')).toMatchObject({ status: 0 });
    const check = ['crl', '-in', 'client-crl.pem', '-noout', '-verify', '-CAfile', 'client-ca.pem', '-text'];
    const { text } = await openssl(folder, ...check);
    expect(text).toContain('verify OK');
    for (const serial of serials) expect(text).toContain(`Serial Number: ${serial}`);
    const states = (await listCertificates(folder)).filter(({ subject }) => subject === 'CN=clerk1');
    expect(states.map(({ state }) => state)).toEqual(['revoked', 'revoked', 'revoked']);
  });

  test('leaves what was revoked before with its date, and makes no new list when nothing is new', async () => {
    const { folder, serials } = await folderWithThree();
    const [first = ''] = serials;
    const earlier = Math.floor(Date.now() / 1000) * 1000; // A list has no milliseconds.
    await revoke(folder, first, earlier);
    const { revocations } = await revoke(folder, 'clerk1', earlier + 2 * day);
    expect(revocations.map(({ isNew }) => isNew)).toEqual([false, true, true]);
    expect(revocations[0]).toEqual({ serial: first, at: earlier, isNew: false });
    expect((await readList(folder)).revocations[0]).toEqual({ serial: first, at: earlier });
    const file = join(folder, 'client-crl.pem');
    const { ino } = await stat(file);
    expect((await revoke(folder, 'clerk1')).revocations.map(({ isNew }) => isNew)).toEqual([false, false, false]);
    expect((await stat(file)).ino).toBe(ino);
  });

  test('finds the files of a folder from before there was a record, and the record when the files are gone', async () => {
    const folder = await copyFolder(shared);
    const { serial } = await makeClientCertificate(folder, 'clerk1');
    const withoutRecord = await copyFolder(folder);
    await rm(join(withoutRecord, 'client-issued.jsonl'));
    expect((await revoke(withoutRecord, 'clerk1')).revocations).toMatchObject([{ serial, isNew: true }]);
    await rm(join(folder, 'clerk1.pem'));
    await rm(join(folder, 'clerk1-key.pem'));
    expect((await revoke(folder, 'clerk1')).revocations).toMatchObject([{ serial, isNew: true }]);
  });

  test('is not stopped by a damaged file of theirs, but by a damaged record', async () => {
    const { folder, serials } = await folderWithThree();
    const file = join(folder, 'client-issued.jsonl');
    await writeFile(join(folder, 'clerk1.pem'), 'hello');
    expect((await revoke(folder, 'clerk1')).revocations.map(({ serial }) => serial)).toEqual(serials);
    await appendFile(file, `hello\n${await readFile(file, 'utf8')}`);
    await expect(revoke(folder, 'clerk2')).rejects.toThrow(`${file} is damaged in line 5.`);
    expect((await revoke(folder, serials[1] ?? '')).revocations).toMatchObject([{ isNew: false }]);
  });

  test('passes over what has expired', async () => {
    const longAgo = Date.now() - 40 * day;
    const old = await certificateFolder([], longAgo);
    await makeClientCertificate(old, 'clerk1', false, longAgo);
    const { serial } = await makeClientCertificate(old, 'clerk1', true);
    expect((await revoke(old, 'clerk1')).revocations.map((one) => one.serial)).toEqual([serial]);
    const folder = await copyFolder(shared);
    await makeClientCertificate(folder, 'clerk1');
    expect(await revoke(folder, 'clerk1', Date.now() + 31 * day)).toEqual({ user: 'clerk1', revocations: [] });
    await expect(revoke(folder, 'clerk2')).rejects.toMatchObject({ code: 'not-found' });
  });
});
