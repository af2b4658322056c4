import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { HistoryQuery, Movement } from '../../src/model/stock.ts';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/store.ts';
import { intentOf, type Line, note } from './intent.ts';

/** Every movement that a query finds, read page by page. */
async function findAll(store: Store, query: Partial<HistoryQuery>): Promise<readonly Movement[]> {
  const found: Movement[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await store.history({ scope: null, limit: 700, ...query, cursor });
    found.push(...page.movements);
    if (page.cursor === undefined) return found;
    cursor = page.cursor;
  }
}

test('history by item, user, location and time finds the same among thousands, indexed or still waiting', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'index-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const open = () => openStore(`sqlite:${join(folder, 'inv.db')}`, { exclusive: true });
  const store = await open();
  await store.addUser(note, 'anna', 'clerk', null, 1);
  await store.addUser(note, 'bert', 'clerk', null, 1);
  const operations = 13;
  const linesEach = 700; // So that some are indexed, in two turns, and some wait.
  for (let at = 1; at <= operations; at++) {
    const lines = Array.from({ length: linesEach }, (_, n): Line => [`Item ${(at * linesEach + n) % 9}`, 1]);
    await store.apply(intentOf('add', lines, { userId: at % 4 === 0 ? 2 : 1 }), at * 1000);
  }
  const whole = await findAll(store, {});
  expect(whole.map(({ seq }) => seq)).toEqual(
    Array.from({ length: operations * linesEach }, (_, n) => operations * linesEach - n),
  );
  const check = async (query: Partial<HistoryQuery>, fits: (movement: Movement) => boolean) =>
    expect(await findAll(store, query)).toEqual(whole.filter(fits));
  await check({ item: 'item 4' }, ({ item }) => item === 'Item 4');
  await check({ user: 'bert' }, ({ user }) => user === 'bert');
  await check({ location: 'main' }, () => true);
  await check({ item: 'item 4', user: 'anna' }, ({ item, user }) => item === 'Item 4' && user === 'anna');
  await check({ item: 'item 4', until: 5000 }, ({ item, at }) => item === 'Item 4' && at <= 5000);
  await check({ user: 'anna', since: 5000 }, ({ user, at }) => user === 'anna' && at >= 5000);
  await check({ item: 'item 4', kind: 'take' }, () => false);
  await check({ kind: 'add' }, () => true);
  await check({ kind: 'undo' }, () => false);
  await check({ user: 'bert', location: 'main', kind: 'add' }, ({ user }) => user === 'bert');
  await check({ item: 'item 4', user: 'bert' }, ({ item, user }) => item === 'Item 4' && user === 'bert');
  await store.close();

  const again = await open();
  expect(await findAll(again, { item: 'Item 7' })).toEqual(whole.filter(({ item }) => item === 'Item 7'));
  await again.close();
});
