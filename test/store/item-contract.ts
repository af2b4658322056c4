import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { formatChange } from '../../src/model/item.ts';
import { appendLeaf, type Frontier, leafHash, rootOf } from '../../src/model/ledger.ts';
import type { StockQuery } from '../../src/model/stock.ts';
import type { Store } from '../../src/store/store.ts';
import { type Fixture, refusalOf } from './contract.ts';
import { editOf, intentOf, note } from './intent.ts';
import { wholeHistory } from './ledger-contract.ts';

function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** A wish to make an item. */
const newOf = (item: string, change: Parameters<typeof editOf>[1] = {}) =>
  editOf(item, { name: item, ...change }, { isNew: true });

async function found(store: Store, query: Partial<StockQuery>): Promise<readonly string[]> {
  const { items } = await store.view({ scope: null, sort: 'name', limit: 100, ...query });
  return items.map(({ item }) => item);
}

/** Says that nothing is different after a refusal, and what the refusal was. */
async function refused(store: Store, call: () => Promise<unknown>) {
  const before = [await store.head(), await store.view({ scope: null, sort: 'name', limit: 100 })];
  const { code, message, details } = await refusalOf(call());
  expect([await store.head(), await store.view({ scope: null, sort: 'name', limit: 100 })]).toEqual(before);
  return { code, message, hint: details.hint };
}

