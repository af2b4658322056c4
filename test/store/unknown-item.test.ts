import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { unknownItem } from '../../src/store/sqlite/unknown-item.ts';
import { temporaryFolder } from '../support/server.ts';
import { Explained } from './explained.ts';
import { editOf, intentOf, type Line, note } from './intent.ts';

/** A store with items elsewhere, between them a few here, and some that are archived. */
async function fill(): Promise<Explained> {
  const path = join(await temporaryFolder(), 'data', 'inv.db');
  const store = await openStore(`sqlite:${path}`, { exclusive: true });
  await store.addUser(note, 'clerk1', 'clerk', null, 1);
  await store.addLocation(note, 'cellar');
  await store.addLocation(note, 'attic');
  const many = (start: string, count: number, location = 'main'): readonly Line[] =>
    Array.from({ length: count }, (_, at) => [`${start}${at}`, 1, location]);
  // Ideographs beyond the first plane: UTF-16 and UTF-8 order them differently.
  const near = [
    ['Tango', 1, 'main'] as const,
    ...many('Mint ', 60),
    ...many('Mint c', 3, 'cellar'),
    ...many('\u{20000}', 2, 'attic'),
  ];
  await store.apply(intentOf('add', [...near, ...many('Old ', 60, 'attic')]), 1);
  for (let at = 0; at < 60; at++) {
    await store.apply(intentOf('take', [[`Old ${at}`, 1, 'attic']]), 1);
    await store.editItem(editOf(`Old ${at}`, { archived: true }), 1);
  }
  await store.apply(intentOf('add', [['Oldie', 1, 'attic']]), 1);
  await store.close();
  const database = new Explained(path, true);
  onTestFinished(() => database.close());
  return database;
}

test('"did you mean" looks only into an index, at each place of whoever asks, whatever there is elsewhere', async () => {
  const database = await fill();
  const hint = (name: string, scope: readonly number[] | null) => unknownItem(database, name, scope).details.hint;
  expect(hint('Mint c9', [2, 3])).toMatch(/^Did you mean Mint c\d\?/);
  expect(hint('Mint 9a', [2, 3])).toMatch(/^Did you mean Mint c\d\?/);
  expect(hint('Mint 9a', [3])).toBe('See what there is: secure-inv view');
  expect(hint('\u{20000}7', [2, 3])).toMatch(/^Did you mean \u{20000}\d\?/u);
  expect(hint('Mint 9a', [])).toBe('See what there is: secure-inv view');
  expect(hint('Mint 9a', null)).toMatch(/^Did you mean Mint 9\?/);
  // In a list of this length those that begin otherwise are not looked at, but for a slip in the first two letters.
  expect(hint('zzMint 7', null)).toBe('See what there is: secure-inv view');
  expect(hint('iMnt 7', null)).toMatch(/^Did you mean Mint \d\?/);
  // Neither accents count, nor a last letter behind which very many begin so.
  expect(hint('Mínt 7', null)).toMatch(/^Did you mean Mint 7\?/);
  expect(hint('Mint 1O', null)).toMatch(/^Did you mean Mint 1/);
  expect(hint('xMint 7', null)).toMatch(/^Did you mean Mint 7\?/);
  expect(hint('MMint c2', [2])).toMatch(/^Did you mean Mint c2\?/);
  expect(hint('iMnt c2', [3])).toBe('See what there is: secure-inv view');
  // The first letter may be another, of one's own alphabet.
  expect(hint('Nint 7', null)).toMatch(/^Did you mean Mint 7\?/);
  expect(hint('Nint c2', [2])).toMatch(/^Did you mean Mint c2\?/);
  expect(hint('Nint c2', [3])).toBe('See what there is: secure-inv view');
  expect(hint('Юинт 7', null)).toBe('See what there is: secure-inv view');
  // Also where it stands more than 50 names away; at a hundred places that would be 6,400 looks, in which nobody else is served.
  const many = Array.from({ length: 100 }, (_, at) => at + 1);
  for (const scope of [null, [1]]) expect(hint('Bango', scope)).toMatch(/^Did you mean Tango\?/);
  expect(hint('Bango', many)).toBe('See what there is: secure-inv view');
  expect(hint('iMnt 7', many)).toMatch(/^Did you mean Mint 7\?/);
  const reads = database.plan.filter((step) => /balance|item/.test(step));
  expect(new Set(reads)).toEqual(
    new Set([
      'SEARCH balance USING COVERING INDEX balance_key (location_id=? AND key>?)',
      'SEARCH balance USING COVERING INDEX balance_key (location_id=? AND key<?)',
      'SEARCH item USING INDEX sqlite_autoindex_item_1 (key=?)',
      'SEARCH item USING INDEX sqlite_autoindex_item_1 (key>?)',
      'SEARCH item USING INDEX sqlite_autoindex_item_1 (key<?)',
    ]),
  );
});

test('archived items are not named, and take the place of those behind them', async () => {
  const database = await fill();
  for (const scope of [null, [3]]) {
    expect(unknownItem(database, 'Old 5x', scope).details.hint).toBe('See what there is: secure-inv view');
    expect(unknownItem(database, 'Oldi', scope).details.hint).toMatch(/^Did you mean Oldie\?/);
  }
});
