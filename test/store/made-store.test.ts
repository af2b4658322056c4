import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { categoryOf, itemName, seriesItems, seriesName } from '../../scripts/made-store/catalogue.ts';
import { makeStore } from '../../scripts/made-store/make.ts';
import { appendLeaf, type Frontier, type LedgerRecord, leafHash, rootOf } from '../../src/model/ledger.ts';
import { canonicalKey } from '../../src/model/name.ts';
import {
  type HistoryQuery,
  type ItemStock,
  movementKinds,
  type StockQuery,
  type StockSort,
  stockSorts,
} from '../../src/model/stock.ts';
import { openStore } from '../../src/store/open.ts';
import { sha256 } from '../../src/store/sqlite/ledger.ts';
import { formatOperationId } from '../../src/store/sqlite/operation-id.ts';
import type { Store } from '../../src/store/store.ts';
import { startServer, temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, openAs } from '../support/wire-client.ts';
import { refusalOf } from './contract.ts';
import { editOf, intentOf, type Line } from './intent.ts';

// Also where the orders of view are tried on more than a few items: on a store that was made.

const until = Date.UTC(2026, 0, 1);

async function make(items: number, movements: number): Promise<string> {
  const path = join(await temporaryFolder(), 'made.db');
  makeStore(path, { items, movements, until }, () => undefined);
  return path;
}

function read<Row>(path: string, sql: string): readonly Row[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare(sql).all() as unknown as readonly Row[]; // Of the columns that the query names.
  } finally {
    database.close();
  }
}

test('a store that was made is served: its people, its stock and its history are there, and it goes on', async () => {
  const server = await startServer({ flags: { store: `sqlite:${await make(1100, 3000)}` } });
  const { accessToken } = await enrollAdministrator(server);
  const client = await openAs(server, accessToken);
  const ask = async (method: string, params: unknown) => (await client.ask(method, params))?.result;
  const people = await ask('user.list', {});
  expect(people?.['users']).toEqual(expect.arrayContaining([expect.objectContaining({ user: 'limited1' })]));
  const found = await ask('view', { search: seriesName(2) });
  expect(found?.['items']).toHaveLength(1100 - 2 * seriesItems);
  expect(found).not.toHaveProperty('unsorted');
  expect(await ask('view', { items: ['2000000000053'] })).toMatchObject({ items: [{ item: itemName(5) }], seq: 3000 });
  expect(await ask('view', { location: 'attic' })).toMatchObject({ items: [{ item: itemName(0) }] });
  const { movements } = (await ask('history', { limit: 1 })) ?? {};
  expect(movements).toMatchObject([{ seq: 3000 }]);
  const add = { item: itemName(5), quantity: 1, operation: '019b0000-0000-7000-8000-000000000001' };
  expect(await ask('add', add)).toMatchObject({ seq: 3001 });
});

test('a store that was made is true: its root is that of its records, its balances are the sums of its movements', async () => {
  const path = await make(500, 4000);
  type Columns = Record<string, string & number> & { readonly operation: Uint8Array };
  const rows = read<Columns>(
    path,
    'SELECT movement.*, name AS user FROM movement JOIN user ON id = user_id ORDER BY seq',
  );
  let frontier: Frontier = [];
  const sums = new Map<string, number>();
  for (const [at, row] of rows.entries()) {
    const record = {
      ...{ at: row['at'], balance: row['balance'], change: JSON.parse(row['change'] ?? 'null') },
      ...{ credential: row['credential'], delta: row['delta'], item: row['item'], itemId: row['item_id'] },
      ...{ kind: movementKinds.find((kind) => kind === row['kind']) ?? 'add', location: row['location'] },
      ...{ locationId: row['location_id'], note: row['note'], operation: formatOperationId(row.operation) },
      ...{ seen: row['seen'], seq: row['seq'], source: row['source'], undoes: row['undoes'], user: row['user'] },
    };
    const leaf = leafHash(record as unknown as LedgerRecord, sha256); // STRICT tables hold what they declare.
    expect(Buffer.compare(leaf, row['hash'] as unknown as Uint8Array)).toBe(0); // As above.
    frontier = appendLeaf(frontier, at, leaf, sha256);
    if (row['kind'] === 'item') continue;
    const place = `${row['item_id']} ${row['location_id']}`;
    sums.set(place, (sums.get(place) ?? 0) + Number(row['delta']));
    expect(row['balance']).toBe(sums.get(place));
  }
  expect(new Set(rows.map((row) => row['kind']))).toEqual(new Set(['item', 'add', 'take', 'count', 'move']));
  const store = await openStore(`sqlite:${path}`, { exclusive: true });
  const head = await store.head();
  await store.close();
  expect(head.size).toBe(4000);
  expect(Buffer.compare(head.root, rootOf(frontier, sha256))).toBe(0);
  const balances = read<{ place: string; quantity: number }>(
    path,
    "SELECT item_id || ' ' || location_id AS place, quantity FROM balance",
  );
  expect(new Map(balances.map(({ place, quantity }) => [place, quantity]))).toEqual(sums);
  const totals = 'SELECT id FROM item WHERE total <> (SELECT sum(quantity) FROM balance WHERE item_id = id)';
  expect(read(path, totals)).toEqual([]);
});

