import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, chown, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { backUpStore, restoreStore, verifyBackup, verifyStore } from '../../src/store/files.ts';
import { openStore } from '../../src/store/open.ts';
import { schemaVersion } from '../../src/store/sqlite/migrations.ts';
import { temporaryFolder } from '../support/server.ts';
import { refusalOf } from './contract.ts';
import { apiTokenOf, hashOf, intentOf, note, sessionOf } from './intent.ts';

const silent = () => undefined;
const program = fileURLToPath(new URL('../../src/secure-invd.ts', import.meta.url));

describe('a backup', () => {
  const cleanings: (() => Promise<void>)[] = [];
  let folder = '';
  let url = '';
  let backup = '';
  let made: Awaited<ReturnType<typeof backUpStore>>;
  const restored = (name: string) => `sqlite:${join(folder, name, 'inv.db')}`;

  beforeAll(async () => {
    folder = await temporaryFolder((clean) => cleanings.push(clean));
    url = `sqlite:${join(folder, 'data', 'inv.db')}`;
    backup = join(folder, 'backup.db');
    const store = await openStore(url, { exclusive: true });
    cleanings.push(() => store.close());
    const far = Date.now() + 1e10;
    await store.addUser(note, 'anna', 'admin', null, 1);
    await store.addUser(note, 'bert', 'clerk', { hash: hashOf(7), expiresAt: far }, 1);
    await store.addSession(note, { ...sessionOf('a', 1, 1), expiresAt: far }, 9, 0);
    await store.addApiToken(note, { ...apiTokenOf('t', 1, 1), expiresAt: far }, 9, 0);
    await store.addDevice(1, hashOf(2), far);
    await store.apply(intentOf('add', [['Soap', 5]]), 1);
    // The server goes on while it is made: what was acknowledged before is in it, and all of it is of one moment.
    const before = await store.head();
    let isMaking = true;
    const adding = (async () => {
      while (isMaking) await store.apply(intentOf('add', [['Soap', 1]]), 1);
    })();
    made = await backUpStore(url, backup, silent);
    isMaking = false;
    await adding;
    expect(made.movements).toBeGreaterThanOrEqual(before.size);
    expect(made.movements).toBeLessThan((await store.head()).size);
    expect(await store.health()).toEqual({ problem: null, lastBackupAt: made.at });
  });

  afterAll(async () => {
    for (const clean of cleanings.reverse()) await clean();
  });

  /** A copy of the backup, to be spoiled. */
  async function copyOf(name: string): Promise<string> {
    const copy = join(folder, name);
    await copyFile(backup, copy);
    await copyFile(`${backup}.sha256`, `${copy}.sha256`);
    return copy;
  }

  /** As somebody does who may write both files. */
  async function sealAgain(file: string): Promise<void> {
    const hash = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    const seal = await readFile(`${file}.sha256`, 'utf8');
    await writeFile(`${file}.sha256`, seal.replace(/\n[0-9a-f]{64}/, `\n${hash}`));
  }

  test('is good, for its owner alone, and says what it is', async () => {
    expect(await verifyBackup(backup, silent)).toEqual(made);
    expect(made).toMatchObject({ schema: schemaVersion, balances: 1, root: expect.stringMatching(/^[0-9a-f]{64}$/) });
    for (const file of [backup, `${backup}.sha256`]) expect(((await stat(file)).mode & 0o777).toString(8)).toBe('600');
    expect(await readFile(`${backup}.sha256`, 'utf8')).toMatch(/\n[0-9a-f]{64} {2}backup\.db\n$/);
    expect((await readdir(folder)).sort()).toEqual(['backup.db', 'backup.db.sha256', 'data']);
  });

  test('replaces nothing', async () => {
    const failure = await refusalOf(backUpStore(url, backup, silent));
    expect(failure).toMatchObject({
      code: 'conflict',
      message: `${backup} is there already; a backup replaces nothing.`,
    });
    expect(await verifyBackup(backup, silent)).toEqual(made);
  });

  test('of two that are made under one name at once, one is made, and the other is told', async () => {
    const file = join(folder, 'twice.db');
    const both = await Promise.allSettled([backUpStore(url, file, silent), backUpStore(url, file, silent)]);
    const [lost] = both.filter(({ status }) => status === 'rejected');
    const [won] = both.filter((result) => result.status === 'fulfilled');
    expect(lost).toMatchObject({ reason: { code: 'conflict', message: expect.stringContaining('is there already') } });
    expect(won?.value).toEqual(await verifyBackup(file, silent));
    expect((await readdir(folder)).filter((name) => name.startsWith('twice'))).toEqual(['twice.db', 'twice.db.sha256']);
  });

  test('that somebody ends before it is done leaves nothing', async () => {
    const own = await temporaryFolder();
    const store = join(own, 'inv.db');
    await copyFile(backup, store);
    const database = new DatabaseSync(store);
    onTestFinished(() => database.close());
    database.exec('BEGIN EXCLUSIVE'); // So that it waits for most of a second.
    const words = [program, '--store', `sqlite:${store}`, 'backup', join(own, 'never.db')];
    const child = spawn(process.execPath, words, { stdio: 'ignore' });
    const ended = once(child, 'exit');
    const made = async () => (await readdir(own)).filter((name) => name.startsWith('never'));
    await expect.poll(made, { timeout: 15_000, interval: 5 }).toHaveLength(1);
    child.kill('SIGINT');
    expect(await ended).toEqual([null, 'SIGINT']);
    expect(await made()).toEqual([]);
  });

  test('is a store again, in an empty place alone, without the logins, tokens and links of then, and says so', async () => {
    await mkdir(join(folder, 'again'));
    await writeFile(join(folder, 'again', 'inv.db-damage'), 'Movement 1 is not what was written.\n'); // Of another store.
    const { ended } = await restoreStore(restored('again'), backup, silent);
    expect(ended).toEqual({ sessions: 1, apiTokens: 1, enrolments: 1 });
    const files = await readdir(join(folder, 'again'));
    for (const file of files) {
      expect(((await stat(join(folder, 'again', file))).mode & 0o777).toString(8), file).toBe('600');
    }
    expect(await verifyStore(restored('again'), silent)).toMatchObject({ movements: made.movements, root: made.root });
    const store = await openStore(restored('again'), { exclusive: true });
    try {
      expect(await store.sessions(1)).toEqual([]);
      expect(await store.apiTokens()).toEqual([]);
      expect(await store.redeemEnrolment(note, hashOf(7), 1, null)).toBeUndefined();
      expect(await store.hasDevice(1, hashOf(2), 1)).toBe(false);
      expect(await store.users()).toMatchObject([{ user: 'anna', epoch: 1 }, { user: 'bert' }]);
      const { records } = await store.auditRecords({ event: 'store-restored', limit: 9 });
      expect(records).toMatchObject([{ detail: expect.stringContaining(made.root) }]);
      expect(await store.apply(intentOf('add', [['Soap', 1]]), 1)).toMatchObject([{ seq: made.movements + 1 }]);
    } finally {
      await store.close();
    }
    const again = await refusalOf(restoreStore(restored('again'), backup, silent));
    expect(again).toMatchObject({ code: 'conflict', message: expect.stringContaining('a restore replaces nothing') });
    expect(await refusalOf(restoreStore(url, backup, silent))).toMatchObject({ code: 'conflict' });
  });

  test.skipIf(process.getuid?.() !== 0)(
    'that root makes or restores leaves the server’s user files of its own',
    async () => {
      const own = join(folder, 'own');
      await mkdir(own);
      await chown(own, 65_534, 65_533);
      const store = `sqlite:${join(own, 'new', 'data', 'inv.db')}`;
      await restoreStore(store, backup, silent);
      await backUpStore(store, join(folder, 'of-own.db'), silent);
      const files = await readdir(own, { recursive: true });
      expect(files).toEqual(
        expect.arrayContaining(['new/data/inv.db', 'new/data/inv.db-lock', 'new/data/inv.db-backup']),
      );
      for (const file of files) {
        const { uid, gid } = await stat(join(own, file));
        expect([file, uid, gid]).toEqual([file, 65_534, 65_533]);
      }
      expect((await stat(join(folder, 'of-own.db'))).uid).toBe(0); // It is root's who asked for it.
    },
  );

  test('with a wrong hash, or without one, is not restored, and leaves nothing', async () => {
    const flipped = await copyOf('flipped.db');
    const bytes = await readFile(flipped);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 9) ^ 1, bytes.length - 9);
    await writeFile(flipped, bytes);
    const longer = await copyOf('longer.db');
    await appendFile(longer, 'x');
    const bare = await copyOf('bare.db');
    await rm(`${bare}.sha256`);
    const half = await copyOf('half.db');
    await writeFile(`${half}.sha256`, '# secure-inv backup: schema 2');
    const refusals = [
      [flipped, 'bad-params', 'its hash is not the one'],
      [longer, 'bad-params', 'its hash is not the one'],
      [bare, 'not-found', 'has no hash'],
      [half, 'bad-params', 'is not the hash of a backup'],
      [join(folder, 'none.db'), 'not-found', 'There is no'],
    ] as const;
    for (const [file, code, message] of refusals) {
      for (const attempt of [() => restoreStore(restored('never'), file, silent), () => verifyBackup(file, silent)]) {
        expect(await refusalOf(attempt())).toMatchObject({ code, message: expect.stringContaining(message) });
      }
    }
    await expect(stat(join(folder, 'never'))).rejects.toThrow();
  });

  test('that is damaged inside is not made, and one with another hash in it is found out', async () => {
    const path = join(folder, 'spoiled', 'inv.db');
    await restoreStore(`sqlite:${path}`, backup, silent);
    const database = new DatabaseSync(path);
    database.exec("UPDATE movement SET note = 'another' WHERE seq = 1");
    database.close();
    const file = join(folder, 'spoiled.db');
    const failure = await refusalOf(backUpStore(`sqlite:${path}`, file, silent));
    expect(failure).toMatchObject({ code: 'storage', message: 'Movement 1 is not what was written.' });
    expect((await readdir(folder)).filter((name) => name.startsWith('spoiled.'))).toEqual([]);
  });

  test.each([
    [
      'has something foreign: the trigger later',
      'CREATE TRIGGER later AFTER INSERT ON session BEGIN DELETE FROM audit; END',
    ],
    ['has something foreign: the view stock', 'CREATE VIEW stock AS SELECT * FROM item'],
    ['has something foreign: the table more', 'CREATE TABLE more (all_of_it)'],
    ['lacks the index movement_undoes', 'DROP INDEX movement_undoes'],
  ])('that %s is not good, whatever its hash, and is not restored', async (what, sql) => {
    const changed = await copyOf(`changed-${what.split(' ').at(-1)}.db`);
    const database = new DatabaseSync(changed);
    database.exec(sql);
    database.close();
    await sealAgain(changed);
    const refused = { code: 'storage', message: `The database ${what}.` };
    expect(await refusalOf(verifyBackup(changed, silent))).toMatchObject(refused);
    expect(await refusalOf(restoreStore(restored('changed'), changed, silent))).toMatchObject(refused);
    await expect(stat(join(folder, 'changed'))).rejects.toThrow();
  });

  test('of a newer version is refused by name', async () => {
    const newer = await copyOf('newer.db');
    const database = new DatabaseSync(newer);
    database.exec('PRAGMA user_version = 99');
    database.close();
    await sealAgain(newer);
    expect(await refusalOf(restoreStore(restored('newer'), newer, silent))).toMatchObject({
      code: 'storage',
      message: expect.stringContaining('was written by a newer secure-inv (schema 99'),
    });
  });
});

