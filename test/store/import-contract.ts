import { expect, test } from 'vitest';
import type { Failure } from '../../src/model/failure.ts';
import type { ImportIntent, ImportProblem, ImportRow } from '../../src/model/import.ts';
import type { Scope } from '../../src/model/user.ts';
import type { Store } from '../../src/store/store.ts';
import { type Fixture, refusalOf } from './contract.ts';
import { countOf, editOf, hashOf, intentOf, moveOf, note, undoOf } from './intent.ts';
import { randomFrom } from './model-contract.ts';

const hour = 3_600_000;
const me = { userId: 1, scope: null };

/** A row of so many pieces. */
function row(line: number, item: string, pieces: number, more: Partial<ImportRow> = {}): ImportRow {
  return { line, item, location: 'main', quantity: pieces * 1000, about: {}, note: null, ...more };
}

/** An import of user 1 with all of its rows in one page. */
async function stage(store: Store, rows: readonly ImportRow[], more: Partial<ImportIntent> = {}, now = 1000) {
  const intent = { name: 'a.csv', digest: hashOf(1), rows: rows.length, again: false, ...me, ...more };
  const id = await store.beginImport(intent, now);
  expect(await store.stageRows(intent, id, 0, rows, now)).toBe(rows.length);
  return id;
}

/** A wish to make an item. */
const newItem = (item: string, change: Parameters<typeof editOf>[1] = {}) =>
  editOf(item, { name: item, ...change }, { isNew: true });

async function problemsOf(store: Store, id: number, scope: Scope = null): Promise<readonly ImportProblem[]> {
  const problems: ImportProblem[] = [];
  for (let from: number | null = 0; from !== null; ) {
    const slice = await store.checkImport({ userId: 1, scope }, id, from);
    problems.push(...slice.problems);
    from = slice.next;
  }
  return problems;
}

async function accept(store: Store, id: number, now = 1000, scope: Scope = null) {
  expect(await problemsOf(store, id, scope)).toEqual([]);
  return store.acceptImport({ userId: 1, scope, credential: 'session:test', source: '127.0.0.1' }, id, now);
}

/** Rolls until there is nothing to do; what stopped an import, if anything did. */
async function roll(store: Store, now = 1000) {
  const stops: ImportProblem[] = [];
  for (;;) {
    const { more, stopped } = await store.rollImports(now);
    if (stopped) stops.push(stopped.problem);
    if (!more) return stops;
  }
}

async function stock(store: Store) {
  const { items } = await store.view({ scope: null, sort: 'name', limit: 1000 });
  return Object.fromEntries(items.map(({ item, quantity }) => [item, quantity / 1000]));
}

