import { expect, test } from 'vitest';
import { watchLookMax } from '../../src/model/limits.ts';
import type { WatchQuery } from '../../src/model/stock.ts';
import type { Fixture } from './contract.ts';
import { intentOf, type Line, note } from './intent.ts';

/** What the store promises whoever follows the ledger. */
export function feedContract(get: () => Fixture): void {
  /** All pages after a movement. */
  const follow = async (query: Partial<WatchQuery> & Pick<WatchQuery, 'after'>) => {
    const { store } = get();
    const { size } = await store.head();
    const seqs: number[] = [];
    for (let { after } = query; after < size; ) {
      const page = await store.movementsAfter({ scope: null, low: false, limit: 7, ...query, after });
      expect(page.through).toBeGreaterThan(after);
      seqs.push(...page.movements.map(({ seq }) => seq));
      after = page.through;
    }
    return seqs;
  };

  test('the movements after one are those of history, in order, page by page', async () => {
    const { store } = get();
    for (let n = 0; n < 20; n++) await store.apply(intentOf(n % 3 === 2 ? 'take' : 'add', [['Soap', 1]]), n);
    const { movements } = await store.history({ scope: null, limit: 100 });
    const page = await store.movementsAfter({ scope: null, after: 3, low: false, limit: 100 });
    expect(page).toEqual({ movements: movements.toReversed().slice(3), through: 20 });
    expect(await follow({ after: 3 })).toEqual(page.movements.map(({ seq }) => seq));
    expect(await store.movementsAfter({ scope: null, after: 20, low: false, limit: 9 })).toEqual({
      movements: [],
      through: 20,
    });
  });

  test('in a scope they are those at its locations, whether they are indexed yet or not', async () => {
    const { store } = get();
    for (const name of ['cellar', 'attic', 'shed']) await store.addLocation(note, name);
    const places = ['main', 'cellar', 'main', 'attic', 'main', 'main', 'shed'];
    const lines = Array.from({ length: 1000 }, (_, at): Line => ['Soap', 1, places[at % 7] ?? 'main']);
    for (let page = 0; page < 6; page++) await store.apply(intentOf('add', lines), page);
    const within = (names: readonly string[]) =>
      Array.from({ length: 6000 }, (_, at) => at + 1).filter((seq) =>
        names.includes(places[((seq - 1) % 1000) % 7] ?? ''),
      );
    for (const [scope, names] of [
      [[2], ['cellar']],
      [
        [2, 3, 4],
        ['cellar', 'attic', 'shed'],
      ],
      [[], []],
    ] as const) {
      for (const after of [0, 4090, 5990]) {
        const expected = within(names).filter((seq) => seq > after);
        expect(await follow({ scope, after, limit: 100 })).toEqual(expected);
      }
    }
    const page = await store.movementsAfter({ scope: [2], after: 5990, low: false, limit: 100 });
    expect(page.through).toBe(6000);
  });

  test('movements that make stock low are found however far apart they are, and are none in a scope', async () => {
    const { store } = get();
    const many = Array.from({ length: 1000 }, (): Line => ['Soap', 1]);
    for (let page = 0; page * 1000 <= watchLookMax; page++) await store.apply(intentOf('add', many), page);
    expect(await follow({ after: 0, low: true })).toEqual([]);
    const { through } = await store.movementsAfter({ scope: null, after: 0, low: true, limit: 7 });
    expect(through).toBe(watchLookMax);
    expect(await follow({ after: 0, low: true, scope: [1] })).toEqual([]);
  });

  test('whoever listens is told how long the ledger is after each growth, and of nothing else', async () => {
    const { store } = get();
    const sizes: number[] = [];
    store.onGrowth((size) => void sizes.push(size));
    await store.apply(intentOf('add', [['Soap', 1]]), 1);
    await store.addLocation(note, 'cellar');
    await store.apply(intentOf('take', [['Soap', 9]]), 1).catch(() => undefined);
    await store.view({ scope: null, sort: 'name', limit: 1 });
    const two: Line[] = [
      ['Soap', 1],
      ['Soap', 1],
    ];
    await store.apply(intentOf('add', two), 1);
    expect(sizes).toEqual([1, 3]);
  });
}