describe('a store that the first version wrote', () => {
  // Made by the code of the first commit that had a store, whose schema is still called 1.
  const fixture = new URL('./first-store.db.gz', import.meta.url);
  const root = 'fc039a019700bc5c7b8b71dec05561fe22da1f10e6298ae23d6e7f78c878fd86';

  async function firstStore(): Promise<string> {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'data'), { mode: 0o700 });
    await writeFile(join(folder, 'data', 'inv.db'), gunzipSync(await readFile(fixture)), { mode: 0o600 });
    return folder;
  }

  test('opens with everything that it holds, and goes on', async () => {
    const url = `sqlite:${join(await firstStore(), 'data', 'inv.db')}`;
    const store = await openStore(url, { exclusive: true });
    try {
      expect(Buffer.from((await store.head()).root).toString('hex')).toBe(root);
      expect(await store.users()).toMatchObject([
        { user: 'anna', role: 'admin', passwordHash: expect.stringContaining('argon2id'), scope: null },
        { user: 'bert', role: 'clerk', passwordHash: null, certificatesFrom: 0 },
      ]);
      expect(await store.sessions(Date.UTC(2026, 4, 4))).toMatchObject([{ id: 'first', userId: 1, source: null }]);
      const { items } = await store.view({ scope: null, sort: 'name', limit: 9 });
      expect(items.map(({ item, quantity }) => [item, quantity])).toEqual([
        ['4006381333931', 5000],
        ['Soap', 189_000],
        ['Towel', 0],
      ]);
      const { movements } = await store.history({ scope: null, item: 'Soap', limit: 9 });
      expect(movements.map(({ seq, delta, note: remark }) => [seq, delta, remark])).toEqual([
        [5, 1000, null],
        [3, -12_000, 'für Zoë'],
        [1, 200_000, null],
      ]);
      const again = intentOf('take', [['Soap', 12]], {
        note: 'für Zoë',
        operation: '0192f0c1-7b5e-7000-8000-000000000002',
      });
      expect(await store.apply(again, 1)).toMatchObject([{ seq: 3, balance: 188_000 }]);
      expect(await store.apply(intentOf('take', [['Soap', 9]]), 1)).toMatchObject([{ seq: 7, balance: 180_000 }]);
    } finally {
      await store.close();
    }
    expect(await verifyStore(url, silent)).toMatchObject({ movements: 7, balances: 3 });
  });

  test('is backed up as it is, and restored as a store of today', async () => {
    const folder = await firstStore();
    const file = join(folder, 'first.db');
    const made = await backUpStore(`sqlite:${join(folder, 'data', 'inv.db')}`, file, silent);
    expect(made).toMatchObject({ schema: 1, movements: 6, root });
    const url = `sqlite:${join(folder, 'new', 'inv.db')}`;
    expect((await restoreStore(url, file, silent)).ended).toEqual({ sessions: 1, apiTokens: 0, enrolments: 1 });
    const store = await openStore(url, { exclusive: true });
    expect((await store.auditRecords({ limit: 9 })).records).toMatchObject([{ event: 'store-restored' }]);
    await store.close();
  });
});