export function importContract(get: () => Fixture): void {
  test('an import counts nothing before it is accepted, and then each row once', async () => {
    const { store } = get();
    await store.apply(intentOf('add', [['Soap', 5]]), 1);
    const flour = { unit: 'kg', precision: 3, sku: 'F-1', category: 'Dry', lowAt: 500 };
    const rows = [
      row(2, 'Flour', 12.5, { about: flour, note: 'mill' }),
      row(3, 'soap', 7),
      row(4, 'Flour', 0.5, { about: { unit: 'kg' } }),
      row(5, 'Saffron', 0, { about: { unit: 'g' } }),
      row(6, '4006381333931', 2),
    ];
    const id = await stage(store, rows);
    expect(await roll(store)).toEqual([]);
    expect(await stock(store)).toEqual({ Soap: 5 });
    expect(await accept(store, id)).toMatchObject({ state: 'accepted', rows: 5, done: 0 });
    expect(await stock(store)).toEqual({ Soap: 5 });
    expect(await roll(store)).toEqual([]);
    expect(await stock(store)).toEqual({ Flour: 13, Soap: 12, Saffron: 0, '4006381333931': 2 });
    expect(await store.importStatus(me, id)).toMatchObject({ state: 'done', done: 5, name: 'a.csv', user: 'clerk1' });
    const { items } = await store.view({ scope: null, items: ['f-1'], sort: 'name', limit: 9 });
    expect(items).toMatchObject([{ item: 'Flour', ...flour }]);
    const { movements } = await store.history({ scope: null, limit: 99 });
    expect(movements.toReversed().map(({ kind, item, delta, note: why }) => [kind, item, delta, why])).toEqual([
      ['add', 'Soap', 5000, null],
      ['item', 'Flour', 0, 'mill'],
      ['add', 'Flour', 12_500, 'mill'],
      ['item', 'Saffron', 0, null],
      ['add', 'Soap', 7000, null],
      ['add', 'Flour', 500, null],
      ['add', '4006381333931', 2000, null],
    ]);
  });

  test('everything that is wrong with an import is found, by line, and it is not accepted', async () => {
    const { store } = get();
    await store.apply(intentOf('add', [['Soap', 5]]), 1);
    const id = await stage(store, [
      row(2, 'Soap', 1.5),
      row(3, 'Soap', 1, { about: { unit: 'kg', sku: 'S' } }),
      row(4, 'Gold', 1, { location: 'attic' }),
      row(5, 'Flour', 1, { about: { precision: 2, sku: 'F-1' } }),
      row(6, 'flour', 0.125),
      row(7, 'Flour', 1, { about: { precision: 1 } }),
      row(8, 'F-1', 1),
      row(9, 'Rye', 1, { about: { barcode: 'soap' } }),
      row(10, 'Oat', 1, { about: { barcode: 'flour' } }),
      row(11, 'Sand', 1e12),
      row(12, 'Sand', 1),
      row(13, 'Tea', 1),
    ]);
    const problems = await problemsOf(store, id);
    expect(problems.map(({ line, problem }) => `${line} ${problem}`)).toEqual([
      '2 Soap is counted in whole pieces (got 1.5).',
      '3 The unit of Soap is pcs in the inventory.',
      '3 The SKU of Soap is none in the inventory.',
      '4 No location "attic".',
      '6 flour is counted with at most 2 decimals (got 0.125).',
      '7 The precision of Flour is 2 in line 5.',
      '8 The item F-1 means Flour in line 5.',
      '9 The barcode soap is that of Soap in the inventory.',
      '10 The barcode flour means Flour in line 5.',
      '12 An item may have at most 1,000,000,000,000 in all locations.',
    ]);
    expect(problems.every(({ fix }) => fix.length > 0)).toBe(true);
    const asked = { ...me, credential: 'session:test', source: '127.0.0.1' };
    expect(await refusalOf(store.acceptImport(asked, id, 1))).toMatchObject({ code: 'busy' });
    expect(await store.importStatus(me, id)).toMatchObject({ state: 'staged', looked: null });
    await roll(store);
    expect(await stock(store)).toEqual({ Soap: 5 });
  });

  test('how far an import is looked at is told until it is accepted', async () => {
    const { store } = get();
    const rows = Array.from({ length: 1000 }, (_, at) => row(at + 2, `Item ${at}`, 1));
    const id = await stage(store, rows);
    const looked = async () => (await store.importStatus(me, id)).looked;
    expect(await looked()).toBeNull();
    for (let from: number | null = 0; from !== null; ) {
      const { next }: { next: number | null } = await store.checkImport(me, id, from);
      expect(await looked()).toBe(next ?? rows.length);
      from = next;
    }
    await accept(store, id);
    expect(await looked()).toBeNull();
  });

  test('names and codes are told apart by their last letter, however long, and depended on', async () => {
    const { store } = get();
    const long = (end: string) => `${'㈱'.repeat(40)}${end}`;
    const id = await stage(store, [
      row(2, long('a'), 1, { about: { sku: long('s'), unit: 'kg' } }),
      row(3, long('b'), 1),
      row(4, long('A'), 1, { about: { unit: 'g' } }),
      row(5, long('c'), 1, { about: { barcode: long('S') } }),
      row(6, long('d'), 1, { about: { barcode: long('t') } }),
      ...['nowhere', 'Nowhere', 'main', 'ＭＡＩＮ'].map((location, at) => row(7 + at, 'Soap', 1, { location })),
    ]);
    const problems = await problemsOf(store, id);
    expect(problems.map(({ line, problem }) => `${line} ${problem}`)).toEqual([
      `4 The unit of ${long('A')} is kg in line 2.`,
      `5 The barcode ${long('S')} means ${long('a')} in line 2.`,
      '7 No location "nowhere".',
      '8 No location "Nowhere".',
    ]);
    const good = await stage(store, [row(2, long('a'), 1e12), row(3, long('b'), 1, { about: { sku: long('s') } })]);
    expect(await problemsOf(store, good)).toEqual([]);
    // It makes an item of this code itself, so that the look begins again.
    await store.apply(intentOf('add', [[long('s'), 1]]), 1);
    const asked = { ...me, credential: 'session:test', source: '127.0.0.1' };
    expect(await refusalOf(store.acceptImport(asked, good, 1))).toMatchObject({ code: 'busy' });
    expect(await problemsOf(store, good)).toMatchObject([{ line: 3, problem: expect.stringContaining('is that of') }]);
  });

  test('an import that was not looked at to its end is not accepted', async () => {
    const { store } = get();
    const id = await stage(store, [row(2, 'Soap', 1)]);
    const asked = { ...me, credential: 'session:test', source: '127.0.0.1' };
    expect(await refusalOf(store.acceptImport(asked, id, 1))).toMatchObject({ code: 'busy' });
    const half = await store.beginImport({ name: null, digest: hashOf(2), rows: 2, again: false, ...me }, 1);
    await store.stageRows(me, half, 0, [row(2, 'Soap', 1)], 1);
    expect(await refusalOf(store.checkImport(me, half, 0))).toMatchObject({ code: 'conflict' });
    expect(await refusalOf(store.checkImport(me, id, 7))).toMatchObject({ code: 'busy' });
  });

  test('a page that comes twice is staged once, one out of turn and one too many not at all', async () => {
    const { store } = get();
    const id = await store.beginImport({ name: null, digest: hashOf(1), rows: 3, again: false, ...me }, 1);
    expect(await store.stageRows(me, id, 0, [row(2, 'A', 1), row(3, 'B', 1)], 1)).toBe(2);
    expect(await store.stageRows(me, id, 0, [row(2, 'A', 1), row(3, 'B', 1)], 1)).toBe(2);
    expect(await refusalOf(store.stageRows(me, id, 2, [row(4, 'C', 1)], 1))).toMatchObject({ code: 'bad-params' });
    const many = [row(4, 'C', 1), row(5, 'D', 1)];
    expect(await refusalOf(store.stageRows(me, id, 1, many, 1))).toMatchObject({ code: 'bad-params' });
    expect(await store.stageRows(me, id, 1, [row(4, 'C', 1)], 1)).toBe(3);
    await accept(store, id);
    expect(await refusalOf(store.stageRows(me, id, 2, [row(5, 'D', 1)], 1))).toMatchObject({ code: 'conflict' });
    await roll(store);
    expect(await stock(store)).toEqual({ A: 1, B: 1, C: 1 });
  });

  test('the same file a second time is refused, by whomever, unless it is wanted', async () => {
    const { store } = get();
    await store.addUser(note, 'manager2', 'manager', null, 1);
    const other = { userId: 2, scope: null };
    const id = await stage(store, [row(2, 'Soap', 1)]);
    // Two are under way, and one is first.
    const late = await stage(store, [row(2, 'Soap', 1)]);
    await accept(store, id, Date.UTC(2026, 4, 3, 14, 2));
    const again = { name: null, digest: hashOf(1), rows: 1, again: false, ...other };
    const said = 'This file was imported on 2026-05-03 14:02 UTC by clerk1 (import 1).';
    const whileCounted = await refusalOf(store.beginImport(again, 1));
    expect(whileCounted).toMatchObject({ code: 'conflict', message: said });
    expect(whileCounted.details.hint).toBe('It is being counted. See: secure-inv import status 1');
    await roll(store);
    expect((await refusalOf(store.beginImport(again, 1))).details.hint).toContain('--again');
    expect(await problemsOf(store, late)).toEqual([]);
    const asked = { ...me, credential: 'session:test', source: '127.0.0.1' };
    expect(await refusalOf(store.acceptImport(asked, late, 1))).toMatchObject({ code: 'conflict', message: said });
    // Accepted once more, as when an answer was lost, it is what it was.
    expect(await store.acceptImport(asked, id, 1)).toMatchObject({ state: 'done' });
    await accept(store, await stage(store, [row(2, 'Soap', 1)], { again: true }));
    await roll(store);
    expect(await stock(store)).toEqual({ Soap: 2 });
  });

  test('an import is its own user’s, and anybody who is not limited may see how far it is', async () => {
    const { store } = get();
    await store.addUser(note, 'manager2', 'manager', null, 1);
    const id = await stage(store, [row(2, 'Soap', 1)]);
    const other = { userId: 2, scope: null };
    expect(await refusalOf(store.stageRows(other, id, 1, [row(3, 'A', 1)], 1))).toMatchObject({ code: 'not-found' });
    expect(await refusalOf(store.checkImport(other, id, 0))).toMatchObject({ code: 'not-found' });
    expect(await store.importStatus(other, id)).toMatchObject({ user: 'clerk1', state: 'staged' });
    expect(await refusalOf(store.importStatus({ userId: 2, scope: [1] }, id))).toMatchObject({ code: 'not-found' });
  });

  test('whoever is limited imports to their locations, and describes only what is there', async () => {
    const { store } = get();
    await store.addLocation(note, 'cellar');
    await store.apply(intentOf('add', [['Soap', 5]]), 1);
    await store.apply(intentOf('add', [['Salt', 5, 'cellar']]), 1);
    const scope = [2];
    const at = { location: 'cellar' };
    const bad = await stage(store, [
      row(2, 'Salt', 1),
      row(3, 'Soap', 1, { ...at, about: { unit: 'pcs' } }),
      row(4, 'New', 1, { ...at, about: { unit: 'pcs' } }),
      row(5, 'New', 0, at),
    ]);
    expect((await problemsOf(store, bad, scope)).map(({ line, problem }) => `${line} ${problem}`)).toEqual([
      '2 No location "main".',
      '3 You are limited to some locations, and this item is not known there.',
      '4 You are limited to some locations, and this item is not known there.',
      '5 You are limited to some locations, and this item is not known there.',
    ]);
    const rows = [row(2, 'Salt', 1, { ...at, about: { unit: 'pcs' } }), row(3, 'Soap', 1, at), row(4, 'New', 1, at)];
    const good = await stage(store, rows);
    await accept(store, good, 1000, scope);
    expect(await roll(store)).toEqual([]);
    expect(await stock(store)).toEqual({ Soap: 6, Salt: 6, New: 1 });
  });

  test('whoever is limited learns from no import how much there is elsewhere, by what name, or who imported what', async () => {
    const { store } = get();
    await store.addUser(note, 'manager2', 'manager', null, 1);
    await store.addLocation(note, 'cellar');
    await store.editItem(newItem('Secret', { sku: 'S-77' }), 1);
    await accept(store, await stage(store, [row(2, 'Secret', 123_457)], { digest: hashOf(7) }));
    await roll(store);
    const limited = { userId: 2, scope: [2] };
    const at = { location: 'cellar' };
    const asked = { ...limited, credential: 'x', source: '127.0.0.1' };
    const staged = async (rows: readonly ImportRow[], byte: number) => {
      const id = await stage(store, rows, { ...limited, digest: hashOf(byte) });
      return { id, ...(await store.checkImport(limited, id, 0)) };
    };
    expect((await staged([row(2, 's-77', 0.5, at)], 8)).problems).toMatchObject([
      { problem: 's-77 is counted in whole pieces (got 0.5).' },
    ]);
    const over = await staged([row(2, 'S-77', 1e12 - 123_457, at), row(3, 'S-77', 1, at)], 9);
    expect(over.problems).toEqual([]);
    expect(await refusalOf(store.acceptImport(asked, over.id, 1))).toMatchObject({
      code: 'conflict',
      message: 'An item may have at most 1,000,000,000,000 in all locations, and one would have more.',
    });
    expect(await refusalOf(store.acceptImport(asked, over.id, 1))).toMatchObject({ code: 'busy' });
    const again = await staged([row(2, 'Bait', 1, at)], 7);
    expect(again.problems).toEqual([]);
    const { message, details } = await refusalOf(store.acceptImport(asked, again.id, 1));
    expect(message).toBe('This file was imported already.');
    expect(details.hint).toContain('Ask an administrator whether all of it is counted, before');
    // What is refused as a file that came before is not also weighed.
    const both = await staged([row(2, 'S-77', 1e12, at)], 7);
    expect((await refusalOf(store.acceptImport(asked, both.id, 1))).message).toBe(message);
    const fits = await staged([row(2, 'S-77', 1e12 - 123_457, at)], 10);
    expect(await store.acceptImport(asked, fits.id, 1)).toMatchObject({ state: 'accepted' });
    expect(await roll(store)).toEqual([]);
    expect(await stock(store)).toEqual({ Secret: 1e12 });
  });

  test('what an accepted import depends on stays as it is until all of it is counted; all else goes on', async () => {
    const fixture = get();
    let { store } = fixture;
    await store.addLocation(note, 'cellar');
    await store.apply(intentOf('add', [['Soap', 5]]), 1);
    await store.apply(intentOf('add', [['Sand', 5]]), 1);
    await store.editItem(newItem('Rice'), 1);
    await store.editItem(newItem('Oats'), 1);
    const rows = [
      row(2, 'Soap', 1, { location: 'cellar' }),
      row(3, 'Flour', 0.5, { about: { unit: 'kg', precision: 1, sku: 'F-1' } }),
      row(4, 'Tea', 1e12 - 10),
      row(5, 'Oats', 1),
    ];
    const id = await stage(store, rows);
    await accept(store, id);
    const refused = () => ({
      // What a row names as it is now, and what it will make, by whatever name or code.
      edited: store.editItem(editOf('soap', { precision: 1 }), 1),
      archived: store.editItem(editOf('Oats', { archived: true }), 1),
      made: store.editItem(newItem('flour'), 1),
      'made by a movement': store.apply(intentOf('add', [['Flour', 1]]), 1),
      'made beside others': store.apply(
        intentOf('add', [
          ['Sand', 1],
          ['f-1', 1],
        ]),
        1,
      ),
      'given its name': store.editItem(editOf('Sand', { name: 'Tea' }), 1),
      'given its code': store.editItem(editOf('Sand', { barcode: 'F-1' }), 1),
      filled: store.apply(intentOf('add', [['Sand', 6]]), 1),
      'filled by a count': store.apply(countOf('Sand', 11), 1),
      renamed: store.renameLocation(note, 'cellar', 'attic'),
      'no more': store.archiveLocation(note, 'cellar', 1),
      'another one looked at': store.checkImport(me, other, 0),
      'another one accepted': store.acceptImport({ ...me, credential: 'x', source: '127.0.0.1' }, other, 1),
    });
    const other = await stage(store, [row(2, 'Soap', 1)], { digest: hashOf(2) });
    const before = await store.head();
    const codes = async () =>
      Object.fromEntries(
        await Promise.all(
          Object.entries(refused()).map(async ([what, call]) => [what, (await refusalOf(call)).code] as const),
        ),
      );
    const allBusy = Object.fromEntries(Object.keys(await codes()).map((what) => [what, 'busy']));
    expect(await codes()).toEqual(allBusy);
    expect(await store.head()).toEqual(before);
    // After a restart it is no different, before the rows were read again and after.
    await fixture.reopen();
    ({ store } = fixture);
    expect(await codes()).toEqual(allBusy);
    await store.rollImports(1);
    expect(await store.importStatus(me, id)).toMatchObject({ state: 'accepted', done: 0 });
    expect(await codes()).toEqual(allBusy);
    expect(await store.head()).toEqual(before);
    const [, moved] = await Promise.all([
      store.apply(intentOf('add', [['Sand', 1]]), 1),
      store.apply(moveOf([['Soap', 5, 'main', 'cellar']]), 1),
      store.apply(intentOf('add', [['Unheard of', 1]]), 1),
      store.apply(intentOf('take', [['Sand', 2]]), 1),
      store.editItem(editOf('Rice', { archived: true }), 1),
      store.addLocation(note, 'garage'),
    ]);
    expect(moved).toHaveLength(2);
    expect(await roll(store)).toEqual([]);
    expect(await store.importStatus(me, id)).toMatchObject({ state: 'done', done: 4 });
    expect(await stock(store)).toEqual({ Flour: 0.5, Oats: 1, Sand: 4, Soap: 6, Tea: 1e12 - 10, 'Unheard of': 1 });
    await store.editItem(editOf('Soap', { precision: 1 }), 1);
    await store.renameLocation(note, 'cellar', 'attic');
  });

  test('what changes while an import is looked at is seen: the look begins again', async () => {
    const { store } = get();
    await store.addLocation(note, 'cellar');
    await store.addLocation(note, 'attic');
    await store.apply(intentOf('add', [['Soap', 5]]), 1);
    const flour = { about: { unit: 'kg', sku: 'F-1' } };
    const rows = [row(2, 'Soap', 1), row(3, 'Flour', 1, flour), row(4, 'Salt', 1, { location: 'cellar' })];
    const id = await stage(store, [...rows, row(5, 'Tea', 1e12 - 100)]);
    const asked = { ...me, credential: 'session:test', source: '127.0.0.1' };
    const changes: (() => Promise<unknown>)[] = [
      () => store.editItem(editOf('Soap', { unit: 'bars' }), 1),
      () => store.apply(intentOf('add', [['Salt', 1]]), 1),
      () => store.editItem(editOf('Soap', { sku: 'F-1' }), 1),
      () => store.renameLocation(note, 'attic', 'loft'),
      () => store.apply(intentOf('add', [['Tea', 101]]), 1),
    ];
    for (const change of changes.slice(0, -2)) {
      const before = await problemsOf(store, id);
      await change();
      expect([before, (await refusalOf(store.acceptImport(asked, id, 1))).code]).toEqual([before, 'busy']);
    }
    expect(await problemsOf(store, id)).toMatchObject([
      { line: 3, problem: 'The SKU F-1 is that of Soap in the inventory.' },
    ]);
    await store.editItem(editOf('Soap', { sku: null }), 1);
    for (const change of changes.slice(-2)) {
      expect(await problemsOf(store, id)).toEqual([]);
      await change();
      expect(await refusalOf(store.acceptImport(asked, id, 1))).toMatchObject({ code: 'busy' });
    }
    expect(await problemsOf(store, id)).toMatchObject([{ line: 5 }]);
    await store.apply(intentOf('take', [['Tea', 101]]), 1);
    // Nothing of this touches a row.
    await problemsOf(store, id);
    await store.apply(intentOf('take', [['Soap', 5]]), 1);
    await store.apply(intentOf('add', [['Pepper', 5]]), 1);
    await store.editItem(editOf('Pepper', { unit: 'g' }), 1);
    expect(await store.acceptImport(asked, id, 1)).toMatchObject({ state: 'accepted' });
    expect(await roll(store)).toEqual([]);
  });

  test.each([1, 2])(
    'whatever others do meanwhile, an accepted import counts all of its rows (seed %i)',
    async (seed) => {
      const fixture = get();
      const random = randomFrom(seed);
      const places = ['main', 'cellar', 'attic'];
      for (const place of places.slice(1)) await fixture.store.addLocation(note, place);
      const name = () => `Item ${random(40)}`;
      const place = () => places[random(places.length)] ?? '';
      const now = 1;
      const others: (() => Promise<unknown>)[] = [
        () => fixture.store.apply(intentOf('add', [[name(), random(9) + 1, place()]]), now),
        () => fixture.store.apply(intentOf('take', [[name(), random(9) + 1, place()]]), now),
        () => fixture.store.apply(intentOf('add', [[`Item ${random(40)}`, 1e12 - random(9_000_000)]]), now),
        () => fixture.store.apply(countOf(name(), random(9), { location: place() }), now),
        () => fixture.store.apply(moveOf([[name(), random(9) + 1, place(), place()]]), now),
        async () => fixture.store.apply(undoOf(random((await fixture.store.head()).size) + 1), now),
        () => fixture.store.editItem(newItem(name(), { precision: random(4), unit: 'kg', sku: name() }), now),
        () => fixture.store.editItem(editOf(name(), { name: name() }), now),
        () => fixture.store.editItem(editOf(name(), { precision: random(3), barcode: name(), lowAt: 5000 }), now),
        () => fixture.store.editItem(editOf(name(), { archived: random(2) === 0 }), now),
        () => fixture.store.renameLocation(note, place(), `Place ${random(9)}`),
        () => fixture.store.archiveLocation(note, place(), now),
        () => fixture.store.addLocation(note, place()),
      ];
      const disturb = () => (others[random(others.length)] ?? fixture.reopen)().catch((error: Failure) => error.code);
      const refusals = new Set<unknown>();
      let done = 0;
      for (let round = 0; round < 6; round++) {
        const wanted = Array.from({ length: 300 }, (_, at) => {
          const precision = at % 40 < 20 ? { unit: 'kg', precision: 1 } : {};
          const about = at % 3 === 0 ? { ...precision, ...(at % 40 === 9 ? { sku: `Code ${round}` } : {}) } : precision;
          return row(at + 2, `Item ${at % 40}`, random(5), { about, location: place(), note: random(9) ? null : 'x' });
        });
        // Only what fits the store as it is: the rest is told, and is not what this is about.
        const look = await stage(fixture.store, wanted, { digest: hashOf(2 * round) });
        const bad = new Set((await problemsOf(fixture.store, look)).map(({ line }) => line));
        const rows = wanted.filter(({ line }) => !bad.has(line));
        if (rows.length === 0) continue;
        const id = await stage(fixture.store, rows, { digest: hashOf(2 * round + 1) });
        if ((await problemsOf(fixture.store, id)).length > 0) continue;
        await fixture.store.acceptImport({ ...me, credential: 'x', source: '127.0.0.1' }, id, now);
        for (;;) {
          const slice = fixture.store.rollImports(now);
          for (const code of await Promise.all(Array.from({ length: 20 }, disturb))) refusals.add(code);
          const { more, stopped } = await slice;
          expect(stopped).toBeNull();
          if (!more) break;
          if (random(12) === 0) await fixture.reopen();
        }
        const status = await fixture.store.importStatus(me, id);
        expect(status).toMatchObject({ state: 'done', done: rows.length });
        done += status.done;
        const { movements } = await fixture.store.history({ scope: null, limit: 1000, kind: 'add' });
        const counted = movements.filter(({ operation }) => operation[14] === '8').length;
        expect(counted).toBeGreaterThanOrEqual(Math.min(1, rows.filter(({ quantity }) => quantity > 0).length));
        for (const place of places) await fixture.store.addLocation(note, place).catch(() => undefined);
      }
      // It was about something.
      expect(done).toBeGreaterThan(250);
      expect(refusals).toContain('busy');
    },
  );

  test('an import is undone as a whole, by who may undo what others did', async () => {
    const { store } = get();
    const rows = Array.from({ length: 500 }, (_, at) =>
      row(at + 2, `Item ${at % 7}`, 2, { note: at % 5 ? null : 'x', about: at % 7 ? {} : { unit: 'kg' } }),
    );
    await store.apply(intentOf('add', [['Item 1', 5]]), 1);
    const id = await stage(store, rows);
    await accept(store, id);
    await store.rollImports(1000);
    // Not while the rest is still coming, which would be half of it.
    expect(await refusalOf(store.apply(undoOf(3), 1000))).toMatchObject({ code: 'busy' });
    await roll(store);
    const [last] = (await store.history({ scope: null, limit: 1 })).movements;
    const own = { allowAny: false };
    expect(await refusalOf(store.apply(undoOf(last?.seq ?? 0, own), 1000))).toMatchObject({
      code: 'forbidden',
      message: expect.stringMatching(/^Movement \d+ came by an import: undoing it needs the permission stock:undo/),
    });
    const undo = undoOf(last?.seq ?? 0);
    const undone = await store.apply(undo, 1000);
    expect(undone).toHaveLength(rows.length);
    expect(await store.apply(undo, 1000)).toEqual(undone);
    expect(new Set(Object.values(await stock(store)))).toEqual(new Set([0, 5]));
    expect(await refusalOf(store.apply(undoOf(3), 1000))).toMatchObject({ code: 'conflict' });
    // The items that it made stay, as all that were made.
    const { movements } = await store.history({ scope: null, kind: 'item', limit: 9 });
    expect(await refusalOf(store.apply(undoOf(movements[0]?.seq ?? 0), 1000))).toMatchObject({ code: 'conflict' });
  });

  test('an import of more rows than an operation may have is not undone at once', async () => {
    const { store } = get();
    const rows = Array.from({ length: 1001 }, (_, at) => row(at + 2, `Item ${at % 7}`, 2));
    await accept(store, await stage(store, rows));
    await roll(store);
    const head = await store.head();
    expect(await refusalOf(store.apply(undoOf(3), 1000))).toMatchObject({
      code: 'conflict',
      message: 'Movement 3 belongs to an import of more than 1,000 rows: too many to undo.',
    });
    expect(await store.head()).toEqual(head);
  });

  test('an accepted import is on disk, and is rolled forward by whoever opens the store next', async () => {
    const { store, reopen } = get();
    const rows = Array.from({ length: 1000 }, (_, at) =>
      row(at + 2, `Item ${at % 7}`, at, { note: at % 5 ? null : 'x' }),
    );
    const id = await stage(store, rows);
    await accept(store, id);
    await store.rollImports(1);
    await store.rollImports(1);
    const before = await store.importStatus(me, id);
    expect(before.done).toBeGreaterThan(0);
    await reopen();
    const again = get().store;
    expect(await again.importStatus(me, id)).toEqual(before);
    await roll(again);
    expect(await again.importStatus(me, id)).toMatchObject({ state: 'done', done: 1000 });
    const sums: Record<string, number> = {};
    for (const { item, quantity } of rows) sums[item] = (sums[item] ?? 0) + quantity / 1000;
    expect(await stock(again)).toEqual(sums);
  });

  test('what nobody accepts is forgotten after an hour, or when its user stages too much', async () => {
    const { store } = get();
    const first = await stage(store, [row(2, 'Soap', 1)], {}, hour);
    await roll(store, 2 * hour);
    expect(await store.importStatus(me, first)).toMatchObject({ state: 'staged' });
    await roll(store, 2 * hour + 1);
    expect(await refusalOf(store.importStatus(me, first))).toMatchObject({ code: 'not-found' });
    const second = await stage(store, [row(2, 'Soap', 1)], {}, hour);
    const large = { name: null, digest: hashOf(3), rows: 1_000_000, again: false, ...me };
    const third = await store.beginImport(large, hour);
    await roll(store, hour);
    expect(await refusalOf(store.importStatus(me, second))).toMatchObject({ code: 'not-found' });
    expect(await store.importStatus(me, third)).toMatchObject({ state: 'staged', done: 0 });
  });

  test('of more than eight that wait for their user the one without news for longest is forgotten', async () => {
    const { store } = get();
    await store.addUser(note, 'manager2', 'manager', null, 1);
    const begin = (byte: number, more: Partial<ImportIntent> = {}) =>
      store.beginImport({ name: null, digest: hashOf(byte), rows: 2, again: false, ...me, ...more }, byte);
    const others = await begin(1, { userId: 2 });
    const [first = 0, second = 0, third = 0, ...later] = await Promise.all(
      [2, 3, 4, 5, 6, 7, 8, 9].map((at) => begin(at)),
    );
    // A page has come for it since; and one that is accepted does not wait any more.
    await store.stageRows(me, first, 0, [row(2, 'A', 1)], 10);
    const counted = await stage(store, [row(2, 'B', 1)], { digest: hashOf(11) }, 11);
    await accept(store, counted);
    await roll(store);
    const last = await begin(12);
    expect(await refusalOf(store.importStatus(me, second))).toMatchObject({ code: 'not-found' });
    expect(await refusalOf(store.stageRows(me, second, 0, [row(2, 'A', 1)], 13))).toMatchObject({ code: 'not-found' });
    for (const id of [others, first, third, ...later, last]) {
      expect(await store.importStatus(me, id)).toMatchObject({ state: 'staged' });
    }
    // Nothing is left of those without rows: a second look finds nothing to do.
    for (let at = 0; at < 30; at++) await begin(20 + at);
    expect(await refusalOf(store.importStatus(me, third))).toMatchObject({ code: 'not-found' });
    expect(await store.rollImports(1000)).toMatchObject({ more: true });
    expect(await store.rollImports(1000)).toMatchObject({ more: true });
    expect(await store.rollImports(1000)).toMatchObject({ more: false });
  });
}
