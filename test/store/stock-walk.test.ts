import { expect, onTestFinished, test } from 'vitest';
import { canonicalKey } from '../../src/model/name.ts';
import { type StockQuery, stockSorts } from '../../src/model/stock.ts';
import type { Scope } from '../../src/model/user.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { repeatedColumns } from '../../src/store/sqlite/item-facts.ts';
import { migrate } from '../../src/store/sqlite/migrations.ts';
import { cursorAfter, lookUp, orderOf, turnTo } from '../../src/store/sqlite/stock-question.ts';
import { viewStock } from '../../src/store/sqlite/stock-view.ts';
import { walk } from '../../src/store/sqlite/stock-walk.ts';
import { Explained } from './explained.ts';
import { randomFrom } from './model-contract.ts';

interface Known {
  readonly item: string;
  readonly unit: string;
  readonly sku: string | null;
  readonly barcode: string | null;
  readonly category: string | null;
  readonly lowAt: number | null;
  readonly total: number;
  readonly isArchived: boolean;
  /** What is, or was, at the second location, and at the third. */
  readonly cellar: number | null;
  readonly attic: number | null;
}

const sorts = stockSorts.filter((sort) => !/quantity/.test(sort));

function write(database: Database, id: number, known: Known): void {
  const { item, unit, sku, barcode, category, lowAt, total, isArchived, cellar, attic } = known;
  const key = canonicalKey(item);
  database.run(
    `INSERT OR REPLACE INTO item (id, name, key, unit, sku, barcode, category, category_key, low_at, archived_at, total)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[id, item, key, unit, sku, barcode, category, category && canonicalKey(category), lowAt],
    ...[isArchived ? 1 : null, total],
  );
  database.run('DELETE FROM balance WHERE item_id = ?', id);
  for (const [location, quantity] of [cellar, attic].entries()) {
    if (quantity === null) continue;
    database.run(
      `INSERT INTO balance (item_id, location_id, quantity, ${repeatedColumns})
       SELECT id, ?, ?, ${repeatedColumns} FROM item WHERE id = ?`,
      ...[location + 2, quantity, id],
    );
  }
}

/** A store in memory; a unit, a code, a category, a threshold each on some of the items only. */
function fill(seed: number, database = new Database(':memory:')) {
  onTestFinished(() => database.close());
  migrate(database, 0);
  database.script(
    "PRAGMA foreign_keys = OFF; INSERT INTO location (name, key) VALUES ('cellar', 'cellar'), ('attic', 'attic')",
  );
  const random = randomFrom(seed);
  const some = <Value>(value: Value) => (random(3) === 0 ? null : value);
  const draw = (id: number): Known => ({
    // Capitals, and letters that UTF-16 orders otherwise than UTF-8 does.
    item: `${['a', 'B', '\u{20000}', '\uff5e', 'é'][random(5)]} ${id}`,
    unit: ['pcs', 'pcs', 'pcs', 'kg', 'boxes', 'rolls', 'Σ'][random(7)] ?? 'pcs',
    sku: some(`${['X', 'x', '\u{20000}', '\uff5e'][random(4)]}${id}`),
    barcode: some(String(4000 + random(3000) * 1000 + id)),
    category: some(['Food', 'food ', 'Tools', 'Ærø'][random(4)]?.trim() ?? null),
    lowAt: some(random(4) * 1000),
    total: random(5) * 1000,
    isArchived: random(5) === 0,
    cellar: some(random(3) * 1000),
    attic: some(random(3) * 1000),
  });
  const world = new Map(Array.from({ length: 60 }, (_, at) => [at + 1, draw(at + 1)]));
  for (const [id, known] of world) write(database, id, known);
  return { database, world, random, draw };
}

const compare = (a: string | number, b: string | number) =>
  typeof a === 'number' && typeof b === 'number' ? a - b : Buffer.compare(Buffer.from(`${a}`), Buffer.from(`${b}`));

const isOf = (category: string | null, asked: string) =>
  category !== null && canonicalKey(category) === canonicalKey(asked);

type Shown = readonly [item: string, quantity: number];

/** All that fits, sorted; what has none last, in both directions. */
function sorted(world: Iterable<Known>, query: StockQuery): readonly Shown[] {
  const { column, direction } = orderOf(query.sort);
  const sign = direction === 'ASC' ? 1 : -1;
  const ranks: Readonly<Record<string, (known: Known) => string | number | null>> = {
    name: () => null,
    unit: ({ unit }) => unit,
    sku: ({ sku }) => sku,
    barcode: ({ barcode }) => barcode,
    category: ({ category }) => category && canonicalKey(category),
    lowAt: ({ lowAt }) => lowAt,
  };
  const rankOf = ranks[column] ?? expect.unreachable(column);
  const quantityOf = ({ total, cellar, attic }: Known, scope: Scope): number | null => {
    if (scope === null) return total;
    const there = [cellar, attic].filter((quantity, at) => quantity !== null && scope.includes(at + 2));
    return there.length === 0 ? null : there.reduce((sum: number, quantity) => sum + (quantity ?? 0), 0);
  };
  const places = query.location === undefined ? query.scope : [2];
  const fits = (known: Known) =>
    known.isArchived === (query.archived ?? false) &&
    (query.category === undefined || isOf(known.category, query.category)) &&
    (!query.low || (known.lowAt !== null && (quantityOf(known, query.scope) ?? 0) <= known.lowAt)) &&
    quantityOf(known, places) !== null &&
    (query.search === undefined || canonicalKey(known.item).startsWith(query.search));
  return [...world]
    .filter(fits)
    .sort((a, b) => {
      const [one, other] = [rankOf(a), rankOf(b)];
      if (one === null || other === null) {
        if (one !== other) return one === null ? 1 : -1;
      } else if (one !== other) return sign * compare(one, other);
      return sign * compare(canonicalKey(a.item), canonicalKey(b.item));
    })
    .map((known) => [known.item, quantityOf(known, places) ?? 0]);
}

/** What is on all pages, as `viewStock` asks for them; between two of them something may happen. */
function pages(
  database: Database,
  asked: StockQuery,
  lookedMax: number,
  between: (cursor: string) => void = () => {},
): readonly Shown[] {
  const shown: Shown[] = [];
  for (let cursor: string | undefined; ; between(cursor)) {
    const query = { ...asked, cursor };
    const question = turnTo(database, query, lookUp(database, query), true);
    const { rows, end } = walk(database, question, lookedMax);
    shown.push(...rows.slice(0, query.limit).map(({ name, quantity }) => [name, quantity] as const));
    const last = rows.length > query.limit ? rows[query.limit - 1] : end;
    if (!last) return shown;
    cursor = cursorAfter(question, last);
  }
}

const filters: readonly Partial<StockQuery>[] = [
  {},
  { category: 'FOOD' },
  { low: true },
  { archived: true },
  { archived: true, category: 'food', low: true },
  { location: 'cellar' },
  { location: 'cellar', category: 'Tools', low: true },
  { location: 'cellar', search: 'b' },
  { location: 'cellar', archived: true },
  { location: 'cellar', scope: [2, 3], low: true },
  { scope: [2] },
  { scope: [2, 3] },
  { scope: [2, 3], category: 'food' },
  { scope: [3], low: true },
  { scope: [2, 3], archived: true, search: 'b' },
];

test.each(sorts)('pages by %s are what sorting everything would give, however few items a page may look at', (sort) => {
  const { database, world } = fill(1);
  for (const filter of filters) {
    const query: StockQuery = { scope: null, sort, limit: 2, ...filter };
    const whole = sorted(world.values(), query);
    expect(whole.length, JSON.stringify(filter)).toBeGreaterThan(0);
    for (const lookedMax of [3, 1000]) {
      expect(pages(database, query, lookedMax), `${JSON.stringify(filter)} ${lookedMax}`).toEqual(whole);
    }
  }
});

test.each(sorts)(
  'pages by %s neither skip nor repeat what is left alone while the rest is edited, moved and made',
  (sort) => {
    const { database, world, random, draw } = fill(2);
    let left = 0;
    for (const filter of filters) {
      const query: StockQuery = { scope: null, sort, limit: 2, ...filter };
      const before = [...world.values()];
      const touched = new Set<string>();
      const touch = (id: number) => {
        const known = { ...draw(id), item: world.get(id)?.item ?? draw(id).item };
        touched.add(known.item);
        write(database, id, known);
        world.set(id, known);
      };
      const paged = pages(database, query, 9, () => {
        // Every third of what was there, and some that were not.
        for (let times = 0; times < 3; times++) touch(1 + random(25) * 3);
      });
      const untouched = (shown: readonly Shown[]) => shown.filter(([item]) => !touched.has(item));
      left += untouched(paged).length;
      expect(untouched(paged), JSON.stringify(filter)).toEqual(untouched(sorted(before, query)));
    }
    expect(left).toBeGreaterThan(60);
  },
);

test('a page by any column begins at its place in an index, sorts nothing, and looks at no more than it may', () => {
  const explained = new Explained(':memory:');
  const { database, world } = fill(3, explained);
  for (const sort of sorts) {
    for (const filter of filters) pages(database, { scope: null, sort, limit: 2, ...filter }, 9);
  }
  const reads = explained.plan.map((step) => step.replace(/(item|balance) USING/, 'USING'));
  // What is scanned is no more than what the inner query gives, or a parameter; sums are of the rows that are shown.
  const found = reads.filter((step) => !/^(SEARCH|CO-ROUTINE|SCAN next$|CORRELATED|LIST)/.test(step));
  expect(new Set(found)).toEqual(
    new Set(['SCAN USING COVERING INDEX sqlite_autoindex_item_1', 'SCAN json_each VIRTUAL TABLE INDEX 1:']),
  );
  // Those are of an index alone. Of the tables one row is looked up for each.
  const whole = explained.plan.filter((step) => /(item|balance) USING/.test(step) && !step.includes('COVERING'));
  expect(new Set(whole)).toEqual(
    new Set([
      'SEARCH item USING INTEGER PRIMARY KEY (rowid=?)',
      'SEARCH balance USING PRIMARY KEY (item_id=? AND location_id=?)',
    ]),
  );
  const begun = reads.filter((step) => /[<>]\(\?,\?\)/.test(step));
  expect(new Set(begun.map((step) => /INDEX (\w+)/.exec(step)?.[1]))).toEqual(
    new Set(
      ['unit', 'sku', 'barcode', 'category', 'low_at'].flatMap((column) => [`item_${column}`, `balance_${column}`]),
    ),
  );
  // Of a second location no more is read than what comes before the end of a full page.
  const ends = [...explained.plans].flatMap(([sql, plan]) => {
    const [, rank, sign] = /\((\w+), key\) ([<>]) \(\?4, \?5\)/.exec(sql) ?? [];
    return rank === undefined ? [] : [{ sql, plan, rank, end: `(${rank},key)${sign}(?,?)` }];
  });
  expect(ends.filter(({ rank }) => rank === 'unit').length).toBeGreaterThan(2);
  for (const { sql, plan, end } of ends) expect(plan.join(), sql).toContain(end);
  let more = 0;
  const nothing: StockQuery = { scope: null, sort: 'sku', limit: 3, location: 'cellar', search: 'nothing' };
  expect(pages(database, nothing, 8, () => more++)).toEqual([]);
  // What is there with a SKU, and then among all that is there what has none.
  const there = [...world.values()].filter(({ cellar }) => cellar !== null);
  const withSku = there.filter(({ sku }) => sku !== null);
  expect(more).toBe(Math.floor((withSku.length + there.length) / 8));
  // Of two locations each has its half of that, however long the page may be.
  let moreOfBoth = 0;
  pages(database, { scope: [2, 3], sort: 'name', limit: 40, search: 'nothing' }, 8, () => moreOfBoth++);
  const inAttic = [...world.values()].filter(({ attic }) => attic !== null);
  expect(moreOfBoth).toBeGreaterThanOrEqual(Math.floor((there.length + inAttic.length) / 8));
});

test('by quantity at a place no archived item is passed over: the index has none', () => {
  const explained = new Explained(':memory:');
  fill(5, explained);
  viewStock(explained, { scope: null, sort: 'quantity', limit: 2, location: 'cellar' });
  expect(explained.plan.filter((step) => step.includes('INDEX balance_listed'))).toHaveLength(1);
  const sql = "SELECT sql FROM sqlite_schema WHERE name = 'balance_listed'";
  expect(explained.one<{ sql: string }>(sql).sql).toMatch(/WHERE archived_at IS NULL$/);
});

test.each(sorts)('no page by %s in a scope tells of what is elsewhere, not even by where it ends', (sort) => {
  for (const scope of [[2], [2, 3]]) {
    const [whole, alone] = [fill(4).database, fill(4).database];
    const there = `SELECT item_id FROM balance WHERE location_id IN (${scope.join()})`;
    alone.script(`DELETE FROM item WHERE id NOT IN (${there}); DELETE FROM balance WHERE item_id NOT IN (${there})`);
    for (const filter of filters) {
      const query: StockQuery = { ...filter, scope, sort, limit: 2 };
      const [told, toldAlone] = [whole, alone].map((database) => {
        const cursors: string[] = [];
        return { shown: pages(database, query, 9, (cursor) => cursors.push(cursor)), cursors };
      });
      expect(told, JSON.stringify(filter)).toEqual(toldAlone);
    }
  }
});

test('how much of a category is elsewhere is told by no page in a scope, however much there is', () => {
  const told = [5, 11_000].map((elsewhere) => {
    const database = new Database(':memory:');
    onTestFinished(() => database.close());
    migrate(database, 0);
    // The last one of 12,000 here is of the category, and all that are at no place.
    database.script(`
      WITH RECURSIVE one (id) AS (VALUES (100001) UNION ALL SELECT id + 1 FROM one WHERE id < ${112_000 + elsewhere})
      INSERT INTO item (id, name, key, sku, category, category_key, low_at)
      SELECT id, id, id, id, iif(id < 112000, 'Tools', 'Food'), iif(id < 112000, 'tools', 'food'), iif(id < 112000, NULL, 9)
      FROM one;
      INSERT INTO balance (item_id, location_id, quantity, ${repeatedColumns})
      SELECT id, 1, 5, ${repeatedColumns} FROM item WHERE id <= 112000`);
    const filters = [{ category: 'food' }, { low: true }, { low: true, category: 'food' }];
    return filters.flatMap((filter) =>
      stockSorts.map((sort) => viewStock(database, { scope: [1], sort, limit: 5, ...filter })),
    );
  });
  expect(told[1]).toEqual(told[0]);
  expect(new Set(told[0]?.map(({ items, isUnsorted }) => `${items.length} ${isUnsorted}`))).toEqual(
    new Set(['1 false']),
  );
});

test('what is low in a category, where both are many, is looked for among so many at a time', () => {
  const database = new Database(':memory:');
  onTestFinished(() => database.close());
  migrate(database, 0);
  // Every second one is low, and of the others' category only the last one.
  database.script(`
    WITH RECURSIVE one (id) AS (VALUES (100001) UNION ALL SELECT id + 1 FROM one WHERE id < 124000)
    INSERT INTO item (id, name, key, low_at, category, category_key)
    SELECT id, id, id, iif(id % 2 OR id = 124000, 0, NULL), iif(id % 2, 'Food', 'Tools'), iif(id % 2, 'food', 'tools') FROM one
  `);
  for (const sort of ['name', '-name', 'quantity'] as const) {
    const shown: string[][] = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = viewStock(database, { scope: null, sort, limit: 5, category: 'Tools', low: true, cursor });
      expect(page.isUnsorted).toBe(sort === 'quantity');
      shown.push(page.items.map(({ item }) => item));
      cursor = page.cursor;
    }
    expect(shown, sort).toEqual(sort === '-name' ? [['124000'], []] : [[], ['124000']]);
  }
});
