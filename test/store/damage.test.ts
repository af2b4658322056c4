import { copyFile, open, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { verifyStore } from '../../src/store/files.ts';
import { openStore } from '../../src/store/open.ts';
import { damageWarning, type Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../support/server.ts';
import { refusalOf } from './contract.ts';
import { intentOf, moveOf, note, sessionOf } from './intent.ts';

const frameBytes = 24 + 4096;
const frameAt = (frame: number) => 32 + (frame - 1) * frameBytes;

async function openAt(path: string): Promise<Store> {
  const store = await openStore(`sqlite:${path}`, { exclusive: true });
  onTestFinished(() => store.close());
  return store;
}

let template = '';
const cleanings: (() => Promise<void>)[] = [];

// Ten adds, each a commit of its own in the log: the files as a kill would have left them.
beforeAll(async () => {
  const folder = await temporaryFolder((clean) => cleanings.push(clean));
  const store = await openStore(`sqlite:${join(folder, 'inv.db')}`, { exclusive: true });
  await store.addUser(note, 'anna', 'clerk', null, 1);
  for (let n = 1; n <= 10; n++) await store.apply(intentOf('add', [['Soap', 1]], { note: `remark number ${n}` }), n);
  template = join(folder, 'killed.db');
  for (const end of ['', '-wal']) await copyFile(join(folder, `inv.db${end}`), `${template}${end}`);
  await store.close();
});

afterAll(async () => {
  for (const clean of cleanings) await clean();
});

/** A store of its own that was killed after ten adds. */
async function killedStore(): Promise<string> {
  const path = join(await temporaryFolder(), 'inv.db');
  for (const end of ['', '-wal']) await copyFile(`${template}${end}`, `${path}${end}`);
  return path;
}

async function flip(path: string, at: number, bit = 4): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8() ^ (1 << bit));
  await file.write(byte, 0, 1, at);
  await file.close();
}

async function framesOf(path: string): Promise<number> {
  return ((await stat(`${path}-wal`)).size - 32) / frameBytes;
}

test('a killed store has all that its log says', async () => {
  const path = await killedStore();
  expect((await (await openAt(path)).head()).size).toBe(10);
});

test.each(['page', 'checksum', 'salt', 'header'])(
  'a bit that flipped in the %s in the midst of the log is not passed over: the store is refused by name, and stays as it is',
  async (where) => {
    const path = await killedStore();
    const frame = Math.floor((await framesOf(path)) / 2);
    const at = { page: frameAt(frame) + 2000, checksum: frameAt(frame) + 17, salt: frameAt(frame) + 9, header: 25 };
    await flip(`${path}-wal`, at[where as keyof typeof at]); // One of the four above.
    const before = await readFile(`${path}-wal`);
    const failure = await refusalOf(openStore(`sqlite:${path}`, { exclusive: true }));
    const named = where === 'header' ? 'its header is not' : `frame ${frame} of ${await framesOf(path)} is not`;
    expect(failure).toMatchObject({
      code: 'storage',
      message: expect.stringContaining(`${path}-wal, is damaged: ${named}`),
    });
    expect(failure.details.hint).toContain('secure-invd restore');
    expect(await readFile(`${path}-wal`)).toEqual(before);
    await expect(verifyStore(`sqlite:${path}`, () => undefined)).rejects.toMatchObject({ code: 'storage' });
  },
);

test('a log whose end was torn off by a power cut opens with every commit before it', async () => {
  for (const lost of [1, 100, frameBytes - 1, frameBytes + 50]) {
    const path = await killedStore();
    await truncate(`${path}-wal`, (await stat(`${path}-wal`)).size - lost);
    expect((await (await openAt(path)).head()).size).toBe(9);
  }
  const path = await killedStore();
  await flip(`${path}-wal`, (await stat(`${path}-wal`)).size - 5);
  expect((await (await openAt(path)).head()).size).toBe(9);
});

test('frames of an older log behind the end are no damage', async () => {
  const path = await killedStore();
  const wal = await readFile(`${path}-wal`);
  const store = await openAt(path);
  await store.close();
  const again = await openAt(path);
  await again.apply(intentOf('add', [['Soap', 1]]), 20);
  const shorter = await readFile(`${path}-wal`);
  const folder = await temporaryFolder();
  const killed = join(folder, 'inv.db');
  await copyFile(path, killed);
  const file = await open(`${killed}-wal`, 'w');
  await file.write(Buffer.concat([shorter, wal.subarray(shorter.length)]));
  await file.close();
  expect((await (await openAt(killed)).head()).size).toBe(11);
});

