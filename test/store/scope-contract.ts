import { expect, test } from 'vitest';
import { type Fixture, refusalOf } from './contract.ts';
import { editOf, intentOf, type Line, note } from './intent.ts';

const noCellar = { code: 'not-found', message: 'No location "cellar".', details: { hint: 'Known locations: main.' } };

export function scopeContract(get: () => Fixture): void {
  test('a location is added once, however it is spelled, and listed by whoever may know of it', async () => {
    const fixture = get();
    const cellar = await fixture.store.addLocation(note, 'Cellar');
    expect(cellar).toEqual({ id: expect.any(Number), name: 'Cellar' });
    expect(await refusalOf(fixture.store.addLocation(note, 'ＣＥＬＬＡＲ'))).toMatchObject({
      code: 'conflict',
      message: 'There is a location Cellar already.',
    });
    await fixture.reopen();
    const all = await fixture.store.locations(null);
    expect(all.map(({ name }) => name)).toEqual(['main', 'Cellar']);
    expect(await fixture.store.locations([cellar.id])).toEqual([cellar]);
    expect(await fixture.store.locations([])).toEqual([]);
    await fixture.store.apply(intentOf('add', [['Soap', 1, 'cellar']]), 1);
  });

  test('a user is limited to locations by name, over a restart, until the limit is lifted', async () => {
    const fixture = get();
    const cellar = await fixture.store.addLocation(note, 'cellar');
    expect((await fixture.store.setScope(note, 1, ['CELLAR', 'main', 'cellar'])).scope).toEqual([1, cellar.id]);
    expect((await fixture.store.setScope(note, 1, ['cellar'])).scope).toEqual([cellar.id]);
    expect(await refusalOf(fixture.store.setScope(note, 1, ['main', 'attic']))).toMatchObject({
      code: 'not-found',
      message: 'No location "attic".',
    });
    await fixture.reopen();
    expect(await fixture.store.users()).toMatchObject([{ user: 'clerk1', scope: [cellar.id] }]);
    expect((await fixture.store.setScope(note, 1, [])).scope).toEqual([]);
    expect((await fixture.store.setScope(note, 1, null)).scope).toBeNull();
  });

  test('an administrator is never limited, and somebody limited never an administrator', async () => {
    const { store } = get();
    const { id } = await store.addUser(note, 'boss', 'admin', null, 1);
    expect(await refusalOf(store.setScope(note, id, ['main']))).toMatchObject({
      code: 'conflict',
      message: 'An administrator is never limited, and boss is one.',
    });
    await store.setScope(note, id, null);
    await store.setScope(note, 1, ['main']);
    expect(await refusalOf(store.setRole(note, 1, 'admin'))).toMatchObject({
      code: 'conflict',
      details: { hint: 'Lift the limit first: secure-inv user limit clerk1 --everywhere' },
    });
    expect(await store.setRole(note, 1, 'manager')).toMatchObject({ role: 'manager', scope: [1] });
    await store.setScope(note, 1, null);
    expect(await store.setRole(note, 1, 'admin')).toMatchObject({ role: 'admin', scope: null });
  });

  test('the scope is looked at before an operation that was made is told again', async () => {
    const { store } = get();
    const cellar = await store.addLocation(note, 'cellar');
    const intent = intentOf('add', [
      ['Soap', 1],
      ['Soap', 2, 'cellar'],
    ]);
    const first = await store.apply(intent, 1);
    expect(await refusalOf(store.apply({ ...intent, scope: [1] }, 2))).toMatchObject(noCellar);
    expect(await refusalOf(store.apply({ ...intent, note: 'other', scope: [1] }, 2))).toMatchObject(noCellar);
    expect(await store.apply({ ...intent, scope: [1, cellar.id] }, 3)).toEqual(first);
  });

  test('an item appears with the first add in the scope, not with one that was refused, and a retry says the same', async () => {
    const { store } = get();
    await store.addLocation(note, 'cellar');
    await store.apply(intentOf('add', [['Soap', 5, 'cellar']]), 1);
    const scope = [1];
    const take = intentOf('take', [['Soap', 1]], { scope });
    const unknown = { code: 'not-found', message: 'No item "Soap".' };
    expect(await refusalOf(store.apply(take, 2))).toMatchObject(unknown);
    const refused = intentOf(
      'add',
      [
        ['Soap', 1],
        ['Soap', 0.5],
      ],
      { scope },
    );
    expect((await refusalOf(store.apply(refused, 3))).code).toBe('bad-params');
    expect(await refusalOf(store.apply(take, 4))).toMatchObject(unknown);
    const add = intentOf('add', [['Soap', 2]], { scope });
    expect(await store.apply(add, 5)).toMatchObject([{ created: true, balance: 2000 }]);
    expect(await store.apply(add, 6)).toMatchObject([{ created: true, balance: 2000 }]);
    expect(await store.apply(intentOf('add', [['Soap', 1]], { scope }), 7)).toMatchObject([{ created: false }]);
    expect(await store.apply(take, 8)).toMatchObject([{ balance: 2000 }]);
  });

  test('that there are too many elsewhere is told without a number', async () => {
    const { store } = get();
    await store.addLocation(note, 'cellar');
    await store.apply(intentOf('add', [['Soap', 1e12, 'cellar']]), 1);
    const { message } = await refusalOf(store.apply(intentOf('add', [['Soap', 1]], { scope: [1] }), 2));
    expect(message).toBe('An item may have at most 1,000,000,000,000 in all locations.');
  });

  test('how much there is elsewhere is asked only by who would add: a refusal for anything else comes first', async () => {
    const fixture = get();
    const { store } = fixture;
    await store.addLocation(note, 'cellar');
    await store.apply(intentOf('add', [['Soap', 123_457, 'cellar']]), 1);
    const scope = [1];
    const over = (pieces: number) =>
      intentOf(
        'add',
        [
          ['soap', pieces],
          ['999999999999', 1],
        ],
        { scope },
      );
    for (const pieces of [1, 1e12 - 123_457, 1e12 - 123_456, 1e12]) {
      const failure = await refusalOf(store.apply(over(pieces), 2));
      expect(failure).toMatchObject({ code: 'not-found', message: expect.stringContaining('scanned code') });
    }
    const twice = intentOf('add', [
      ['Soap', 1e12 - 123_456],
      ...Array.from({ length: 99 }, (): Line => ['Soap', 1e12]),
    ]);
    expect(await refusalOf(store.apply({ ...twice, scope }, 3))).toMatchObject({ code: 'bad-params' });
    // What was taken back is exactly what there was, however large the sum had become.
    await store.apply(intentOf('add', [['Soap', 1e12 - 123_457]], { scope }), 4);
    await fixture.reopen();
    const { items } = await fixture.store.view({ scope: null, sort: 'name', limit: 9 });
    expect(items).toMatchObject([
      { quantity: 1e15, locations: [{ quantity: 1e15 - 123_457_000 }, { quantity: 123_457_000 }] },
    ]);
  });

  test('a refusal calls what is elsewhere by the name that it was asked for by', async () => {
    const { store } = get();
    await store.addLocation(note, 'cellar');
    const flags = { isNew: true };
    await store.editItem(editOf('Secret item', { name: 'Secret item', sku: 'S-77' }, flags), 1);
    await store.editItem(editOf('Old item', { name: 'Old item', sku: 'S-78', archived: true }, flags), 1);
    const archived = await store.view({ scope: null, sort: 'name', limit: 9, archived: true });
    expect(archived.items.map(({ item }) => item)).toEqual(['Old item']);
    await store.apply(intentOf('add', [['Secret item', 5, 'cellar']]), 1);
    const add = (item: string, pieces: number) => store.apply(intentOf('add', [[item, pieces]], { scope: [1] }), 2);
    for (const call of [() => add('s-77', 0.5), () => add('S-78', 1)]) {
      expect(JSON.stringify(await refusalOf(call()))).not.toMatch(/Secret|Old/);
    }
    expect((await refusalOf(add('s-77', 0.5))).message).toBe('s-77 is counted in whole pieces (got 0.5).');
    const twice = intentOf('add', [
      ['S-77', 1],
      ['S-77', 0.5],
    ]);
    const second = await refusalOf(store.apply({ ...twice, scope: [1] }, 2));
    expect(second.message).toBe('S-77 is counted in whole pieces (got 0.5).');
    expect(await refusalOf(add('S-78', 1))).toMatchObject({
      message: 'S-78 is archived.',
      details: { hint: 'A manager can bring it back: secure-inv item restore S-78' },
    });
    const known = await refusalOf(store.apply(intentOf('take', [['S-78', 1]]), 2));
    expect(known.message).toBe('Old item (S-78) is archived.');
  });

  test('without any location nothing is there: no item, no movement, no name in a hint', async () => {
    const { store } = get();
    await store.apply(intentOf('add', [['Soap', 1]]), 1);
    const scope: readonly number[] = [];
    expect(await store.view({ scope, sort: 'name', limit: 9 })).toEqual({
      items: [],
      cursor: undefined,
      seq: 0,
      isUnsorted: false,
    });
    expect(await store.history({ scope, limit: 9 })).toEqual({ movements: [], cursor: undefined });
    expect(await refusalOf(store.apply(intentOf('add', [['Soap', 1]], { scope }), 2))).toMatchObject({
      message: 'No location "main".',
      details: { hint: 'There is no location for you. Ask an administrator.' },
    });
  });

  test('who there is elsewhere is not told: an unknown user is one who did nothing here', async () => {
    const { store } = get();
    await store.apply(intentOf('add', [['Soap', 1]]), 1);
    const find = (user: string) => store.history({ scope: [1], limit: 9, user });
    expect(await find('nobody')).toEqual({ movements: [], cursor: undefined });
    expect((await find('clerk1')).movements).toHaveLength(1);
  });
}
