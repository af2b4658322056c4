import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operationLinesMax } from '../../src/model/limits.ts';
import { verifyStore } from '../../src/store/files.ts';
import { intentOf, note } from '../store/intent.ts';
import { temporaryFolder } from '../support/server.ts';
import { times } from './length.ts';
import { buildShim, type Fault, type Shim, whyNoShim } from './shim.ts';
import { type StoreProcess, startStore } from './store-process.ts';

const reason = whyNoShim();

describe.skipIf(reason !== undefined)(`files that fail${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const cleanings: (() => Promise<void>)[] = [];
  let path = '';
  let shim: Shim;
  let env: NodeJS.ProcessEnv;
  let store: StoreProcess;

  beforeAll(async () => {
    const folder = await temporaryFolder((clean) => cleanings.push(clean));
    await mkdir(join(folder, 'data'));
    path = join(folder, 'data', 'inv.db');
    shim = buildShim(folder, join(folder, 'data'));
    // Where SQLite would put files of its own.
    env = { ...shim.env, SQLITE_TMPDIR: join(folder, 'data') };
    store = await startStore(path, env);
    cleanings.push(() => store.kill());
    await store.ask('addUser', note, 'anna', 'clerk', null, 1);
    await store.ask('apply', intentOf('add', [['Soap', 1]]), 1);
  });

  afterAll(async () => {
    for (const clean of cleanings.reverse()) await clean();
  });

  const soap = async () => {
    const viewed = await store.ask('view', { scope: null, sort: 'name', limit: 1 });
    return 'result' in viewed ? viewed.result.items[0]?.quantity : viewed.refused;
  };

  const faults: readonly (readonly [name: string, fault: Fault])[] = [
    ['the log cannot be synced', { fsyncs: 1, ending: '-wal' }],
    ['the log cannot be written', { writes: 1, ending: '-wal' }],
    ['the log is written by half', { writes: 1, shorts: true, ending: '-wal' }],
    ['no file can be written or synced', { writes: -1, fsyncs: -1 }],
    ['the file system turns read-only', { writes: -1, fsyncs: -1, opens: -1, error: 'EROFS' }],
  ];

  test.each(faults)(
    'when %s, a change is unconfirmed, reads go on, and its repetition counts once',
    async (_, fault) => {
      const before = Number(await soap());
      const change = intentOf('add', [['Soap', 2]]);
      shim.set(fault);
      expect(await store.ask('apply', change, 2)).toEqual({ refused: 'unconfirmed' });
      expect(shim.hits()).toBeGreaterThan(0);
      expect([before, before + 2000]).toContain(await soap());
      shim.set({});
      // What was opened while nobody could write is found out by the first who tries.
      await store.ask('audit', note);
      const repeated = [await store.ask('apply', change, 3), await store.ask('apply', change, 3)];
      expect(repeated).toMatchObject(repeated.map(() => ({ result: [{ balance: before + 2000 }] })));
      expect(await soap()).toBe(before + 2000);
    },
  );

  test('nothing is acknowledged while no sync succeeds, however often it is repeated, nor is anything ready', async () => {
    const before = Number(await soap());
    const change = intentOf('add', [['Soap', 2]]);
    shim.set({ fsyncs: -1 });
    for (let repetition = 0; repetition < 4; repetition++) {
      expect(await store.ask('apply', change, 2)).toEqual({ refused: 'unconfirmed' });
      expect(await store.ask('touch')).toEqual({ refused: 'unconfirmed' });
    }
    shim.set({});
    expect(await store.ask('apply', change, 3)).toMatchObject({ result: [{ balance: before + 2000 }] });
    expect(await store.ask('touch')).toEqual({ result: undefined });
  });

  test('a look whether anything can be written writes and syncs', async () => {
    for (const fault of [{ writes: 1 }, { fsyncs: 1 }]) {
      shim.set({ ...fault, ending: '-wal' });
      expect(await store.ask('touch')).toEqual({ refused: 'unconfirmed' });
      expect(shim.hits()).toBe(1);
    }
    shim.set({});
  });

  test('while nothing can be written every change says so, and nothing is half done afterwards', async () => {
    const before = Number(await soap());
    const changes = Array.from({ length: times(5, 200) }, () => intentOf('add', [['Soap', 1]]));
    shim.set({ writes: -1, fsyncs: -1, opens: -1, error: 'EROFS' });
    for (const change of changes) {
      const outcome = await store.ask('apply', change, 4);
      expect(['unconfirmed', 'storage']).toContain('refused' in outcome ? outcome.refused : 'done');
      expect(Number(await soap())).toBeGreaterThanOrEqual(before);
    }
    shim.set({});
    await store.ask('audit', note);
    for (const change of changes) expect(await store.ask('apply', change, 4)).toMatchObject({ result: [{}] });
    expect(await soap()).toBe(before + changes.length * 1000);
  });

  test('a store opens no file while it works: one without a free descriptor is written and read as before', async () => {
    const before = Number(await soap());
    shim.set({ opens: -1, error: 'EMFILE' });
    // Thousands, until all that waits to be indexed is written at once, and that several times.
    for (let delivery = 0; delivery < 20; delivery++) {
      const lines = Array.from(
        { length: operationLinesMax },
        (_, at) => [at === 0 ? 'Soap' : `Towel ${at % 300}`, 1] as const,
      );
      expect(await store.ask('apply', intentOf('add', lines), 7)).toHaveProperty('result');
    }
    expect(await soap()).toBe(before + 20_000);
    expect(shim.hits()).toBe(0);
    shim.set({});
  });

  test('a store whose folder is read-only is not opened to be served from, and is named', async () => {
    await store.kill();
    shim.set({ writes: -1, fsyncs: -1, opens: -1, error: 'EROFS' });
    await expect(startStore(path, env)).rejects.toThrow(`The store ${path} cannot be opened`);
    shim.set({});
    store = await startStore(path, env);
  });

  test('a disk that says it is full (ENOSPC) changes nothing, and takes logins from its reserve', async () => {
    const before = await soap();
    shim.set({ writes: 1, error: 'ENOSPC', ending: '-wal' });
    const login = store.ask('addDevice', 1, new Uint8Array(32), 9);
    expect(await store.ask('apply', intentOf('add', [['Soap', 2]]), 5)).toEqual({ refused: 'storage' });
    expect(await login).toHaveProperty('result');
    expect(await soap()).toBe(before);
    expect(await store.ask('addLocation', note, 'attic')).toEqual({ refused: 'storage' });
    expect(await store.ask('audit', note)).toHaveProperty('result');
    expect(await store.ask('health')).toMatchObject({ result: { problem: 'The disk is full; nothing was changed.' } });
    // Here there is room, which is found out within a second.
    await expect.poll(() => store.ask('addLocation', note, 'attic'), { timeout: 3000 }).toHaveProperty('result');
    expect(await store.ask('health')).toMatchObject({ result: { problem: null } });
  });

  test('faults at any moment, and kill -9, lose nothing that was acknowledged and count nothing twice', async () => {
    let expected = Number(await soap());
    for (let round = 0; round < times(6, 300); round++) {
      const [, fault] = faults[round % faults.length] ?? ['', {}];
      const changes = Array.from({ length: 1 + (round % 7) }, () => intentOf('add', [['Soap', 1]]));
      shim.set(round % 3 === 0 ? {} : fault);
      await Promise.all(changes.map((change) => store.ask('apply', change, 6)));
      if (round % 2 === 0) {
        await store.kill();
        shim.set({});
        store = await startStore(path, env);
      }
      shim.set({});
      await store.ask('audit', note); // As above: finds out what was opened while nobody could write.
      expected += changes.length * 1000;
      const repeated = await Promise.all(changes.map((change) => store.ask('apply', change, 6)));
      expect(repeated.every((outcome) => 'result' in outcome)).toBe(true);
      expect(await soap()).toBe(expected);
    }
    await expect(verifyStore(`sqlite:${path}`, () => undefined)).resolves.toHaveProperty('root');
  });
});
