import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { Checkpoints } from '../../src/store/sqlite/checkpoints.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { note } from './intent.ts';

const rowPages = 50;

let folder = '';
let path = '';
let database: Database;
let checkpoints: Checkpoints;
let rows = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoints-'));
  path = join(folder, 'inv.db');
  database = new Database(path);
  database.script('CREATE TABLE junk (bytes)');
  checkpoints = new Checkpoints(database, path);
  rows = 0;
});

afterEach(async () => {
  await checkpoints.close();
  database.close();
  await rm(folder, { recursive: true });
});

/** Commits so many pages, looks, and leaves the thread a moment to answer. */
async function commit(pages: number): Promise<void> {
  for (let written = 0; written < pages; written += rowPages) {
    database.run('INSERT INTO junk VALUES (randomblob(?))', rowPages * 4080);
    rows++;
    checkpoints.look();
    await sleep(0);
  }
}

/** Nobody commits or looks meanwhile: it is the thread that brings it there. */
async function everythingInFile(): Promise<void> {
  await vi.waitFor(() => expect(database.readLog().inFile).toBe(database.readLog().pages), { timeout: 5000 });
}

describe('checkpoints', () => {
  test('bring the log into the file beside the commits, of which none does it', async () => {
    await commit(1900);
    expect(database.readLog().inFile).toBe(0);
    await commit(150);
    const { pages } = database.readLog();
    await everythingInFile();
    expect(database.readLog().pages).toBe(pages);
  });

  test('let the log begin anew, however long it is written to', async () => {
    let longest = 0;
    let begun = 0;
    for (let before = 0; begun < 3; ) {
      await commit(rowPages);
      const { pages } = database.readLog();
      if (pages < before) begun++;
      before = pages;
      longest = Math.max(longest, pages);
    }
    // Beyond 16,000 it would have been one of the commits.
    expect(longest).toBeLessThan(16_000);
    expect(database.one('SELECT count(*) AS count FROM junk')).toEqual({ count: rows });
  });

  test('go on when a reader that was in the way has ended', async () => {
    await commit(500);
    const reader = new Database(path, true);
    onTestFinished(() => reader.close());
    reader.script('BEGIN');
    reader.one('SELECT count(*) FROM junk');
    const { pages: seen } = database.readLog();
    await commit(9000);
    await vi.waitFor(() => expect(database.readLog().inFile).toBe(seen));
    expect(reader.one('SELECT count(*) AS count FROM junk')).toEqual({ count: 10 });
    reader.script('COMMIT');
    while (database.readLog().pages > 2000) await commit(rowPages); // Until the log has begun anew.
    expect(database.one('SELECT count(*) AS count FROM junk')).toEqual({ count: rows });
  });

  test('make no new store where the store was moved away, and lose nothing', async () => {
    const elsewhere = join(folder, 'moved.db');
    await rename(path, elsewhere);
    await commit(2050);
    await sleep(100);
    expect(existsSync(path)).toBe(false);
    expect(database.one('SELECT count(*) AS count FROM junk')).toEqual({ count: rows });
    await rename(elsewhere, path);
    await commit(2050);
    await everythingInFile();
  });

  test('leave no connection behind: whoever closes the store is the last and takes the log away', async () => {
    await commit(2050);
    await checkpoints.close();
    database.close();
    expect(await readdir(folder)).toEqual(['inv.db']);
    database.reopen();
    expect(database.one('SELECT count(*) AS count FROM junk')).toEqual({ count: rows });
  });

  test('are gone on with after the store was opened anew', async () => {
    database.reopen();
    await commit(2050);
    await everythingInFile();
    expect(database.one('PRAGMA wal_autocheckpoint')).toEqual({ wal_autocheckpoint: 16_000 });
  });
});

test('a server that closes its store in the midst of one leaves the file alone', async () => {
  const served = join(folder, 'served.db');
  const store = await openStore(`sqlite:${served}`, { exclusive: true });
  const entry = { ...note, detail: 'x'.repeat(200_000) };
  // Each is some 50 pages.
  for (let done = 0; done < 50; done++) await store.audit(entry);
  await store.close();
  expect((await readdir(folder)).filter((file) => file.startsWith('served'))).toEqual([
    'served.db',
    'served.db-lock',
    'served.db-reserve',
  ]);
});

test('whoever needs all of the log in the file waits for a checkpoint that is under way', async () => {
  const busy = new Worker(
    `const { DatabaseSync } = require('node:sqlite');
     const { parentPort, workerData } = require('node:worker_threads');
     const database = new DatabaseSync(workerData);
     database.exec('CREATE TABLE other (x); PRAGMA wal_autocheckpoint = 0');
     const write = database.prepare('INSERT INTO other VALUES (randomblob(400000))');
     const checkpoint = database.prepare('PRAGMA wal_checkpoint(PASSIVE)');
     let isEnding = false;
     parentPort.on('message', () => { isEnding = true; });
     const turn = () => {
       if (isEnding) { database.close(); parentPort.close(); return; }
       try { write.run(); } catch {}
       checkpoint.get();
       setTimeout(turn, 2);
     };
     parentPort.postMessage('begun');
     turn();`,
    { eval: true, workerData: path, execArgv: ['--disable-warning=ExperimentalWarning'] },
  );
  await new Promise((resolve) => busy.once('message', resolve));
  for (let done = 0; done < 30; done++) {
    database.run('INSERT INTO junk VALUES (randomblob(100))');
    expect(() => database.checkpoint()).not.toThrow();
    await sleep(1);
  }
  const ended = new Promise((resolve) => busy.once('exit', resolve));
  busy.postMessage('end');
  await ended;
});