test('a remark that flipped in the database turns the store read-only within seconds, and for every server to come until all is whole; logins go on', async () => {
  const path = await killedStore();
  await (await openAt(path)).close();
  const at = (await readFile(path)).indexOf('remark number 7');
  await flip(path, at, 0);
  await expect(verifyStore(`sqlite:${path}`, () => undefined)).rejects.toMatchObject({
    code: 'storage',
    message: 'Movement 7 is not what was written.',
  });
  const warned = vi.fn();
  process.on('warning', warned);
  onTestFinished(() => void process.off('warning', warned));
  const store = await openAt(path);
  const problem = 'The store is damaged and takes no more changes. Movement 7 is not what was written.';
  await expect.poll(() => store.health(), { timeout: 10_000 }).toEqual({ problem, lastBackupAt: null });
  const warning = { name: damageWarning, message: `${problem} Run: secure-invd ledger verify` };
  await vi.waitFor(() => expect(warned.mock.calls).toMatchObject([[warning]]));
  const refusal = await refusalOf(store.apply(intentOf('add', [['Soap', 1]]), 30));
  expect(refusal).toMatchObject({ code: 'storage', message: problem });
  expect((await store.history({ scope: null, limit: 20 })).movements).toHaveLength(10);
  await store.addSession(note, sessionOf('a', 1, 1), 9, 0);
  expect(await store.sessions(1)).toHaveLength(1);
  await store.close();

  const again = await openAt(path);
  expect(await refusalOf(again.apply(intentOf('add', [['Soap', 1]]), 31))).toMatchObject({ message: problem });
  expect(await again.health()).toEqual({ problem, lastBackupAt: null });
  await again.addSession(note, sessionOf('b', 1, 1), 9, 0);
  await again.close();
  const verify = () => verifyStore(`sqlite:${path}`, () => undefined);
  await expect(verify()).rejects.toMatchObject({ code: 'storage' });
  await flip(path, at, 0);
  const mended = 'Movement 7 is not what was written.';
  const third = await openAt(path);
  expect(await refusalOf(third.apply(intentOf('add', [['Soap', 1]]), 32))).toMatchObject({ message: problem });
  expect(await verify()).toMatchObject({ movements: 10, mended });
  expect(await verify()).toMatchObject({ movements: 10, mended: undefined });
  await third.close();
  expect(await (await openAt(path)).apply(intentOf('add', [['Soap', 1]]), 33)).toMatchObject([{ seq: 11 }]);
});

test('ledger verify computes every balance and total again, of every kind of movement', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'inv.db');
  const store = await openAt(path);
  await store.addUser(note, 'anna', 'clerk', null, 1);
  await store.addLocation(note, 'cellar');
  await store.apply(intentOf('add', [['Soap', 5]]), 1);
  await store.apply(moveOf([['Soap', 3, 'main', 'cellar']]), 2);
  const url = `sqlite:${path}`;
  expect(await verifyStore(url, () => undefined)).toMatchObject({ movements: 3, balances: 2 });
  await store.close();
  const database = new DatabaseSync(path);
  const wrong = async (sql: string, message: string) => {
    database.exec(sql);
    await expect(verifyStore(url, () => undefined)).rejects.toMatchObject({ code: 'storage', message });
  };

  const another = 'A balance of the item with id 1 is sorted by something else than the item has.';
  await wrong("UPDATE balance SET sku = 'S-1' WHERE location_id = 1", another);
  await wrong("UPDATE balance SET sku = NULL, key = 'saop' WHERE location_id = 1", another);
  database.exec('UPDATE balance SET key = (SELECT key FROM item WHERE id = item_id)');
  await wrong(
    'UPDATE balance SET quantity = 2001 WHERE location_id = 1',
    'A balance of the item with id 1 is 2001 thousandths; the movements leave 2000.',
  );
  database.exec('UPDATE balance SET quantity = 2000 WHERE location_id = 1');
  await wrong('UPDATE item SET total = 1', 'A total of the item with id 1 is 1 thousandths; the movements leave 5000.');
  database.exec('UPDATE item SET total = 5000');
  await wrong(
    'UPDATE ledger SET root = zeroblob(32)',
    'The root over all 3 movements is not the one that was written.',
  );
  await wrong('DELETE FROM movement WHERE seq = 2', 'Movement 2 is missing.');
  database.close();
});
