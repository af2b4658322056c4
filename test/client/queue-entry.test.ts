import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OperationQueue } from '../../src/client/queue.ts';
import { parseEntry, stateOf } from '../../src/client/queue-entry.ts';
import { describeOperation } from '../../src/client/shell/operation.ts';
import { temporaryFolder } from '../support/server.ts';

const operation = '0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e';
const of = { context: 'shop', user: 'clerk1', file: 'file', path: '/folder/file', operation };
const entry = {
  ...{ context: 'shop', server: '127.0.0.1:7443', user: 'clerk1', method: 'add', at: '2026-05-03T14:02:00Z' },
  ...{ params: { item: 'Soap', quantity: 1, operation }, isQueued: true, maySent: false },
};
const read = (value: unknown) => parseEntry(typeof value === 'string' ? value : JSON.stringify(value), of);

test('an operation that was kept is read as it was written', () => {
  const refusal = { code: 'conflict', message: 'No.', hint: 'See.' };
  const sender = { host: 'here', pid: 1, at: '2026-05-03T14:02:00Z' };
  for (const kept of [entry, { ...entry, refusal, sender }]) {
    expect(read(kept)).toEqual({ ...kept, file: 'file' });
  }
  // In the order in which it was given, too.
  expect(read(entry)).toMatchObject({ params: expect.toSatisfy((params) => Object.keys(params)[0] === 'item') });
});

test('a file is not trusted to hold an operation, let alone its own', () => {
  const { server: _, ...homeless } = entry;
  const damaged = [
    JSON.stringify(entry).slice(0, -1),
    '\0'.repeat(200),
    'null',
    '[]',
    '{}',
    homeless,
    { ...entry, params: [] },
    { ...entry, isQueued: 'yes' },
    { ...entry, sender: { host: 'here', pid: 0, at: '' } },
    { ...entry, refusal: 'No.' },
    { ...entry, params: { ...entry.params, operation: operation.replace('4e', '4f') } },
    { ...entry, user: 'clerk2' },
    { ...entry, context: 'other' },
  ].map(read);
  for (const one of damaged) {
    expect(one).toMatchObject({ ...of, problem: expect.stringMatching(/^.+\.$/) });
    expect(stateOf(one)).toBe('damaged');
  }
  expect(read(homeless)).toMatchObject({ problem: 'server is missing.' });
});

test('what is given again takes the place of the damaged file with its id', async () => {
  const state = await temporaryFolder();
  const queue = new OperationQueue(state, { context: 'shop', server: '127.0.0.1:7443', user: 'clerk1' });
  const folder = join(state, 'queue', 'shop clerk1');
  const damage = () => writeFile(join(folder, `000000000001-${operation}.json`), '{', { mode: 0o600 });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { method, params } = entry;
  await damage();
  await queue.add({ method, params });
  expect((await queue.list()).map((one) => stateOf(one))).toEqual(['queued']);
  for (const kept of await queue.list()) await queue.drop(kept);
  await damage();
  await queue.begin({ method, params });
  expect((await queue.list()).map((one) => stateOf(one))).toEqual(['sending']);
  expect(await readdir(folder)).toHaveLength(1);
});

test('of an operation people read what is in it, and of a long one how it begins', () => {
  const describe = (given: object, method = 'add') => describeOperation({ method, params: { operation, ...given } });
  const lines = (count: number, where: object = {}) =>
    Array.from({ length: count }, (_, at) => ({ item: `Item ${at}`, quantity: 7, ...where }));
  expect(describe({ item: 'Soap', quantity: 20, location: 'cellar', note: 'late' })).toBe(
    'add 20 Soap at cellar, note late',
  );
  expect(describe({ lines: lines(2, { from: 'main', to: 'cellar' }) }, 'move')).toBe(
    'move 7 Item 0, 7 Item 1 from main to cellar',
  );
  expect(describe({ lines: [...lines(1, { location: 'cellar' }), ...lines(1)] })).toBe(
    'add 7 Item 0 at cellar, 7 Item 0',
  );
  expect(describe({ lines: lines(1000) })).toBe('add 7 Item 0, 7 Item 1, 7 Item 2, 7 Item 3, 7 Item 4 and 995 more');
  expect(describe({ lines: [null, 5, 'x'] })).toMatch(/^add/);
});