export function itemContract(get: () => Fixture): void {
  describe('items', () => {
    test('are made in advance, with all that is known of them, and found by name, SKU and barcode', async () => {
      const fixture = get();
      const facts = {
        unit: 'kg',
        precision: 3,
        sku: 'F-1',
        barcode: '4006381333931',
        category: 'Baking',
        description: 'Type 405',
        lowAt: 2500,
      };
      const made = await fixture.store.editItem(newOf('Flour', facts), 5);
      expect(made).toEqual({ item: 'Flour', change: { name: 'Flour', ...facts }, seq: 1, at: 5 });
      const [added] = await fixture.store.apply(intentOf('add', [['f-1', 2.5]]), 6);
      expect(added).toMatchObject({ item: 'Flour', balance: 2500, created: false });
      await fixture.reopen();
      const { store } = fixture;
      expect(await store.apply(intentOf('take', [['4006381333931', 0.125]]), 7)).toMatchObject([{ balance: 2375 }]);
      expect(await found(store, { items: ['F-1'] })).toEqual(['Flour']);
      expect((await store.history({ scope: null, item: '4006381333931', limit: 9 })).movements).toHaveLength(3);
      expect(await store.itemDetails('f-1', null)).toEqual({
        item: 'Flour',
        ...facts,
        quantity: 2375,
        locations: [{ location: 'main', quantity: 2375 }],
        archived: false,
        last: expect.objectContaining({ seq: 3, kind: 'take', delta: -125 }),
      });
    });

    test('are made once: a name or a code that means another item is refused, and names that item', async () => {
      const { store } = get();
      await store.apply(intentOf('add', [['Soap', 1]]), 1);
      await store.editItem(newOf('Maggi', { sku: 'MG-200', barcode: '4005500000000' }), 1);
      const refuse = (intent: ReturnType<typeof editOf>) => refused(store, () => store.editItem(intent, 2));
      const soap = 'There is an item Soap already.';
      expect(await refuse(newOf('SOAP'))).toMatchObject({ code: 'conflict', message: soap });
      expect(await refuse(newOf('Towel', { sku: 'soap' }))).toMatchObject({ code: 'conflict', message: soap });
      expect(await refuse(editOf('Maggi', { sku: 'Soap' }))).toMatchObject({ code: 'conflict', message: soap });
      expect(await refuse(editOf('Maggi', { name: 'ｓｏａｐ' }))).toMatchObject({ code: 'conflict', message: soap });
      expect(await refuse(editOf('Soap', { barcode: 'mg-200' }))).toEqual({
        code: 'conflict',
        message: '"mg-200" is the SKU of Maggi already.',
        hint: 'Names, SKUs and barcodes must all differ, because each of them finds one item.',
      });
      expect(await refuse(newOf('4005500000000'))).toMatchObject({
        message: '"4005500000000" is the barcode of Maggi already.',
      });
      expect(await refuse(editOf('Soup', { unit: 'kg' }))).toMatchObject({
        code: 'not-found',
        message: 'No item "Soup".',
        hint: 'Did you mean Soap? See what there is: secure-inv view',
      });
    });

    test.each([
      ['Straße', 'STRAẞE'],
      ['Straße', 'strasse'],
      ['Ｆlour', 'flour'],
      ['Ångström', 'A\u030angstro\u0308m'],
      ['ΣΑΣ', 'σας'],
      ['ﬁlm', 'FILM'],
      ['Fılm', 'FILM'],
      ['FİLM', 'fi\u0307lm'],
    ])('%s and %s are one name', async (one, other) => {
      const { store } = get();
      await store.editItem(newOf(one), 1);
      expect(await refused(store, () => store.editItem(newOf(other), 2))).toMatchObject({ code: 'conflict' });
      expect((await store.editItem(editOf(other, { name: other }), 3)).item).toBe(other);
    });

    test('names that only look alike, or mean something to a program, are names as any other', async () => {
      const { store } = get();
      const names = ['Film', 'FİLM', 'Fi\u0301lm', 'constructor', 'toString', 'hasOwnProperty', 'null'];
      for (const name of names) await store.editItem(newOf(name, { category: 'constructor' }), 1);
      for (const item of names) expect((await store.itemDetails(item, null)).item).toBe(item);
      expect(await found(store, { category: 'CONSTRUCTOR' })).toHaveLength(names.length);
    });

    test('keep stock and history under a new name; the old one is free, and old records have it', async () => {
      const { store } = get();
      await store.apply(intentOf('add', [['Flour', 5]]), 1);
      expect(await store.editItem(editOf('flour', { name: 'Wheat flour' }), 2)).toMatchObject({ item: 'Wheat flour' });
      const take = await Promise.allSettled([store.apply(intentOf('take', [['Flour', 1]]), 3)]);
      expect(take).toMatchObject([{ status: 'rejected', reason: { code: 'not-found' } }]);
      const [added] = await store.apply(intentOf('add', [['Flour', 7]]), 4);
      expect(added).toMatchObject({ created: true, balance: 7000 });
      const { movements } = await store.history({ scope: null, item: 'WHEAT FLOUR', limit: 9 });
      expect(movements.map(({ seq, kind, item, change }) => [seq, kind, item, change])).toEqual([
        [2, 'item', 'Wheat flour', { name: 'Wheat flour' }],
        [1, 'add', 'Flour', null],
      ]);
      expect(await found(store, { search: 'wheat' })).toEqual(['Wheat flour']);
      expect(await found(store, { search: 'flour' })).toEqual(['Flour', 'Wheat flour']);
    });

    test('may take their name as a code, and another name then', async () => {
      const { store } = get();
      await store.apply(intentOf('add', [['4006381333931', 5]], { allowNewCode: true }), 1);
      await store.editItem(editOf('4006381333931', { barcode: '4006381333931' }), 2);
      await store.editItem(editOf('4006381333931', { name: 'Pens' }), 3);
      expect(await store.apply(intentOf('take', [['4006381333931', 1]]), 4)).toMatchObject([{ item: 'Pens' }]);
      await store.editItem(editOf('Pens', { barcode: null }), 5);
      expect((await refusalOf(store.itemDetails('4006381333931', null))).code).toBe('not-found');
      expect(await store.itemDetails('pens', null)).toMatchObject({ quantity: 4000, barcode: null });
    });

    test('are searched, filtered and called low by what an edit made of them, and are not by what it took away', async () => {
      const { store } = get();
      await store.apply(intentOf('add', [['Soap', 5]]), 1);
      const change = { sku: 'S-1', category: 'Hygiène', description: 'green, mild', lowAt: 5000 };
      await store.editItem(editOf('Soap', change), 2);
      for (const search of ['S-1', 'hygiene', 'mild gre']) expect(await found(store, { search })).toEqual(['Soap']);
      expect(await found(store, { category: 'HYGIÈNE' })).toEqual(['Soap']);
      expect(await found(store, { low: true })).toEqual(['Soap']);
      await store.editItem(editOf('S-1', { sku: null, category: null, description: null, lowAt: null }), 3);
      for (const search of ['S-1', 'hygiene', 'mild']) expect(await found(store, { search })).toEqual([]);
      expect(await found(store, { category: 'Hygiène' })).toEqual([]);
      expect(await found(store, { low: true })).toEqual([]);
      await store.editItem(editOf('Soap', { lowAt: 4000 }), 4);
      expect(await store.apply(intentOf('take', [['Soap', 1]]), 5)).toMatchObject([{ low: true }]);
    });

    test('may be counted more exactly at any time, and less so only when no balance is between', async () => {
      const { store } = get();
      await store.addLocation(note, 'cellar');
      // In one batch, where the file knows less than memory.
      await Promise.all([
        store.editItem(newOf('Flour', { precision: 1 }), 1),
        store.apply(intentOf('add', [['Flour', 2]]), 1),
        store.apply(intentOf('add', [['Flour', 0.5, 'cellar']]), 1),
        store.editItem(editOf('Flour', { precision: 2 }), 1),
        expect(store.editItem(editOf('Flour', { precision: 0 }), 1)).rejects.toMatchObject({
          code: 'conflict',
          message: 'There are 0.5 Flour at cellar, which takes a precision of 1 or more.',
        }),
      ]);
      await store.apply(intentOf('take', [['Flour', 0.5, 'cellar']]), 2);
      expect(
        await refused(store, () => store.editItem(editOf('Flour', { precision: 0, lowAt: 500 }), 3)),
      ).toMatchObject({
        code: 'bad-params',
        message: 'A low-stock threshold of 0.5 takes a precision of 1 or more, not 0.',
      });
      await store.editItem(editOf('Flour', { precision: 0 }), 4);
      expect((await refusalOf(store.apply(intentOf('add', [['Flour', 0.5]]), 5))).code).toBe('bad-params');
    });

    test('are archived when none is left, and then only history and a restore know them', async () => {
      const { store } = get();
      await store.addLocation(note, 'cellar');
      await store.apply(
        intentOf('add', [
          ['Soap', 2],
          ['Soap', 3, 'cellar'],
        ]),
        1,
      );
      const archive = () => store.editItem(editOf('Soap', { archived: true }), 2);
      expect(await refused(store, archive)).toMatchObject({
        code: 'conflict',
        message: 'There are still 5 Soap: 2 at main, 3 at cellar.',
      });
      await Promise.all([
        store.apply(
          intentOf('take', [
            ['Soap', 2],
            ['Soap', 3, 'cellar'],
          ]),
          3,
        ),
        archive(),
      ]);
      expect(await refused(store, archive)).toMatchObject({ message: 'Soap is archived already.' });
      expect(await found(store, {})).toEqual([]);
      await store.apply(intentOf('add', [['Salt', 1]]), 3);
      expect(await found(store, { archived: true })).toEqual(['Soap']);
      expect(await found(store, { archived: true, items: ['Salt'] })).toEqual([]);
      expect(await found(store, { archived: true, search: 'so' })).toEqual(['Soap']);
      const add = () => store.apply(intentOf('add', [['Soap', 1]]), 4);
      expect(await refused(store, add)).toMatchObject({ code: 'conflict', message: 'Soap is archived.' });
      expect(await refused(store, () => store.editItem(newOf('soap'), 4))).toMatchObject({
        message: 'There is an item Soap already, which is archived.',
      });
      expect((await store.history({ scope: null, item: 'Soap', limit: 9 })).movements).toHaveLength(5);
      expect(await store.itemDetails('Soap', null)).toMatchObject({ archived: true, last: { kind: 'item' } });
      await store.editItem(editOf('Soap', { archived: false }), 5);
      expect(await add()).toMatchObject([{ balance: 1000, created: false }]);
      const restore = () => store.editItem(editOf('Soap', { archived: false }), 6);
      expect(await refused(store, restore)).toMatchObject({ message: 'Soap is not archived.' });
    });

    test('are edited once, however often it is asked, also when the name is gone and after a restart', async () => {
      const fixture = get();
      await fixture.store.apply(intentOf('add', [['Soap', 1]]), 1);
      const rename = editOf('Soap', { name: 'Green soap' }, { note: 'new label' });
      const first = await fixture.store.editItem(rename, 2);
      expect(await fixture.store.editItem({ ...rename, source: '::1' }, 3)).toEqual(first);
      await fixture.reopen();
      const { store } = fixture;
      expect(await store.editItem(rename, 9)).toEqual(first);
      expect((await store.head()).size).toBe(2);
      const { operation } = rename;
      const others = [
        () => store.editItem({ ...rename, change: { name: 'Blue soap' } }, 9),
        () => store.editItem({ ...rename, note: null }, 9),
        () => store.apply(intentOf('add', [['Green soap', 1]], { operation }), 9),
      ];
      for (const other of others) expect(await refused(store, other)).toMatchObject({ code: 'conflict' });
    });

    test('may be edited under the id of a refused edit, and another user has ids of their own', async () => {
      const { store } = get();
      const other = await store.addUser(note, 'boss', 'manager', null, 1);
      const edit = editOf('Soap', { unit: 'bars' });
      expect((await refusalOf(store.editItem(edit, 1))).code).toBe('not-found');
      await store.apply(intentOf('add', [['Soap', 1]]), 2);
      expect(await store.editItem(edit, 3)).toMatchObject({ seq: 2 });
      expect(await store.editItem({ ...edit, userId: other.id }, 4)).toMatchObject({ seq: 3 });
    });

    test('leave records of which root and balances can be computed again', async () => {
      const { store } = get();
      await Promise.all([
        store.apply(intentOf('add', [['Soap', 5]]), 1),
        store
          .editItem(editOf('Soap', { precision: 1, lowAt: 1500, sku: null, archived: false, name: 'Seife' }), 2)
          .catch(() => 0),
        store.editItem(editOf('Soap', { precision: 1, lowAt: 1500, sku: null, name: 'Seife' }, { note: 'für Zoë' }), 2),
        store.apply(intentOf('take', [['seife', 0.5]]), 3),
        store.editItem(editOf('Seife', { unit: 'bars' }), 4),
      ]);
      let frontier: Frontier = [];
      const balances = new Map<string, number>();
      const movements = await wholeHistory(store);
      for (const movement of movements) {
        const locationId = movement.kind === 'item' ? 0 : 1;
        const at = `${movement.location} ${locationId}`;
        balances.set(at, (balances.get(at) ?? 0) + movement.delta);
        expect(balances.get(at)).toBe(movement.balance);
        const change = movement.change && formatChange(movement.change);
        const fixed = {
          credential: 'session:test',
          itemId: 1,
          locationId,
          seen: null,
          source: '127.0.0.1',
          undoes: null,
        };
        frontier = appendLeaf(frontier, movement.seq - 1, leafHash({ ...movement, ...fixed, change }, sha256), sha256);
      }
      expect(movements[1]).toMatchObject({ item: 'Seife', location: '', delta: 0, balance: 0, note: 'für Zoë' });
      expect(balances).toEqual(
        new Map([
          ['main 1', 4500],
          [' 0', 0],
        ]),
      );
      expect(Buffer.from((await store.head()).root)).toEqual(rootOf(frontier, sha256));
    });

    test('show somebody limited what is theirs of them, and no edit', async () => {
      const { store } = get();
      const cellar = await store.addLocation(note, 'cellar');
      await store.apply(
        intentOf('add', [
          ['Soap', 2],
          ['Soap', 3, 'cellar'],
          ['Salt', 1],
        ]),
        1,
      );
      await store.editItem(editOf('Soap', { sku: 'S-1' }), 2);
      const scope = [cellar.id];
      expect(await store.itemDetails('s-1', scope)).toMatchObject({
        quantity: 3000,
        locations: [{ location: 'cellar', quantity: 3000 }],
        last: { seq: 2, kind: 'add' },
      });
      expect(await refusalOf(store.itemDetails('Salt', scope))).toMatchObject({
        message: 'No item "Salt".',
        details: { hint: 'See what there is: secure-inv view' },
      });
      expect((await refusalOf(store.itemDetails('Sapl', scope))).details.hint).toContain('Did you mean Soap?');
      expect((await refusalOf(store.itemDetails('Salp', null))).details.hint).toContain('Did you mean Salt?');
      expect((await store.history({ scope, limit: 9 })).movements).toMatchObject([{ seq: 2 }]);
    });
  });

  describe('the orders of a location', () => {
    test('are by what is known of the items now, whenever it was said and whenever they came there', async () => {
      const fixture = get();
      const { store } = fixture;
      const { id: cellar } = await store.addLocation(note, 'cellar');
      const all = (sku: string) => ({ sku, barcode: `${sku}0`, category: sku, lowAt: 1000 * Number(sku), unit: sku });
      await Promise.all([
        store.editItem(newOf('A', all('3')), 1),
        store.apply(intentOf('add', [['A', 1, 'cellar']]), 2),
        store.apply(intentOf('add', [['B', 1, 'cellar']]), 3),
        store.editItem(editOf('B', all('2')), 4),
        store.apply(intentOf('add', [['C', 1, 'cellar']]), 5),
      ]);
      const bySorts = async (at: Partial<StockQuery>) => {
        const sorts = ['unit', 'sku', 'barcode', 'category', 'lowAt', 'name'] as const;
        return new Set(
          await Promise.all(sorts.map(async (sort) => (await found(fixture.store, { ...at, sort })).join())),
        );
      };
      const here = [{ location: 'cellar' }, { scope: [cellar] }, { scope: [1, cellar] }];
      const expectOrders = async (...orders: readonly string[]) => {
        for (const at of here) expect(await bySorts(at), JSON.stringify(at)).toEqual(new Set(orders));
      };
      await expectOrders('B,A,C', 'A,B,C');
      await store.editItem(editOf('C', all('1')), 6);
      await expectOrders('C,B,A', 'A,B,C');
      await store.editItem(editOf('B', { name: 'D', ...all('4') }), 7);
      await expectOrders('C,A,D', 'A,C,D');
      await fixture.reopen();
      const nothing = { sku: null, barcode: null, category: null, lowAt: null, unit: 'pcs' };
      await fixture.store.editItem(editOf('A', nothing), 8);
      await expectOrders('C,D,A', 'A,C,D');
      await fixture.store.apply(intentOf('take', [['C', 1, 'cellar']]), 9);
      await fixture.store.editItem(editOf('C', { archived: true }), 10);
      await expectOrders('D,A', 'A,D');
      for (const at of here) expect(await found(fixture.store, { ...at, sort: 'quantity' })).toEqual(['A', 'D']);
      await fixture.store.editItem(editOf('C', { archived: false }), 11);
      for (const at of here) expect(await found(fixture.store, { ...at, sort: 'quantity' })).toEqual(['C', 'A', 'D']);
    });
  });

  describe('locations', () => {
    test('keep what is there under a new name, and old records keep the old one', async () => {
      const { store } = get();
      await store.addLocation(note, 'cellar');
      await store.apply(intentOf('add', [['Soap', 2, 'cellar']]), 1);
      const [renamed] = await Promise.all([
        store.renameLocation(note, 'CELLAR', 'Vault'),
        store.apply(intentOf('add', [['Soap', 2, 'vault']]), 2),
        expect(store.apply(intentOf('add', [['Soap', 2, 'cellar']]), 2)).rejects.toMatchObject({ code: 'not-found' }),
      ]);
      expect(renamed.name).toBe('Vault');
      const { movements } = await store.history({ scope: null, location: 'vault', limit: 9 });
      expect(movements.map(({ location }) => location)).toEqual(['Vault', 'cellar']);
      expect(await store.itemDetails('Soap', null)).toMatchObject({
        locations: [{ location: 'Vault', quantity: 4000 }],
      });
      expect((await store.renameLocation(note, 'Vault', 'VAULT')).name).toBe('VAULT');
      for (const [from, to, code] of [
        ['VAULT', 'Main', 'conflict'],
        ['main', 'shop', 'conflict'],
        ['cellar', 'attic', 'not-found'],
      ] as const) {
        expect((await refusalOf(store.renameLocation(note, from, to))).code).toBe(code);
      }
      expect((await store.locations(null)).map(({ name }) => name)).toEqual(['main', 'VAULT']);
    });

    test('are archived when they are empty, are known to history only, and come back when they are added', async () => {
      const { store } = get();
      const cellar = await store.addLocation(note, 'cellar');
      await store.apply(intentOf('add', [['Soap', 2, 'cellar']]), 1);
      const refusal = await refused(store, () => store.archiveLocation(note, 'cellar', 2));
      expect(refusal).toMatchObject({ code: 'conflict', message: 'cellar is not empty: 2 Soap.' });
      // What the same batch took out and put in counts, whether it is refused or not.
      const [, , again] = await Promise.allSettled([
        store.apply(intentOf('take', [['Soap', 2, 'cellar']]), 3),
        store.apply(intentOf('add', [['Salt', 1, 'cellar']]), 3),
        store.archiveLocation(note, 'cellar', 3),
      ]);
      expect(again).toMatchObject({ reason: { message: 'cellar is not empty: 1 Salt.' } });
      const late = intentOf('add', [['Salt', 1, 'cellar']]);
      await Promise.all([
        store.apply(intentOf('take', [['Salt', 1, 'cellar']]), 4),
        store.archiveLocation(note, 'Cellar', 4),
        expect(store.apply(late, 4)).rejects.toMatchObject({
          code: 'not-found',
          message: 'No location "cellar".',
          details: { hint: 'It is archived; adding it brings it back. Known locations: main.' },
        }),
      ]);
      expect((await store.locations(null)).map(({ name }) => name)).toEqual(['main']);
      expect(await store.locations(null, 'archived')).toEqual([cellar]);
      expect(await store.locations([cellar.id], 'archived')).toEqual([cellar]);
      expect(await store.locations([cellar.id + 1], 'archived')).toEqual([]);
      expect((await store.history({ scope: null, location: 'cellar', limit: 9 })).movements).toHaveLength(4);
      expect((await refusalOf(store.view({ scope: null, sort: 'name', limit: 9, location: 'cellar' }))).code).toBe(
        'not-found',
      );
      expect((await refusalOf(store.archiveLocation(note, 'cellar', 5))).code).toBe('not-found');
      await store.addLocation(note, 'attic');
      expect((await refusalOf(store.renameLocation(note, 'attic', 'cellar'))).message).toBe(
        'There is a location cellar already, which is archived.',
      );
      expect(await store.addLocation(note, 'Cellar')).toEqual({ id: cellar.id, name: 'Cellar' });
      expect(await store.apply(late, 6)).toMatchObject([{ balance: 1000, location: 'Cellar', created: false }]);
    });

    test('that are meant when none is given stay', async () => {
      const { store } = get();
      expect(await refusalOf(store.archiveLocation(note, 'MAIN', 1))).toMatchObject({
        code: 'conflict',
        message: 'The location main cannot be archived.',
      });
    });
  });
}
