import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { OperationIntent, StockQuery } from '../../src/model/stock.ts';
import { openStore } from '../../src/store/open.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import { damageWarning } from '../../src/store/store.ts';
import { refusalOf, storeContract } from './contract.ts';
import { apiTokenOf, countOf, editOf, intentOf, moveOf, note, sessionOf, undoOf } from './intent.ts';

storeContract('sqlite', (folder) => openStore(`sqlite:${join(folder, 'inv.db')}`, { exclusive: true }));

/** Somebody else's, with a log. */
async function openOther(file: string): Promise<void> {
  const database = new DatabaseSync(file);
  onTestFinished(() => database.close());
  database.exec('CREATE TABLE other (x); PRAGMA journal_mode = WAL; INSERT INTO other VALUES (1)');
}

describe('an sqlite store', () => {
  let folder = '';
  let path = '';
  const open = (exclusive = true) => openStore(`sqlite:${path}`, { exclusive });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sqlite-'));
    path = join(folder, 'data', 'inv.db');
  });

  afterEach(() => rm(folder, { recursive: true }));

  test('serves one server: a second is refused at once and told what to do', async () => {
    const store = await open();
    for (const attempt of await Promise.allSettled([open(), open()])) {
      const message = `Another server has the store ${path}.`;
      const details = { hint: expect.stringContaining('Stop that server') };
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'conflict', message, details } });
    }
    await store.close();
    await (await open()).close();
  });

  test('is free again after kill -9 of its server, and has everything that was acknowledged', async () => {
    const child: ChildProcess = fork(new URL('./holder.ts', import.meta.url), [path], { execArgv: [] });
    await once(child, 'message');
    await expect(open()).rejects.toMatchObject({ code: 'conflict' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const store = await open();
    expect(await store.users()).toMatchObject([{ user: 'held' }]);
    expect((await store.head()).size).toBe(1);
    await store.close();
  });

  test('keeps its folder and files to its owner', async () => {
    const store = await open();
    await store.addUser(note, 'anna', 'clerk', null, 1);
    const modeOf = async (file: string) => ((await stat(file)).mode & 0o777).toString(8);
    expect(await modeOf(join(folder, 'data'))).toBe('700');
    const files = await readdir(join(folder, 'data'));
    expect(files).toEqual(expect.arrayContaining(['inv.db', 'inv.db-lock', 'inv.db-wal', 'inv.db-shm']));
    for (const file of files) expect(await modeOf(join(folder, 'data', file)), file).toBe('600');
    await store.close();
    await chmod(path, 0o644);
    await (await open()).close();
    expect(await modeOf(path)).toBe('600');
  });

  test('keeps its id', async () => {
    const first = await open();
    const { id } = first;
    await first.close();
    const second = await open();
    expect(second.id).toBe(id);
    await second.close();
  });

  test('of a newer version is refused by name', async () => {
    await (await open()).close();
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    for (const exclusive of [true, false]) {
      await expect(open(exclusive)).rejects.toMatchObject({
        code: 'storage',
        message: expect.stringContaining(`${path} was written by a newer secure-inv (schema 99`),
      });
    }
  });

  test('of the first version is brought up to date with everything that it holds', async () => {
    const store = await open();
    await store.addUser(note, 'anna', 'clerk', null, 1);
    await store.addSession(note, sessionOf('a', 1, 1), 9, 0);
    for (const item of ['Soap', 'Soap', 'Towel']) await store.apply(intentOf('add', [[item, 5]]), 1);
    await store.editItem(editOf('Towel', { sku: 'T-1', category: 'Bath' }), 1);
    await store.close();
    const database = new DatabaseSync(path);
    const places = ['unit', 'sku', 'barcode', 'category', 'low_at'].map((by) => `DROP INDEX balance_${by};`).join(' ');
    database.exec(`
      ${places} ALTER TABLE balance DROP COLUMN unit; ALTER TABLE balance DROP COLUMN sku;
      ALTER TABLE balance DROP COLUMN barcode; ALTER TABLE balance DROP COLUMN category_key;
      ALTER TABLE balance DROP COLUMN low_at; DROP INDEX balance_listed; ALTER TABLE balance DROP COLUMN archived_at;
      DROP INDEX item_listed; DROP INDEX item_category_listed; DROP INDEX item_is_low; DROP INDEX item_is_low_listed;
      DROP INDEX item_low_at; DROP INDEX item_sku; DROP INDEX item_barcode; DROP INDEX item_unit;
      CREATE INDEX item_low ON item (key) WHERE low_at IS NOT NULL;
      DROP INDEX item_archived; DROP INDEX balance_key; ALTER TABLE item DROP COLUMN listed;
      ALTER TABLE balance DROP COLUMN listed; ALTER TABLE balance DROP COLUMN key; DELETE FROM item_search;
      DROP TABLE kind_movement;
      DROP TABLE outbox;
      ALTER TABLE session DROP COLUMN source; DROP TABLE api_token; DROP TABLE audit; DROP TABLE import; DROP TABLE import_row;
      DROP INDEX operation_import; ALTER TABLE operation DROP COLUMN import_id; DROP TABLE user_location;
      ALTER TABLE user DROP COLUMN throttle; ALTER TABLE user DROP COLUMN certificates_from; ALTER TABLE user DROP COLUMN limited;
      ALTER TABLE location DROP COLUMN archived_at; DROP INDEX item_category; ALTER TABLE item DROP COLUMN category_key;
      CREATE INDEX item_category ON item (category, key) WHERE category IS NOT NULL;
      ALTER TABLE meta DROP COLUMN nobodys_throttle; ALTER TABLE balance DROP COLUMN seq; DROP INDEX movement_undoes;
      PRAGMA user_version = 1`);
    database.close();
    const migrated = await open();
    expect(await migrated.sessions(1)).toMatchObject([{ id: 'a', userId: 1, source: null }]);
    await migrated.addApiToken(note, apiTokenOf('t', 1, 1), 9, 0);
    expect(await migrated.apiTokens()).toMatchObject([{ id: 't' }]);
    const moved = refusalOf(migrated.apply(countOf('Soap', 4, { ifSeq: 1 }), 1));
    expect(await moved).toMatchObject({ code: 'conflict', message: 'Stock moved since: +5 by anna at 00:00 UTC.' });
    const stock = async (query: Partial<StockQuery>) =>
      (await migrated.view({ scope: null, sort: '-quantity', limit: 9, ...query })).items.map(({ item }) => item);
    expect(await stock({})).toEqual(['Soap', 'Towel']);
    expect(await stock({ location: 'main', sort: '-name' })).toEqual(['Towel', 'Soap']);
    expect(await stock({ search: 't' })).toEqual(['Towel']);
    expect(await stock({ location: 'main', sort: 'sku' })).toEqual(['Towel', 'Soap']);
    expect(await migrated.apply(countOf('Soap', 4, { ifSeq: 2 }), 1)).toMatchObject([{ delta: -6000 }]);
    await migrated.close();
  });

  test('is not made of other files', async () => {
    await (await open()).close();
    await writeFile(path, 'This is a text file, and it is long enough to be looked at. '.repeat(20));
    await expect(open()).rejects.toMatchObject({ code: 'storage', message: expect.stringContaining(path) });
    await rm(path);
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE other (x)');
    database.close();
    await expect(open()).rejects.toMatchObject({ message: `${path} is not a store of secure-inv.` });
    path = join(path, 'below', 'inv.db');
    await expect(open()).rejects.toMatchObject({ code: 'storage' });
  });

  test.each([
    ['a text', (file: string) => writeFile(file, 'Buy soap.\n')],
    ['a folder', (file: string) => mkdir(file)],
    ['a database that is open', openOther],
  ])('leaves what is none of ours as it is: %s', async (_, make) => {
    path = join(folder, 'notes');
    await make(path);
    await chmod(path, 0o755);
    const before = await readdir(folder);
    for (const exclusive of [true, false])
      await expect(open(exclusive)).rejects.toMatchObject({ message: `${path} is not a store of secure-inv.` });
    expect((await stat(path)).mode & 0o777).toBe(0o755);
    expect(await readdir(folder)).toEqual(before);
  });

  test.each([
    ['moved', () => rename(path, `${path}.away`), () => rename(`${path}.away`, path)],
    ['deleted', () => rm(path), undefined],
    ['replaced', () => copyFile(path, `${path}.new`).then(() => rename(`${path}.new`, path)), undefined],
    [
      'in a folder that is moved',
      () => rename(dirname(path), `${folder}/away`),
      () => rename(`${folder}/away`, dirname(path)),
    ],
  ] as const)(
    'that is %s under its server is known to be lost, takes no more changes, and can be read',
    async (_, lose, back) => {
      const warned = vi.fn();
      process.on('warning', warned);
      onTestFinished(() => void process.off('warning', warned));
      const store = await open();
      await store.addUser(note, 'anna', 'admin', null, 1);
      await store.apply(intentOf('add', [['Soap', 1]]), 1);
      await lose();
      const problem = 'The store was moved, deleted or replaced under the server, which takes no more changes.';
      const refusal = await refusalOf(store.apply(intentOf('add', [['Soap', 1]]), 2));
      expect(refusal).toMatchObject({ code: 'storage', message: problem, details: { hint: expect.any(String) } });
      expect(await store.health()).toMatchObject({ problem });
      expect((await store.head()).size).toBe(1);
      const warning = {
        name: damageWarning,
        message: expect.stringContaining(`${problem} All that was acknowledged is in the file that was at ${path}:`),
      };
      await vi.waitFor(() => expect(warned.mock.calls).toMatchObject([[warning]]));
      await store.close();
      if (!back) return;
      await back();
      const again = await open();
      expect(await again.apply(intentOf('add', [['Soap', 1]]), 2)).toMatchObject([{ seq: 2 }]);
      await again.close();
    },
  );

  test('that is lost is known to be so before anybody asks', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const store = await open();
    await rename(path, `${path}.away`);
    await vi.waitFor(() => expect(warned).toHaveBeenCalledOnce(), { timeout: 3000, interval: 50 });
    await store.close();
  });

  test.each([
    ['that was emptied', 'is empty, but inv.db-reserve', () => truncate(path)],
    ['that is gone', 'is gone, but inv.db-reserve', () => rm(path)],
    ['of which only the log is left', 'is gone, but inv.db-wal', leaveLog],
    ['whose content was all in a log that is gone', 'has nothing in it, but inv.db-reserve', leaveFirstPage],
  ])('%s is refused by name, and none is made in its place', async (_, message, harm) => {
    await (await open()).close();
    await harm();
    const before = await stat(path).catch(() => undefined);
    for (const exclusive of [true, false]) {
      await expect(open(exclusive)).rejects.toMatchObject({
        code: 'storage',
        message: expect.stringContaining(`The store ${path} ${message} shows that there was one.`),
        details: { hint: expect.stringContaining('secure-invd restore FILE') },
      });
    }
    expect((await stat(path).catch(() => undefined))?.size).toBe(before?.size);
  });

  /** As a copy without the file. */
  async function leaveLog(): Promise<void> {
    for (const end of ['', '-reserve']) await rm(`${path}${end}`);
    await writeFile(`${path}-wal`, 'x'.repeat(100));
  }

  /** Until the log is first merged, all of a store is in it. */
  async function leaveFirstPage(): Promise<void> {
    await rm(path);
    const database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = WAL');
    database.close();
  }

  test('is made where a first start was killed before there was anything in it', async () => {
    await mkdir(dirname(path));
    for (const end of ['', '-lock']) await writeFile(`${path}${end}`, '');
    await (await open()).close();
    expect((await stat(path)).size).toBeGreaterThan(0);
  });

  test('with two names, by which it could be served twice, is not served', async () => {
    await (await open()).close();
    await link(path, join(folder, 'other.db'));
    await expect(open()).rejects.toMatchObject({ code: 'storage', message: expect.stringContaining('a hard link') });
    await rm(join(folder, 'other.db'));
    await (await open()).close();
  });

  test.skipIf(process.platform !== 'linux')('is refused at once where no folder can be made', async () => {
    path = '/proc/none/inv.db';
    await expect(open()).rejects.toMatchObject({ code: 'storage', message: expect.stringContaining(path) });
  });

  test('can be changed beside its server, which notices and forgets what it knew', async () => {
    const server = await open();
    const told = new Promise<void>((resolve) => server.onOutsideChange(resolve));
    await server.addUser(note, 'anna', 'admin', null, 1);
    await server.apply(intentOf('add', [['Soap', 1]]), 1);
    const beside = await open(false);
    expect(beside.id).toBe(server.id);
    await beside.resetUser(note, 1, { hash: new Uint8Array(32), expiresAt: 9 }, 0);
    await beside.apply(intentOf('add', [['Soap', 1]]), 1);
    await beside.close();
    expect(await server.apply(intentOf('add', [['Soap', 1]]), 1)).toMatchObject([{ seq: 3, balance: 3000 }]);
    await told;
    await server.close();
  });

  test('that is changed behind its server’s back stops an import there, which goes on once it is mended', async () => {
    const store = await open();
    await store.addUser(note, 'anna', 'manager', null, 1);
    for (const item of ['Soap', 'Sand', 'Tea']) await store.apply(intentOf('add', [[item, 1]]), 1);
    const row = { location: 'main', quantity: 1000, about: {}, note: null };
    const rows = ['Soap', 'Sand', 'Tea'].map((item, at) => ({ ...row, line: at + 2, item, note: item }));
    const me = { userId: 1, scope: null };
    const by = { ...me, credential: 'session:test', source: '127.0.0.1' };
    const id = await store.beginImport({ name: null, digest: new Uint8Array(32), rows: 3, again: false, ...me }, 1);
    await store.stageRows(me, id, 0, rows, 1);
    expect(await store.checkImport(me, id, 0)).toEqual({ next: null, problems: [] });
    await store.acceptImport(by, id, 1);
    const beside = new DatabaseSync(path);
    beside.exec("UPDATE item SET archived_at = 1 WHERE name = 'Sand'");
    const rollAll = async () => {
      for (;;) {
        const { more, stopped } = await store.rollImports(1);
        if (stopped || !more) return stopped;
      }
    };
    const problem = { line: 3, problem: 'Sand is archived.' };
    expect(await rollAll()).toMatchObject({ import: id, problem });
    expect(await store.importStatus(me, id)).toMatchObject({ state: 'stopped', done: 1, problem });
    expect(await rollAll()).toBeNull();
    // Whoever gives the file once more is not led to count twice what is counted.
    const again = { name: null, digest: new Uint8Array(32), rows: 3, again: false };
    const refused = await refusalOf(store.beginImport({ ...again, ...me }, 1));
    expect(refused).toMatchObject({
      code: 'conflict',
      message: `This file was imported on 1970-01-01 00:00 UTC by anna (import ${id}), and has stopped half way.`,
      details: { hint: `1 of its 3 rows are counted. For the rest: secure-inv import accept ${id}` },
    });
    await store.addUser(note, 'ben', 'manager', null, 1);
    const others = await refusalOf(store.beginImport({ ...again, userId: 2, scope: null }, 1));
    expect(others.details.hint).toContain('The rest is for anna to count: secure-inv import accept');
    // What stands still is in nobody's way.
    expect(await store.checkImport(me, id, 0)).toMatchObject({ problems: [problem] });
    await store.editItem(editOf('Soap', { unit: 'bars' }), 1);
    await store.editItem(editOf('Sand', { archived: false }), 1);
    expect(await store.checkImport(me, id, 0)).toEqual({ next: null, problems: [] });
    await store.acceptImport(by, id, 1);
    expect(await rollAll()).toBeNull();
    expect(await store.importStatus(me, id)).toMatchObject({ state: 'done', done: 3, problem: null });
    const { items } = await store.view({ scope: null, sort: 'name', limit: 9 });
    expect(items.map(({ quantity }) => quantity)).toEqual([2000, 2000, 2000]);
    beside.close();
    await store.close();
  });

  test('keeps its log short while an import is counted, so that nobody waits long until it is in the file', async () => {
    const store = await open();
    await store.addUser(note, 'anna', 'manager', null, 1);
    const me = { userId: 1, scope: null };
    const rows = Array.from({ length: 1000 }, (_, at) => {
      return {
        line: at + 2,
        item: `Item ${(at * 7919) % 1000}`,
        location: 'main',
        quantity: 1000,
        about: {},
        note: `${at}`,
      };
    });
    const order = { name: null, digest: new Uint8Array(32), rows: rows.length, again: false, ...me };
    const id = await store.beginImport(order, 1);
    await store.stageRows(me, id, 0, rows, 1);
    for (let next: number | null = 0; next !== null; ) ({ next } = await store.checkImport(me, id, next));
    await store.acceptImport({ ...me, credential: 'session:test', source: '127.0.0.1' }, id, 1);
    while ((await store.rollImports(1)).more);
    expect(await store.importStatus(me, id)).toMatchObject({ state: 'done' });
    // 500 pages and the commit that reaches them; without this it would be twice as long as here.
    expect((await stat(`${path}-wal`)).size).toBeLessThan(5 * 1024 * 1024);
    await store.close();
  });

  test('takes back what an import counted before it stopped, and after it went on the rest, and nothing twice', async () => {
    const store = await open();
    await store.addUser(note, 'anna', 'manager', null, 1);
    const me = { userId: 1, scope: null };
    const by = { ...me, credential: 'session:test', source: '127.0.0.1' };
    for (const item of ['Soap', 'Sand', 'Tea']) await store.apply(intentOf('add', [[item, 1]]), 1);
    const rows = ['Soap', 'Sand', 'Tea'].map((item, at) => {
      return { line: at + 2, item, location: 'main', quantity: 2000, about: {}, note: item };
    });
    const id = await store.beginImport({ name: null, digest: new Uint8Array(32), rows: 3, again: false, ...me }, 1);
    await store.stageRows(me, id, 0, rows, 1);
    const countAll = async () => {
      await store.checkImport(me, id, 0);
      await store.acceptImport(by, id, 1);
      while ((await store.rollImports(1)).more);
    };
    const beside = new DatabaseSync(path);
    const archive = (at: number | null) =>
      beside.prepare("UPDATE item SET archived_at = ? WHERE name = 'Sand'").run(at);
    expect(await store.checkImport(me, id, 0)).toEqual({ next: null, problems: [] });
    await store.acceptImport(by, id, 1);
    archive(1);
    while ((await store.rollImports(1)).more);
    expect(await store.importStatus(me, id)).toMatchObject({ state: 'stopped', done: 1 });
    archive(null);
    beside.close();
    const first = undoOf(4);
    const undone = await store.apply(first, 1);
    expect(undone).toMatchObject([{ item: 'Soap', undoes: 4 }]);
    await countAll();
    expect(await store.importStatus(me, id)).toMatchObject({ state: 'done', done: 3 });
    // Others are in the same batch: a constraint that fails would take their work with it.
    const [rest, honest, again] = await Promise.all([
      store.apply(undoOf(6), 1),
      store.apply(intentOf('add', [['Tea', 5]]), 1),
      store.apply(first, 1),
    ]);
    expect(rest).toMatchObject([
      { item: 'Tea', undoes: 7 },
      { item: 'Sand', undoes: 6 },
    ]);
    expect(honest).toMatchObject([{ balance: 6000 }]);
    expect(again).toEqual(undone);
    const refused = { code: 'conflict', message: 'Movement 4 was undone already, by movement 5.' };
    expect(await refusalOf(store.apply(undoOf(4), 1))).toMatchObject(refused);
    await store.close();
  });

  test('says that stock is low of what makes it so: takes, counts and undone adds, not of moves, nor of undone ones', async () => {
    const store = await open();
    await store.addUser(note, 'anna', 'clerk', null, 1);
    await store.addLocation(note, 'cellar');
    await store.apply(intentOf('add', [['Soap', 5]]), 1); // 1
    const beside = new DatabaseSync(path);
    beside.exec("UPDATE item SET low_at = 4000 WHERE name = 'Soap'");
    beside.close();
    const lows = async (intent: OperationIntent) => (await store.apply(intent, 2)).map(({ low }) => low);
    expect(await lows(moveOf([['Soap', 3, 'main', 'cellar']]))).toEqual([false, false]); // 2, 3
    expect(await lows(undoOf(2))).toEqual([false, false]); // 4, 5
    expect(await lows(countOf('Soap', 4))).toEqual([true]); // 6
    expect(await lows(countOf('Soap', 3))).toEqual([false]); // 7
    expect(await lows(intentOf('add', [['Soap', 2]]))).toEqual([false]); // 8
    const undo = undoOf(8);
    expect(await lows(undo)).toEqual([true]);
    expect(await lows(undo)).toEqual([true]);
    await store.close();
  });

  test('notices an outside change without being asked', async () => {
    const server = await open();
    const told = vi.fn();
    server.onOutsideChange(told);
    await server.addUser(note, 'anna', 'admin', null, 1);
    const beside = await open(false);
    await beside.setRole(note, 1, 'viewer');
    await beside.close();
    await vi.waitFor(() => expect(told).toHaveBeenCalledOnce(), { timeout: 1500, interval: 20 });
    await server.close();
  });

  test('whose worker dies leaves no call waiting: writes are unconfirmed', async () => {
    const dying = "const { parentPort } = require('node:worker_threads'); parentPort.postMessage({ opened: 'id' });";
    const worker = new Worker(`${dying} parentPort.once('message', () => process.exit(1))`, { eval: true });
    const store = await SqliteStore.open(worker);
    const pending = await Promise.allSettled([store.endSession(note, 'a'), store.head()]);
    const later = await Promise.allSettled([store.endSession(note, 'a'), store.head()]);
    const refusals = [{ reason: { code: 'unconfirmed' } }, { reason: { code: 'storage' } }];
    expect([...pending, ...later]).toMatchObject([...refusals, ...refusals]);
    await store.close();
  });

  test('is made by whoever opens it first, and the lock is free afterwards', async () => {
    const beside = await open(false);
    const server = await open();
    expect(server.id).toBe(beside.id);
    await Promise.all([beside.close(), server.close()]);
  });
});
