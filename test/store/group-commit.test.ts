import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GroupCommit } from '../../src/store/sqlite/group-commit.ts';
import type { Call, Method } from '../../src/store/sqlite/message.ts';
import { openStoreFiles, type StoreFiles } from '../../src/store/sqlite/store-files.ts';
import { intentOf, note } from './intent.ts';

let folder = '';
let files: StoreFiles;
let commits: GroupCommit;
let outsideChanges = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'group-'));
  files = openStoreFiles({ path: join(folder, 'inv.db'), exclusive: true });
  outsideChanges = 0;
  commits = new GroupCommit(files.database, () => outsideChanges++);
  run(['addUser', note, 'anna', 'clerk', null, 1], ['apply', intentOf('add', [['Soap', 1]]), 1]);
});

afterEach(async () => {
  files.database.close();
  files.lock?.release();
  await rm(folder, { recursive: true });
});

/** Runs one batch; for each call its result, or the code of its failure. */
function run(...wanted: readonly (readonly [Method, ...unknown[]])[]): readonly unknown[] {
  const calls = wanted.map(([method, ...args], id): Call => [id, method, args]);
  const replies = [...commits.run(calls)].sort(([a], [b]) => a - b);
  return replies.map(([, result, error]) => (error ? (error.code ?? error.message) : result));
}

const add = (pieces: number) => ['apply', intentOf('add', [['Soap', pieces]]), 1] as const;
const count = ['view', { scope: null, sort: 'name', limit: 1 }] as const;
const showing = (pieces: number) =>
  expect.objectContaining({ items: [expect.objectContaining({ quantity: pieces * 1000 })] });

test('reads of a batch see its writes, wherever they stood in it', () => {
  expect(run(count, add(2), count)).toEqual([showing(3), expect.anything(), showing(3)]);
});

test('on a full disk every write of the batch is refused, nothing is changed, and reads go on', () => {
  const [{ page_count: pages } = { page_count: 0 }] = files.database.all<{ page_count: number }>('PRAGMA page_count');
  files.database.script(`PRAGMA max_page_count = ${pages}`);
  const long = intentOf(
    'add',
    Array.from({ length: 300 }, (_, n) => [`Item ${n}`, 1] as const),
  );
  expect(run(add(1), ['apply', long, 1], count)).toEqual(['storage', 'storage', showing(1)]);
  // The connection was replaced, and with it the limit.
  expect(run(add(1), count)).toEqual([expect.anything(), showing(2)]);
  expect(outsideChanges).toBe(1);
});

test('a write that fails otherwise is unconfirmed for the whole batch, and works again on a new connection', () => {
  files.database.script('PRAGMA query_only = 1');
  const operation = add(5);
  expect(run(operation, ['addUser', note, 'bert', 'clerk', null, 1], count)).toEqual([
    'unconfirmed',
    'unconfirmed',
    showing(1),
  ]);
  expect(run(operation, operation, count)).toEqual([expect.anything(), expect.anything(), showing(6)]);
});

test('a bug in one write leaves no trace and harms no other', () => {
  const replies = run(['setRole', note, 99, 'viewer'], add(1), ['addUser', note, 'bert', null, null, 1], count);
  expect(replies).toEqual([
    'There is no user with id 99.',
    expect.anything(),
    expect.stringContaining('NOT NULL'),
    showing(2),
  ]);
});

test('an archived item takes part in no operation, and crossing the low-stock threshold is told once', () => {
  files.database.script('UPDATE item SET low_at = 2000');
  commits = new GroupCommit(files.database, () => undefined);
  run(add(3));
  const lows = [1, 1, 1].map(() => run(['apply', intentOf('take', [['Soap', 1]]), 1])[0]);
  expect(lows).toMatchObject([[{ low: false }], [{ low: true }], [{ low: false }]]);
  expect(run(['view', { scope: null, sort: 'name', limit: 9, low: true }])).toEqual([showing(1)]);
  files.database.script('UPDATE item SET archived_at = 1');
  commits = new GroupCommit(files.database, () => undefined);
  expect(run(add(1), count)).toEqual(['conflict', expect.objectContaining({ items: [] })]);
});

test('a store that is lost is not opened anew, for that would be another one', async () => {
  commits = new GroupCommit(files.database, () => undefined, { gate: files.gate });
  await rename(join(folder, 'inv.db'), join(folder, 'away.db'));
  expect(run(add(1), count)).toEqual(['storage', showing(1)]);
  files.database.script('PRAGMA query_only = 1');
  expect(run(['audit', note], count)).toEqual(['unconfirmed', 'storage']);
  expect(run(['audit', note], count)).toEqual(['storage', 'storage']);
  expect(await readdir(folder)).not.toContain('inv.db');
});
