import { appendFile, chmod, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeClientCertificate, renewClientCertificate } from '../../src/pki/client-certificate.ts';
import { changeFolder } from '../../src/pki/folder.ts';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { listIssued, recordIssued } from '../../src/pki/issued.ts';
import { listCertificates } from '../../src/pki/listing.ts';
import { certificateFolder, copyFolder, day } from './folder.ts';

const shared = await certificateFolder();
const first = { serial: `41${'0'.repeat(30)}`, user: 'clerk1', expiresAt: Date.UTC(2030, 0, 1) };
const second = { serial: `7F${'A'.repeat(30)}`, user: 'clerk2', expiresAt: Date.UTC(2031, 0, 1) };
const third = { ...second, serial: `42${'B'.repeat(30)}` };

async function recordOf(...issued: (typeof first)[]) {
  const folder = await copyFolder(shared);
  for (const one of issued) await changeFolder(folder, () => recordIssued(folder, one));
  return { folder, file: join(folder, 'client-issued.jsonl') };
}

describe('the record of issued client certificates', () => {
  test('is empty in a folder that has none', async () => {
    expect(await listIssued(shared)).toEqual([]);
  });

  test('has one JSON line for each, which only the owner reads', async () => {
    const { folder, file } = await recordOf(first, second);
    expect(await listIssued(folder)).toEqual([first, second]);
    const [line = ''] = (await readFile(file, 'utf8')).split('\n');
    expect(JSON.parse(line)).toEqual({ serial: first.serial, user: 'clerk1', notAfter: '2030-01-01T00:00:00.000Z' });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await chmod(file, 0o644);
    await changeFolder(folder, () => recordIssued(folder, third));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('has every certificate that is made, replaced and renewed', async () => {
    const folder = await copyFolder(shared);
    const serials = [
      await makeClientCertificate(folder, 'clerk1'),
      await makeClientCertificate(folder, 'clerk1', true),
      await renewClientCertificate(folder, 'clerk1'),
      await renewClientCertificate(folder, 'clerk1', true),
      await makeClientCertificate(folder, 'clerk2'),
    ].map(({ serial, expiresAt }) => ({ serial, expiresAt }));
    const issued = await listIssued(folder);
    expect(issued.map(({ serial, expiresAt }) => ({ serial, expiresAt }))).toEqual(serials);
    expect(issued.map(({ user }) => user)).toEqual(['clerk1', 'clerk1', 'clerk1', 'clerk1', 'clerk2']);
    await expect(makeClientCertificate(folder, 'clerk1')).rejects.toThrow('exists already');
    expect(await listIssued(folder)).toHaveLength(5);
  });

  test('loses, cut off anywhere in its last line, only that line, and goes on after it', async () => {
    const { file, folder } = await recordOf(first, second);
    const whole = await readFile(file);
    const start = whole.indexOf('\n') + 1;
    for (let end = start; end < whole.length - 1; end += 1) {
      await writeFile(file, whole.subarray(0, end));
      expect(await listIssued(folder)).toEqual([first]);
      await changeFolder(folder, () => recordIssued(folder, third));
      expect(await listIssued(folder)).toEqual([first, third]);
    }
    await writeFile(file, whole);
    await truncate(file, whole.length - 1); // Only the newline is missing.
    await changeFolder(folder, () => recordIssued(folder, third));
    expect(await listIssued(folder)).toEqual([first, second, third]);
  });

  test('goes on after zeros, which a power cut may leave', async () => {
    const { file, folder } = await recordOf(first);
    await appendFile(file, Buffer.alloc(100));
    expect(await listIssued(folder)).toEqual([first]);
    await changeFolder(folder, () => recordIssued(folder, third));
    expect(await listIssued(folder)).toEqual([first, third]);
  });

  test.each([
    'hello',
    '',
    '{}',
    'null',
    JSON.stringify({ serial: '41', user: 'clerk1', notAfter: '2030-01-01T00:00:00.000Z' }),
    JSON.stringify({ serial: first.serial, user: '../x', notAfter: '2030-01-01T00:00:00.000Z' }),
    JSON.stringify({ serial: first.serial, user: 'clerk1', notAfter: '2030-13-01T00:00:00.000Z' }),
    JSON.stringify({ serial: first.serial, user: 'clerk1', notAfter: 'soon' }),
  ])('with the line %j before others is refused by its number, and still listed around', async (line) => {
    const { folder, file } = await recordOf(first);
    await appendFile(file, `${line}\n`);
    await appendFile(file, (await readFile(file, 'utf8')).split('\n')[0] ?? '');
    const message = `${file} is damaged in line 2.`;
    await expect(listIssued(folder)).rejects.toMatchObject({ code: 'bad-params', message });
    const rows = await listCertificates(folder);
    expect(rows.map((row) => row.state)).toEqual(['valid', 'valid', 'valid', 'valid', 'unreadable']);
    expect(rows.at(-1)).toMatchObject({ file: 'client-issued.jsonl', problem: message });
  });

  test('is begun anew with new authorities: what the old ones issued is void', async () => {
    const { folder, file } = await recordOf(first);
    await makeServerCertificates(folder, { hosts: [], force: true });
    expect(await listIssued(folder)).toEqual([first]);
    await makeServerCertificates(folder, { hosts: [], force: true, newAuthority: true });
    expect(await listIssued(folder)).toEqual([]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
});

test('the list of what there is ends with what was issued, is in no file and has not expired', async () => {
  const folder = await copyFolder(shared);
  const old = await makeClientCertificate(folder, 'clerk1');
  const now = await makeClientCertificate(folder, 'clerk1', true);
  const clients = async (at?: number) =>
    (await listCertificates(folder, at))
      .filter(({ purpose }) => purpose === 'client')
      .map(({ file, subject, serial, state, daysLeft }) => ({ file, subject, serial, state, daysLeft }));
  const row = { subject: 'CN=clerk1', state: 'valid', daysLeft: 29 };
  expect(await clients()).toEqual([
    { ...row, file: 'clerk1.pem', serial: now.serial },
    { ...row, file: '-', serial: old.serial },
  ]);
  expect(await clients(Date.now() + 31 * day)).toMatchObject([{ file: 'clerk1.pem', state: 'expired', daysLeft: 0 }]);
});
