import { expect, test } from 'vitest';
import { cursorCharactersMax } from '../../src/model/limits.ts';
import { type StockQuery, stockSorts } from '../../src/model/stock.ts';
import type { Store } from '../../src/store/store.ts';
import type { Fixture } from './contract.ts';
import { editOf, intentOf, moveOf, note } from './intent.ts';

async function names(store: Store, query: Partial<StockQuery>): Promise<readonly string[]> {
  const { items } = await store.view({ scope: null, sort: 'name', limit: 100, ...query });
  return items.map((item) => item.item);
}

export function viewContract(get: () => Fixture): void {
  test('view shows every item with its places, sorted as asked', async () => {
    const { store } = get();
    await store.apply(
      intentOf('add', [
        ['Towel', 3],
        ['maggi', 7],
        ['Soap', 5],
      ]),
      1,
    );
    await store.apply(intentOf('take', [['Towel', 3]]), 2);
    const { items, seq, cursor } = await store.view({ scope: null, sort: 'name', limit: 10 });
    expect(items.map((item) => item.item)).toEqual(['maggi', 'Soap', 'Towel']);
    expect(items[0]).toEqual({
      item: 'maggi',
      quantity: 7000,
      unit: 'pcs',
      precision: 0,
      sku: null,
      barcode: null,
      category: null,
      description: null,
      lowAt: null,
      locations: [{ location: 'main', quantity: 7000 }],
    });
    expect(items[2]).toMatchObject({ quantity: 0, locations: [] });
    expect({ seq, cursor }).toEqual({ seq: 4, cursor: undefined });
    expect(await names(store, { sort: '-quantity' })).toEqual(['maggi', 'Soap', 'Towel']);
    expect(await names(store, { sort: 'quantity' })).toEqual(['Towel', 'Soap', 'maggi']);
  });

  test('view finds by name, by place and by the beginnings of words', async () => {
    const { store } = get();
    await store.apply(
      intentOf('add', [
        ['Crème brûlée', 1],
        ['Green tea (50)', 1],
        ['Black tea', 1],
      ]),
      1,
    );
    expect(await names(store, { items: ['BLACK TEA', 'green  tea (50)'.replace('  ', ' ')] })).toEqual([
      'Black tea',
      'Green tea (50)',
    ]);
    expect(await names(store, { search: 'te gr' })).toEqual(['Green tea (50)']);
    expect(await names(store, { search: 'creme BRUL' })).toEqual(['Crème brûlée']);
    expect(await names(store, { location: 'main', search: 'tea' })).toHaveLength(2);
    expect(await names(store, { category: 'Food' })).toEqual([]);
    expect(await names(store, { low: true })).toEqual([]);
    const refused = (query: Partial<StockQuery>) => expect(names(store, query)).rejects;
    await refused({ items: ['Black tea', 'Nothing'] }).toMatchObject({
      code: 'not-found',
      message: 'No item "Nothing".',
    });
    await refused({ location: 'nowhere' }).toMatchObject({ code: 'not-found' });
    await refused({ search: '"*' }).toMatchObject({ code: 'bad-params' });
  });

  test('a search is only words: no quote, operator or column name of a query language has a meaning', async () => {
    const { store } = get();
    await store.apply(intentOf('add', [['Tea', 1]]), 1);
    for (const search of ['tea\0', '^tea', '-tea', '{tea', '"tea', 'tea*', "tea'--"]) {
      expect(await names(store, { search }), search).toEqual(['Tea']);
    }
    for (const search of ['tea" OR "x', 'tea OR x', 'name:tea', 'tea NOT x', 'NEAR(tea']) {
      expect(await names(store, { search }), search).toEqual([]);
    }
  });

  test('an item has one name: spellings that mean the same find it', async () => {
    const { store } = get();
    await store.apply(intentOf('add', [['Straße', 1]]), 1);
    await store.apply(intentOf('add', [['STRASSE', 1]]), 1);
    await store.apply(intentOf('add', [['ＳＴＲＡＳＳＥ', 1]]), 1);
    expect(await names(store, { items: ['strasse'] })).toEqual(['Straße']);
    expect((await store.view({ scope: null, sort: 'name', limit: 1 })).items[0]?.quantity).toBe(3000);
  });

  test.each(stockSorts)('pages sorted by %s neither skip nor repeat', async (sort) => {
    const { store } = get();
    const lines = Array.from({ length: 23 }, (_, n) => [`Item ${n}`, (n % 4) + 1] as const);
    await store.apply(intentOf('add', lines), 1);
    const whole = await names(store, { sort });
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.view({ scope: null, sort, limit: 5, cursor });
      paged.push(...page.items.map((item) => item.item));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(paged).toEqual(whole);
    expect(new Set(paged).size).toBe(23);
  });

  test.each(['quantity', '-quantity'] as const)(
    'pages sorted by %s neither skip nor repeat while stock moves, at one place, at several, and of what a search finds',
    async (sort) => {
      const { store } = get();
      const cellar = await store.addLocation(note, 'cellar');
      const lines = Array.from(
        { length: 24 },
        (_, n) => [`Item ${n}`, n + 1, n % 3 === 0 ? 'cellar' : 'main'] as const,
      );
      await store.apply(intentOf('add', lines), 1);
      const questions: readonly Partial<StockQuery>[] = [
        {},
        { location: 'cellar' },
        { scope: [1, cellar.id] },
        { search: 'it' },
        { location: 'main', search: 'it' },
      ];
      for (const question of questions) {
        const whole = await names(store, { sort, ...question });
        const paged: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await store.view({ scope: null, sort, limit: 5, ...question, cursor });
          paged.push(...page.items.map((item) => item.item));
          cursor = page.cursor;
          // The least becomes the most and the other way round, wherever the next page begins; and something new comes.
          const flood = lines.map(([item, quantity, place]) => [item, 100 - 2 * quantity, place] as const);
          await store.apply(intentOf('add', flood), 2);
          await store.apply(moveOf([['Item 1', 1, 'main', 'cellar']]), 2);
        } while (cursor !== undefined);
        expect(paged.filter((item) => whole.includes(item))).toEqual(whole);
        expect(new Set(paged).size).toBe(paged.length);
      }
    },
  );

  test.each([
    ['Ёлка', 'елка'],
    ['Ελιά', 'ΕΛΙΑ'],
    ['Łódź', 'lodz'],
    ['Smørrebrød', 'smorrebrod'],
    ['STRAẞE', 'strasse'],
    ['ＡＢＣ wide', 'abc'],
    ['H₂O', 'h2o'],
    ['عَرَبِيّ', 'عربي'],
    ['Crème', 'CRÈ'],
  ])('a search finds %s by %s: as names are compared, and without accents', async (item, search) => {
    const { store } = get();
    await store.apply(intentOf('add', [[item, 1]]), 1);
    expect(await names(store, { search })).toEqual([item]);
    expect(await names(store, { search: item })).toEqual([item]);
    expect(await names(store, { search, scope: [1] })).toEqual([item]);
  });

  test('a cursor is one that view returned for the same sort', async () => {
    const { store } = get();
    // In its canonical key this name is twice as long, and each character takes three bytes.
    await store.apply(
      intentOf('add', [
        ['㈱'.repeat(42), 1],
        ['㈲', 2],
      ]),
      1,
    );
    const { cursor } = await store.view({ scope: null, sort: '-name', limit: 1 });
    if (cursor === undefined) throw new Error('There are two items.');
    expect(cursor.length).toBeLessThanOrEqual(512);
    // So is the longest, which also tells what the item was sorted by.
    const longest = '\u{20000}'.repeat(64);
    await store.apply(intentOf('add', [[longest, 1]]), 1);
    await store.editItem(editOf(longest, { category: '\u{20001}'.repeat(64) }), 1);
    const byCategory = await store.view({ scope: null, sort: 'category', limit: 1 });
    expect(byCategory.items).toMatchObject([{ item: longest }]);
    expect(byCategory.cursor?.length).toBeLessThanOrEqual(cursorCharactersMax);
    const rest = await store.view({ scope: null, sort: 'category', limit: 9, cursor: byCategory.cursor });
    expect(rest.items.map(({ category }) => category)).toEqual([null, null]);
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const bad of ['', 'x', `${cursor}=`, encoded(null), encoded(['name', 'a', -1]), encoded(['name', 1, 1])]) {
      await expect(store.view({ scope: null, sort: 'name', limit: 1, cursor: bad })).rejects.toMatchObject({
        code: 'bad-params',
        message: 'cursor is not one that view returned.',
      });
    }
    await expect(store.view({ scope: null, sort: 'quantity', limit: 1, cursor })).rejects.toMatchObject({
      code: 'bad-params',
    });
  });
}