/** The names on all pages. */
async function namesOf(store: Store, query: Partial<StockQuery>): Promise<readonly string[]> {
  const names: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await store.view({ scope: null, sort: 'name', limit: 150, ...query, cursor });
    names.push(...page.items.map(({ item }) => item));
    cursor = page.cursor;
    if (cursor === undefined) return names;
  }
}

/** What each sort goes by, before names. */
const ranks: Readonly<Record<string, (item: ItemStock) => string | number | null>> = {
  quantity: ({ quantity }) => quantity,
  unit: ({ unit }) => unit,
  sku: ({ sku }) => sku,
  barcode: ({ barcode }) => barcode,
  category: ({ category }) => category && canonicalKey(category),
  lowAt: ({ lowAt }) => lowAt,
};

/** Items in an order; what has none of it comes last, in both directions. */
function sortedBy(sort: StockSort, items: readonly ItemStock[]): readonly ItemStock[] {
  const sign = sort.startsWith('-') ? -1 : 1;
  const rankOf = ranks[sort.replace('-', '')] ?? (() => 0);
  return items.toSorted((a, b) => {
    const [one, other] = [rankOf(a), rankOf(b)];
    if (one === other) return sign * (canonicalKey(a.item) < canonicalKey(b.item) ? -1 : 1);
    if (one === null || other === null) return one === null ? 1 : -1;
    return sign * (one < other ? -1 : 1);
  });
}

test('every order of view is what sorting everything would give, with movements that are indexed and some that wait', async () => {
  const path = await make(900, 5000);
  const store = await openStore(`sqlite:${path}`, { exclusive: true });
  onTestFinished(() => store.close());
  // Much moves to where it was not listed: to the front, to the end, to places where the item never was, and away.
  for (let item = 0; item < 300; item += 3) {
    const line: Line = [itemName(item), 1 + ((item * 7919) % 1000), item % 2 === 0 ? 'main' : 'shelf-03'];
    await store.apply(intentOf('add', [line]), until);
  }
  await store.editItem(editOf(itemName(3), { name: 'Zzz renamed' }), until);
  await store.editItem(editOf(itemName(9), { lowAt: 1e9 }), until);
  await store.editItem(editOf(itemName(12), { sku: 'A-1', barcode: null, category: 'Zoo', unit: 'boxes' }), until);
  await store.editItem(editOf('Zzz renamed', { sku: null, category: null, lowAt: 5000 }), until);
  const places = new Map((await store.locations(null)).map(({ id, name }) => [name, id]));
  const scopeOf = (...names: readonly string[]) => names.map((name) => places.get(name) ?? 0);
  const wholes = [
    { scope: null },
    { scope: null, location: 'main' },
    { scope: null, location: 'shelf-03' },
    { scope: scopeOf('shelf-03') },
    { scope: scopeOf('main', 'shelf-03', 'attic') },
    { scope: scopeOf('main', 'shelf-03'), location: 'main' },
  ];
  for (const whole of wholes) {
    const { items } = await store.view({ sort: 'name', limit: 10_000, ...whole });
    expect(items.length).toBeGreaterThan(20);
    for (const sort of stockSorts) {
      const sorted = (fits: (item: ItemStock) => boolean) => sortedBy(sort, items.filter(fits)).map(({ item }) => item);
      expect(await namesOf(store, { ...whole, sort }), `${JSON.stringify(whole)} ${sort}`).toEqual(sorted(() => true));
      const category = categoryOf(7);
      expect(await namesOf(store, { ...whole, sort, category })).toEqual(sorted((item) => item.category === category));
      const words = 'bl w';
      const found = sorted(({ item }) => words.split(' ').every((start) => item.toLowerCase().includes(` ${start}`)));
      expect(found.length).toBeGreaterThan(0);
      expect(await namesOf(store, { ...whole, sort, search: words })).toEqual(found);
      if (whole.location !== undefined) continue; // What is low is so everywhere.
      const isLow = ({ quantity, lowAt }: ItemStock) => lowAt !== null && quantity <= lowAt;
      expect(await namesOf(store, { ...whole, sort, low: true })).toEqual(sorted(isLow));
      const both = sorted((item) => isLow(item) && item.category === category);
      expect(await namesOf(store, { ...whole, sort, low: true, category })).toEqual(both);
    }
  }
});

