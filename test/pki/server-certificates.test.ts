import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadServerCertificates } from '../../src/pki/server-certificates.ts';
import { certificateFolder, copyFolder, day } from './folder.ts';

const good = await certificateFolder();
const other = await certificateFolder();

const needed = ['server-ca.pem', 'server.pem', 'server-key.pem', 'client-ca.pem', 'client-crl.pem'];

async function refusal(damage: (folder: string) => Promise<unknown>, now?: number) {
  const folder = await copyFolder(good);
  await damage(folder);
  const error = await loadServerCertificates(folder, now).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'Failure', code: 'bad-params', details: { hint: expect.any(String) } });
  return error instanceof Error ? error.message.replace(`${folder}/`, '') : '';
}

async function shorten(path: string, part: number): Promise<void> {
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.slice(0, Math.floor(text.length * part)));
}

test('a complete folder gives all that a TLS server needs', async () => {
  const loaded = await loadServerCertificates(good);
  expect(loaded.key).toBe(await readFile(join(good, 'server-key.pem'), 'utf8'));
  expect(loaded.cert).toBe(await readFile(join(good, 'server.pem'), 'utf8'));
  expect(loaded.clientAuthority).toBe(await readFile(join(good, 'client-ca.pem'), 'utf8'));
  expect(loaded.revocationList.trim()).toBe((await readFile(join(good, 'client-crl.pem'), 'utf8')).trim());
});

describe.each(needed)('%s', (file) => {
  test('is named when it is missing', async () => {
    expect(await refusal((folder) => rm(join(folder, file)))).toBe(`${file} is missing.`);
  });

  test('is named when it cannot be read', async () => {
    const damage = async (folder: string) => {
      await rm(join(folder, file));
      await mkdir(join(folder, file));
    };
    expect(await refusal(damage)).toBe(`${file} is a folder, not a file.`);
  });

  test('is named when it is empty, half written or something else', async () => {
    expect(await refusal((folder) => writeFile(join(folder, file), ''))).toBe(`${file} is empty.`);
    expect(await refusal((folder) => shorten(join(folder, file), 0.4))).toBe(
      `${file} is cut off: it was written by half.`,
    );
    expect(await refusal((folder) => writeFile(join(folder, file), 'hello'))).toBe(`${file} is not a PEM file.`);
    const damage = (folder: string) =>
      cp(join(folder, file.includes('key') ? 'server.pem' : 'server-key.pem'), join(folder, file));
    expect(await refusal(damage)).toBe(`${file} holds something else than it should.`);
  });

  test('is named when its content is damaged', async () => {
    const damage = async (folder: string) => {
      const text = await readFile(join(folder, file), 'utf8');
      await writeFile(join(folder, file), text.replace(/\nM[^\n]{30}/, '\nAAAA'));
    };
    expect(await refusal(damage)).toMatch(new RegExp(`^${file} (holds a damaged|is damaged)`));
  });
});

describe('a folder whose files do not belong together', () => {
  const fromOther =
    (...names: string[]) =>
    async (folder: string) => {
      for (const name of names) await cp(join(other, name), join(folder, name));
    };

  test.each([
    [['server-key.pem'], 'server-key.pem does not belong to server.pem.'],
    [['server.pem', 'server-key.pem'], 'server.pem is not signed by server-ca.pem.'],
    [['client-crl.pem'], 'client-crl.pem is not signed by client-ca.pem.'],
    [['client-ca.pem'], 'client-crl.pem is not signed by client-ca.pem.'],
  ])('with %j of another one is refused', async (names, message) => {
    expect(await refusal(fromOther(...names))).toBe(message);
  });

  test('with a leaf in the place of an authority is refused', async () => {
    const damage = (folder: string) => cp(join(folder, 'server.pem'), join(folder, 'client-ca.pem'));
    expect(await refusal(damage)).toBe('client-ca.pem is not the certificate of an authority.');
  });

  test('with the server certificate alone is refused, because a first contact looks for the authority', async () => {
    const damage = async (folder: string) => {
      const [leaf = ''] = (await readFile(join(folder, 'server.pem'), 'utf8')).split(
        /(?<=-----END CERTIFICATE-----\n)/,
      );
      await writeFile(join(folder, 'server.pem'), leaf);
    };
    expect(await refusal(damage)).toBe("server.pem lacks server-ca.pem after the server's own certificate.");
  });
});

describe('time', () => {
  const nothing = async () => undefined;

  test('an expired file is named with the moment it ended', async () => {
    expect(await refusal(nothing, Date.now() + 31 * day)).toMatch(
      /^client-crl\.pem expired on \d{4}-\d\d-\d\d \d\d:\d\d UTC\.$/,
    );
    expect(await refusal(nothing, Date.now() + 91 * day)).toMatch(/^server\.pem expired on /);
    expect(await refusal(nothing, Date.now() + 3651 * day)).toMatch(/^server-ca\.pem expired on /);
  });

  test('a file from the future is named', async () => {
    expect(await refusal(nothing, Date.now() - day)).toMatch(/^server-ca\.pem is not valid before /);
  });
});
