import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, WireClient } from '../support/wire-client.ts';

/** A server whose administrator has Flour (12.5 kg, three decimals) and Soap at main, on a connection. */
async function openShop() {
  const own = await startServer();
  const administrator = await WireClient.open(own);
  await enrollAdministrator(own, administrator);
  const ask = async (method: string, params: object) =>
    administrator.ask(
      method,
      /^(item\.(?!show)|add|take)/.test(method) ? { operation: randomUUID(), ...params } : params,
    );
  await ask('item.add', { item: 'Flour', unit: 'kg', precision: 3, sku: 'FL-1', lowAt: 0.5 });
  await ask('add', {
    lines: [
      { item: 'fl-1', quantity: 12.5 },
      { item: 'Soap', quantity: 3 },
    ],
  });
  return { own, administrator, ask };
}

const everything = async (administrator: WireClient) => [
  (await administrator.ask('view'))?.result,
  (await administrator.ask('history', { limit: 1 }))?.result,
  (await administrator.ask('location.list'))?.result,
  (await administrator.ask('audit', { limit: 1 }))?.result,
];

describe('on the wire', () => {
  test('an item goes through its life, and its history tells all of it', async () => {
    const { ask } = await openShop();
    const edited = await ask('item.edit', { item: 'Flour', sku: null, barcode: '4006381333931', note: 'relabelled' });
    expect(edited?.result).toEqual({
      item: 'Flour',
      change: { sku: null, barcode: '4006381333931' },
      seq: 4,
      operation: expect.any(String),
      at: expect.any(String),
    });
    expect((await ask('item.rename', { item: '4006381333931', name: 'Wheat flour' }))?.result).toMatchObject({
      item: 'Wheat flour',
      change: { name: 'Wheat flour' },
    });
    await ask('take', { item: 'wheat flour', quantity: 12.5 });
    expect((await ask('item.archive', { item: 'Wheat flour' }))?.result).toMatchObject({ change: { archived: true } });
    expect((await ask('view', {}))?.result?.['items']).toMatchObject([{ item: 'Soap' }]);
    expect((await ask('item.show', { item: '4006381333931' }))?.result).toMatchObject({
      item: 'Wheat flour',
      quantity: 0,
      unit: 'kg',
      lowAt: 0.5,
      archived: true,
      last: { kind: 'item', location: '', delta: 0, change: { archived: true } },
    });
    expect((await ask('item.restore', { item: 'Wheat flour' }))?.result).toMatchObject({ change: { archived: false } });
    const told = (await ask('history', { item: 'Wheat flour' }))?.result?.['movements'];
    expect(told).toMatchObject([
      { kind: 'item', change: { archived: false } },
      { kind: 'item', change: { archived: true } },
      { kind: 'take' },
      { kind: 'item', item: 'Wheat flour', change: { name: 'Wheat flour' } },
      { kind: 'item', item: 'Flour', note: 'relabelled', change: { sku: null } },
      { kind: 'add', item: 'Flour' },
      { kind: 'item', user: 'admin', change: { name: 'Flour', unit: 'kg', precision: 3, sku: 'FL-1', lowAt: 0.5 } },
    ]);
  });

  test('an edit that is sent again is the same edit', async () => {
    const { ask } = await openShop();
    const rename = { item: 'Soap', name: 'Green soap', operation: randomUUID() };
    const [first, second] = [await ask('item.rename', rename), await ask('item.rename', rename)];
    expect(first?.result).toHaveProperty('seq');
    expect(second?.result).toEqual(first?.result);
    expect(await ask('item.rename', { ...rename, name: 'Blue soap' })).toMatchObject({ error: { code: 1006 } });
    expect(await ask('item.archive', { item: 'Green soap', operation: rename.operation })).toMatchObject({
      error: { code: 1006 },
    });
  });

  test('what cannot be is refused with a reason, and changes nothing', async () => {
    const { administrator, ask } = await openShop();
    await ask('location.add', { location: 'cellar' });
    const before = await everything(administrator);
    const refusals: readonly (readonly [string, object, string, string])[] = [
      ['item.edit', { item: 'Soap', sku: 'flour' }, 'conflict', 'There is an item Flour already.'],
      ['item.edit', { item: 'Soap', barcode: 'Fl-1' }, 'conflict', '"Fl-1" is the SKU of Flour already.'],
      ['item.rename', { item: 'Soap', name: 'FLOUR' }, 'conflict', 'There is an item Flour already.'],
      ['item.add', { item: 'fl-1' }, 'conflict', '"fl-1" is the SKU of Flour already.'],
      [
        'item.edit',
        { item: 'Flour', precision: 0 },
        'conflict',
        'There are 12.5 Flour at main, which takes a precision of 1 or more.',
      ],
      [
        'item.edit',
        { item: 'Soap', lowAt: 0.5 },
        'bad-params',
        'A low-stock threshold of 0.5 takes a precision of 1 or more, not 0.',
      ],
      ['item.archive', { item: 'Soap' }, 'conflict', 'There are still 3 Soap: 3 at main.'],
      ['item.restore', { item: 'Soap' }, 'conflict', 'Soap is not archived.'],
      ['item.show', { item: 'Soup' }, 'not-found', 'No item "Soup".'],
      ['item.edit', { item: 'Soap' }, 'bad-params', 'Say what to change, such as: --unit kg --precision 3.'],
      ['item.edit', { item: 'Soap', unit: null }, 'bad-params', 'unit must be text (got null).'],
      ['item.edit', { item: 'Soap', unit: '' }, 'bad-params', 'unit must not be empty.'],
      [
        'item.edit',
        { item: 'Soap', unit: 'x'.repeat(17) },
        'bad-params',
        'unit may have at most 16 characters (got 17).',
      ],
      ['item.edit', { item: 'Soap', precision: 1.5 }, 'bad-params', 'precision must be 0 to 3 (got 1.5).'],
      ['item.edit', { item: 'Soap', precision: -1 }, 'bad-params', 'precision must be 0 to 3 (got -1).'],
      ['item.edit', { item: 'Soap', sku: '__proto__' }, 'bad-params', 'sku must not be "__proto__".'],
      [
        'item.edit',
        { item: 'Soap', category: 'a\u0007' },
        'bad-params',
        'category must not contain control, bidirectional or invisible characters (found U+0007).',
      ],
      [
        'item.edit',
        { item: 'Soap', description: 'x'.repeat(201) },
        'bad-params',
        'description may have at most 200 characters (got 201).',
      ],
      [
        'item.edit',
        { item: 'Soap', lowAt: 0.0001 },
        'bad-params',
        'lowAt must be 0 or a positive number with at most 3 decimals, at most 10^12 (got 0.0001).',
      ],
      ['item.edit', { item: 'Soap', archived: true }, 'bad-params', 'There is no parameter "archived".'],
      ['item.edit', { item: 'Soap', name: 'Towel', unit: 'kg' }, 'bad-params', 'There is no parameter "name".'],
      ['item.add', { item: '__proto__' }, 'bad-params', 'item must not be "__proto__".'],
      ['item.rename', { item: 'Soap', name: '' }, 'bad-params', 'name must not be empty.'],
      ['location.add', { location: '__proto__' }, 'bad-params', 'location must not be "__proto__".'],
      ['location.rename', { location: 'cellar', name: '__proto__' }, 'bad-params', 'name must not be "__proto__".'],
      ['location.rename', { location: 'cellar', name: 'ＭＡＩＮ' }, 'conflict', 'There is a location main already.'],
      ['location.rename', { location: 'main', name: 'shop' }, 'conflict', 'The location main cannot be renamed.'],
      ['location.archive', { location: 'MAIN' }, 'conflict', 'The location main cannot be archived.'],
      ['location.archive', { location: 'attic' }, 'not-found', 'No location "attic".'],
    ];
    for (const [method, params, code, message] of refusals) {
      const reply = await ask(method, params);
      expect([reply?.error?.data.code, reply?.error?.message], `${method} ${JSON.stringify(params)}`).toEqual([
        code,
        message,
      ]);
    }
    expect(await everything(administrator)).toEqual(before);
  });

  test('an object of any language may have the names that an item may have', async () => {
    const { ask } = await openShop();
    for (const item of ['constructor', 'toString', 'valueOf', '0']) {
      expect((await ask('item.add', { item, category: item, sku: `${item}-1` }))?.result).toMatchObject({ item });
      expect((await ask('item.show', { item: `${item}-1`.toUpperCase() }))?.result).toMatchObject({ item });
    }
  });

  test('somebody limited edits nothing, whatever their role, and learns of no item that is not theirs', async () => {
    const { own, administrator, ask } = await openShop();
    await ask('location.add', { location: 'cellar' });
    await ask('add', { item: 'Salt', quantity: 4, location: 'cellar' });
    const { client } = await enrollUser(own, administrator, 'clara', 'manager');
    await ask('user.limit', { user: 'clara', locations: ['cellar'] });
    const before = await everything(administrator);
    const operation = randomUUID();
    for (const item of ['Salt', 'Soap', 'Nothing']) {
      for (const [method, params] of [
        ['item.add', { item, operation }],
        ['item.edit', { item, unit: 'kg', operation }],
        ['item.rename', { item, name: 'Pepper', operation }],
        ['item.archive', { item, operation }],
        ['item.restore', { item, operation }],
        ['location.rename', { location: 'cellar', name: 'vault' }],
        ['location.archive', { location: 'cellar' }],
      ] as const) {
        const reply = await client.ask(method, params);
        expect([method, reply?.error?.data.code]).toEqual([method, 'forbidden']);
        expect(reply?.error?.message).toMatch(/^You are limited to some locations, and .+\.$/);
      }
    }
    expect((await client.ask('item.show', { item: 'Salt' }))?.result).toMatchObject({ quantity: 4 });
    const unknown = { code: 'not-found', hint: 'See what there is: secure-inv view' };
    for (const item of ['Soap', 'FL-1', 'Soup']) {
      expect((await client.ask('item.show', { item }))?.error, item).toMatchObject({
        message: `No item "${item}".`,
        data: unknown,
      });
    }
    const hinted = await client.ask('take', { item: 'Sal', quantity: 1, location: 'cellar', operation });
    expect(hinted?.error?.data.hint).toContain('Did you mean Salt?');
    const [view, history, locations] = await everything(administrator);
    expect([view, history, locations]).toEqual(before.slice(0, 3));
  });

  test('a changed location is written into the audit log', async () => {
    const { ask } = await openShop();
    await ask('location.add', { location: 'cellar' });
    await ask('location.rename', { location: 'CELLAR', name: 'Vault' });
    await ask('location.archive', { location: 'vault' });
    expect((await ask('audit', { limit: 3 }))?.result?.['records']).toMatchObject([
      { event: 'location-archived', user: 'admin', subject: 'vault', source: '127.0.0.1' },
      { event: 'location-renamed', subject: 'CELLAR', detail: 'Vault' },
      { event: 'location-added', subject: 'cellar' },
    ]);
  });
});