/** A store of so many items that an answer is not sorted where no index has its order. */
async function makeLarge(items: number, path?: string): Promise<Store> {
  const store = await openStore(`sqlite:${path ?? (await make(items, 2 * items))}`, { exclusive: true });
  onTestFinished(() => store.close());
  return store;
}

/** Holds the pages by some columns against what sorting all of them would give. */
async function expectSorted(store: Store, sorts: readonly StockSort[], query: Partial<StockQuery>): Promise<void> {
  const items: ItemStock[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await store.view({ scope: null, sort: 'name', limit: 1000, ...query, cursor });
    items.push(...page.items);
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  expect(items.length).toBeGreaterThan(10_000);
  for (const sort of sorts) {
    const first = await store.view({ scope: null, sort, limit: 1, ...query });
    expect(first.isUnsorted, sort).toBe(false);
    const sorted = sortedBy(sort, items).map(({ item }) => item);
    expect(await namesOf(store, { sort, limit: 1000, ...query }), sort).toEqual(sorted);
  }
}

test('a search that finds too much to be sorted shows items as they were added, says so, and pages on', async () => {
  const items = 11_000;
  const path = await make(items, 2 * items);
  const store = await makeLarge(items, path);
  const query = { scope: null, sort: '-quantity', limit: 700, search: '2' } as const; // As all barcodes begin.
  const all = Array.from({ length: items }, (_, item) => itemName(item));
  const first = await store.view(query);
  expect(first).toMatchObject({ isUnsorted: true, items: all.slice(0, 700).map((item) => ({ item })) });
  const second = await store.view({ ...query, cursor: first.cursor });
  expect(second).toMatchObject({ isUnsorted: true, items: all.slice(700, 1400).map((item) => ({ item })) });

  // What a filter leaves of it is looked for among so many at a time, and a page may have less than it could.
  const category = categoryOf(7);
  const ofCategory = await namesOf(store, { search: '2', category });
  expect(ofCategory.toSorted()).toEqual((await namesOf(store, { category })).toSorted());
  const low = await namesOf(store, { search: '2', low: true });
  expect(low.toSorted()).toEqual((await namesOf(store, { low: true })).toSorted());

  // A page that was sorted has no next one in another order, and somebody limited never learns in what order items came.
  const question = { ...query, search: seriesName(0) };
  const { cursor } = await store.view({ ...question, limit: 1 });
  const another = refusalOf(store.view({ ...question, search: seriesName(1), cursor }));
  expect(await another).toMatchObject({ code: 'bad-params', message: 'cursor is one of another view.' });
  const foreign = refusalOf(store.view({ ...query, scope: [1], cursor: first.cursor }));
  expect(await foreign).toMatchObject({ code: 'bad-params' });
  expect(await store.view(question)).toMatchObject({ isUnsorted: false });
  // What is at few places is few, however much a search finds elsewhere.
  const scoped = await store.view({ ...query, scope: [2, 3] });
  const quantities = scoped.items.map(({ quantity }) => quantity);
  const sorted = quantities.toSorted((a, b) => b - a);
  expect({ quantities, isUnsorted: scoped.isUnsorted }).toEqual({ quantities: sorted, isUnsorted: false });

  // Archived items are sorted while they are few, and else looked for by name, so many at a time.
  // The other columns have orders of their own.
  const names = await namesOf(store, {});
  await expectSorted(store, ['unit', '-sku', 'barcode', '-category', 'lowAt'], {});
  const ofIt = new Set(await namesOf(store, { category }));
  const beside = new DatabaseSync(path);
  onTestFinished(() => beside.close());
  beside.exec('UPDATE item SET archived_at = 1 WHERE id % 4 = 3');
  const kept = new Set(await namesOf(store, {}));
  const archived = names.filter((name) => !kept.has(name));
  expect(archived).toHaveLength(items / 4);
  expect(await namesOf(store, { archived: true })).toEqual(archived);
  expect(await store.view({ scope: null, sort: '-quantity', limit: 9, archived: true })).toMatchObject({
    isUnsorted: false,
  });
  beside.exec('UPDATE item SET archived_at = 1 WHERE id % 40 <> 7');
  const most = new Set(await namesOf(store, {}));
  const many = names.filter((name) => !most.has(name));
  expect(many.length).toBeGreaterThan(10_000);
  expect(await namesOf(store, { archived: true })).toEqual(many);
  expect(await namesOf(store, { archived: true, sort: '-name' })).toEqual(many.toReversed());
  await expectSorted(store, ['-unit', 'category'], { archived: true });
  expect(await namesOf(store, { archived: true, category })).toEqual(many.filter((name) => ofIt.has(name)));
  // There is nothing left of what is archived.
  const byName = await store.view({ scope: null, sort: 'name', limit: 9, archived: true });
  expect(await store.view({ scope: null, sort: 'quantity', limit: 9, archived: true })).toEqual(byName);
  const words = many[5000] ?? '';
  expect(await namesOf(store, { archived: true, search: words })).toContain(words);
});

test('what is at several places is by any column but the quantity, where it is too much to be sorted: then by name, and it says so', async () => {
  const store = await makeLarge(17_500); // Of which three fifths are at main.
  const [main = 0, shelf = 0] = (await store.locations(null)).map(({ id }) => id);
  const query = { scope: [main, shelf], sort: '-quantity', limit: 300 } as const;
  const byName = await store.view({ ...query, sort: 'name' });
  const first = await store.view(query);
  expect(first).toEqual({ ...byName, isUnsorted: true });
  // So is the next page, by whichever order it is asked for.
  const { cursor } = byName;
  const next = await store.view({ ...query, cursor: first.cursor });
  expect(next).toEqual({ ...(await store.view({ ...query, sort: 'name', cursor })), isUnsorted: true });

  // Each place has an order by each other column, those of several are merged, and one has one by quantity.
  await expectSorted(store, ['unit', '-sku', 'category', 'lowAt'], { scope: query.scope });
  await expectSorted(store, ['sku', '-lowAt', '-quantity'], { location: 'main' });

  // What a filter leaves is looked for name by name, to the end.
  const { scope } = query;
  const all = await namesOf(store, { scope });
  const words = ['blue', 'ladle'];
  const fit = all.filter((name) => words.every((word) => name.includes(word)));
  expect(fit.length).toBeGreaterThan(0);
  expect(await namesOf(store, { scope, search: words.join(' ') })).toEqual(fit);
  const category = categoryOf(7);
  const ofCategory = new Set(await namesOf(store, { category }));
  const low = await namesOf(store, { scope, low: true });
  expect(low.length).toBeGreaterThan(0);
  expect(await namesOf(store, { scope, category, low: true })).toEqual(low.filter((name) => ofCategory.has(name)));
  expect(await store.view({ ...query, search: seriesName(0) })).toMatchObject({ isUnsorted: false });
  expect(await store.view({ ...query, scope: [shelf, main + shelf] })).toMatchObject({ isUnsorted: false });
});

test('history looks at so many movements for a page, and goes on behind them until all is found', async () => {
  const movements = 50_000;
  const store = await openStore(`sqlite:${await make(300, movements)}`, { exclusive: true });
  onTestFinished(() => store.close());
  const seqsOf = async (query: Partial<HistoryQuery>) => {
    const seqs: number[] = [];
    let pages = 0;
    for (let cursor: string | undefined; ; pages++) {
      const page = await store.history({ scope: null, limit: 1000, ...query, cursor });
      seqs.push(...page.movements.map(({ seq }) => seq));
      cursor = page.cursor;
      if (cursor === undefined) return { seqs, pages };
    }
  };
  const all = await seqsOf({});
  expect(all.seqs).toHaveLength(movements);
  const [main = 0, shelf = 0] = (await store.locations(null)).map(({ id }) => id);
  const counts = (await seqsOf({ kind: 'count' })).seqs;
  const inScope = new Set((await seqsOf({ scope: [main, shelf] })).seqs);
  const found = await seqsOf({ scope: [main, shelf], kind: 'count' });
  expect(found.seqs).toEqual(counts.filter((seq) => inScope.has(seq)));
  // None fits, and no page looked at everything to say so.
  expect(await seqsOf({ kind: 'undo', location: 'main' })).toMatchObject({ seqs: [] });
  expect((await seqsOf({ scope: [main, shelf], kind: 'undo' })).pages).toBeGreaterThan(0);
  expect(await store.history({ scope: null, kind: 'item', location: 'main', limit: 1 })).toEqual({
    movements: [],
    cursor: undefined,
  });
});
