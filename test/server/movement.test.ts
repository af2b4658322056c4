import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { historySliceRows } from '../../src/model/limits.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, WireClient } from '../support/wire-client.ts';

/** Asks under an operation of its own, unless `params` has one. */
const act = (client: WireClient, method: string, params: object) =>
  client.ask(method, { operation: randomUUID(), ...params });

/** A server with a cellar and 10 Soap at main, which is movement 1; its administrator's connection, and one for each role asked. */
async function openShop<const Role extends string>(...roles: readonly Role[]) {
  const server = await startServer({ isClockStopped: true });
  const administrator = await WireClient.open(server);
  await enrollAdministrator(server, administrator);
  await administrator.ask('location.add', { location: 'cellar' });
  await act(administrator, 'add', { item: 'Soap', quantity: 10 });
  const enrolled: WireClient[] = [];
  for (const role of roles) enrolled.push((await enrollUser(server, administrator, role, role)).client);
  const client = (role: Role): WireClient => enrolled[roles.indexOf(role)] ?? administrator;
  /** That this is refused, and that nothing moved. */
  const refuses = async (asking: WireClient, method: string, params: object, error: object) => {
    const head = async () => (await administrator.ask('view'))?.result;
    const before = await head();
    expect((await act(asking, method, params))?.error, JSON.stringify(params)).toMatchObject(error);
    expect(await head()).toEqual(before);
  };
  return { server, administrator, client, refuses };
}

describe('move', () => {
  test('answers with both balances, one or several, and the same when it is asked again', async () => {
    const { administrator } = await openShop();
    const params = { item: 'soap', quantity: 4, from: 'main', to: 'CELLAR', note: 'tidy', operation: randomUUID() };
    const reply = await administrator.ask('move', params);
    expect(reply?.result).toEqual({
      item: 'Soap',
      quantity: 4,
      from: { location: 'main', balance: 6 },
      to: { location: 'cellar', balance: 4 },
      seq: 2,
      operation: params.operation,
      at: expect.stringMatching(/Z$/),
    });
    expect((await administrator.ask('move', params))?.result).toEqual(reply?.result);
    const lines = [
      { item: 'Soap', quantity: 6, from: 'main', to: 'cellar' },
      { item: 'Soap', quantity: 1, from: 'cellar', to: 'main' },
    ];
    expect((await act(administrator, 'move', { lines }))?.result).toMatchObject({
      lines: [
        { from: { balance: 0 }, to: { balance: 10 }, seq: 4 },
        { from: { location: 'cellar', balance: 9 }, to: { location: 'main', balance: 1 }, seq: 6 },
      ],
    });
    const history = await administrator.ask('history', { kind: 'move', limit: 2 });
    expect(history?.result?.['movements']).toMatchObject([
      { seq: 7, kind: 'move', location: 'main', delta: 1 },
      { seq: 6, kind: 'move', location: 'cellar', delta: -1 },
    ]);
  });

  test('is refused as a whole, with the reason', async () => {
    const { administrator, client, refuses } = await openShop('clerk', 'viewer');
    const clerk = client('clerk');
    const soap = { item: 'Soap', quantity: 4, from: 'main', to: 'cellar' };
    const refused = (params: object, error: object) => refuses(clerk, 'move', params, error);
    await refused({ ...soap, quantity: 11 }, { code: 1007, message: 'Only 10 Soap at main; 11 asked.' });
    await refused({ lines: [soap, { ...soap, quantity: 7 }] }, { message: 'Only 6 Soap at main; 7 asked.' });
    await refused({ ...soap, to: 'Main' }, { code: -32602, message: 'from and to are both main: nothing would move.' });
    await refused({ ...soap, to: 'attic' }, { code: 1005, message: 'No location "attic".' });
    await refused({ ...soap, item: 'Gold' }, { code: 1005, message: 'No item "Gold".' });
    await refused({ ...soap, quantity: 0 }, { code: -32602 });
    await refused(
      { ...soap, lines: [soap] },
      { message: 'Give an item, a quantity, from and to, or lines, not both.' },
    );
    await refused({ item: 'Soap', quantity: 1, from: 'main' }, { code: -32602 });
    await refused({ lines: [] }, { message: 'lines must not be empty (got 0).' });
    await refused({ lines: [{ item: 'Soap', quantity: 1, from: 'main' }] }, { message: 'Line 1: to is missing.' });
    await refuses(client('viewer'), 'move', soap, { code: 1004 });
    expect(await act(administrator, 'move', soap)).toHaveProperty('result');
  });
});

describe('count', () => {
  test('answers with what was found and the difference, and is refused when the stock moved since', async () => {
    const { client, refuses } = await openShop('clerk', 'manager');
    const manager = client('manager');
    const view = await manager.ask('view');
    await refuses(
      client('clerk'),
      'count',
      { item: 'Soap', quantity: 12 },
      {
        code: 1004,
        message: 'Needs the permission stock:count (roles manager, admin).',
      },
    );
    await act(client('clerk'), 'take', { item: 'Soap', quantity: 3 });
    await refuses(
      manager,
      'count',
      { item: 'Soap', quantity: 12, ifSeq: view?.result?.['seq'] },
      {
        code: 1006,
        message: expect.stringMatching(/^Stock moved since: -3 by clerk at \d\d:\d\d UTC\.$/),
        data: { code: 'conflict', hint: 'Look at Soap and count again; its last movement at main is 2.' },
      },
    );
    expect((await act(manager, 'count', { item: 'soap', quantity: 12, ifSeq: 2, note: 'spring' }))?.result).toEqual({
      item: 'Soap',
      location: 'main',
      quantity: 12,
      delta: 5,
      balance: 12,
      seq: 3,
      operation: expect.any(String),
      at: expect.any(String),
    });
    expect((await act(manager, 'count', { item: 'Soap', quantity: 0 }))?.result).toMatchObject({
      delta: -12,
      balance: 0,
    });
    expect((await act(manager, 'count', { item: 'Soap', quantity: 0, location: 'cellar' }))?.result).toMatchObject({
      delta: 0,
      location: 'cellar',
    });
  });

  test('refuses what is no count', async () => {
    const { administrator, refuses } = await openShop();
    const rule = 'quantity must be 0 or a positive number with at most 3 decimals, at most 10^12';
    for (const quantity of [-1, 0.0001, 1e13, '12', null]) {
      await refuses(administrator, 'count', { item: 'Soap', quantity }, { message: expect.stringContaining(rule) });
    }
    const soap = { item: 'Soap', quantity: 1 };
    await refuses(
      administrator,
      'count',
      { ...soap, quantity: 1.5 },
      { message: expect.stringContaining('whole pieces') },
    );
    await refuses(
      administrator,
      'count',
      { ...soap, ifSeq: -1 },
      { message: 'ifSeq must be a whole number from 0 (got -1).' },
    );
    await refuses(
      administrator,
      'count',
      { ...soap, ifSeq: 'x' },
      { message: 'ifSeq must be a whole number from 0 (got "x").' },
    );
    await refuses(
      administrator,
      'count',
      { ...soap, ifSeq: 2 },
      { message: expect.stringContaining('no such movement') },
    );
    await refuses(administrator, 'count', { ...soap, item: 'Gold' }, { code: 1005, message: 'No item "Gold".' });
    await refuses(administrator, 'count', { ...soap, location: 'attic' }, { message: 'No location "attic".' });
  });
});

describe('undo', () => {
  test('takes back the whole operation once, and the answer is the same when it is asked again', async () => {
    const { administrator, refuses } = await openShop();
    const lines = ['Soap', 'Towel'].map((item) => ({ item, quantity: 5 }));
    await act(administrator, 'add', { lines }); // 2, 3
    const params = { seq: 2, note: 'twice', operation: randomUUID() };
    const reply = await administrator.ask('undo', params);
    expect(reply?.result).toEqual({
      operation: params.operation,
      lines: [
        { item: 'Towel', delta: -5, balance: 0, seq: 4, undoes: 3 },
        { item: 'Soap', delta: -5, balance: 10, seq: 5, undoes: 2 },
      ].map((line) => ({ ...line, location: 'main', operation: params.operation, at: expect.any(String) })),
    });
    expect((await administrator.ask('undo', params))?.result).toEqual(reply?.result);
    const conflict = { code: 1006, data: { code: 'conflict' } };
    const refused = (seq: unknown, error: object) => refuses(administrator, 'undo', { seq }, error);
    await refused(2, { ...conflict, message: 'Movement 2 was undone already, by movement 5.' });
    await refused(3, { ...conflict, message: 'Movement 3 was undone already, by movement 4.' });
    await refused(4, { ...conflict, message: 'Movement 4 is an undo, and undoes are not undone.' });
    await refused(6, { code: 1005, message: 'No movement 6.' });
    await act(administrator, 'take', { item: 'Soap', quantity: 1 });
    await refused(1, { code: 1007, message: 'Only 9 Soap at main; undoing movement 1 takes 10.' });
    for (const seq of [0, -1, 1.5, '1', null, 2 ** 53]) await refused(seq, { code: -32602 });
  });

  test('is for clerks what they did themselves in the last 15 minutes, and for managers anything', async () => {
    const { server, client, refuses } = await openShop('clerk', 'manager', 'viewer');
    const [clerk, manager] = [client('clerk'), client('manager')];
    const needs = 'undoing it needs the permission stock:undo (roles manager, admin).';
    await refuses(clerk, 'undo', { seq: 1 }, { code: 1004, message: `Movement 1 is not yours: ${needs}` });
    await refuses(
      client('viewer'),
      'undo',
      { seq: 1 },
      { code: 1004, message: expect.stringContaining('stock:write') },
    );
    await act(clerk, 'take', { item: 'Soap', quantity: 1 }); // 2
    await act(clerk, 'take', { item: 'Soap', quantity: 2 }); // 3
    await act(manager, 'count', { item: 'Soap', quantity: 20 }); // 4
    server.turnClock(9 * 60_000); // The access token of each is still good.
    expect((await act(clerk, 'undo', { seq: 3 }))?.result).toMatchObject({ lines: [{ delta: 2, undoes: 3 }] });
    expect((await act(manager, 'undo', { seq: 4 }))?.result).toMatchObject({ lines: [{ delta: -13, undoes: 4 }] });
    expect((await act(manager, 'undo', { seq: 2 }))?.result).toMatchObject({ lines: [{ delta: 1, balance: 10 }] });
    expect((await act(manager, 'undo', { seq: 1 }))?.result).toMatchObject({ lines: [{ delta: -10, balance: 0 }] });
  });

  test('knows of no movement outside the limits of whoever asks, nor of an operation that was also there', async () => {
    const { administrator, client, refuses } = await openShop('manager');
    const manager = client('manager');
    await act(administrator, 'move', { item: 'Soap', quantity: 4, from: 'main', to: 'cellar' }); // 2, 3
    await act(administrator, 'take', { item: 'Soap', quantity: 1, location: 'cellar' }); // 4
    await administrator.ask('user.limit', { user: 'manager', locations: ['cellar'] });
    for (const seq of [1, 2, 3, 5]) {
      await refuses(
        manager,
        'undo',
        { seq },
        {
          code: 1005,
          message: `No movement ${seq}.`,
          data: { hint: 'See what there was: secure-inv history' },
        },
      );
    }
    const soap = { item: 'Soap', quantity: 1 };
    const noMain = { code: 1005, message: 'No location "main".', data: { hint: 'Known locations: cellar.' } };
    await refuses(manager, 'move', { ...soap, from: 'cellar', to: 'main' }, noMain);
    await refuses(manager, 'move', { ...soap, from: 'main', to: 'cellar' }, noMain);
    await refuses(manager, 'count', { ...soap, location: 'main' }, noMain);
    const sayWhere = { ...noMain, data: { hint: 'Known locations: cellar. Say where: --at cellar' } };
    await refuses(manager, 'count', soap, sayWhere);
    await refuses(manager, 'take', soap, sayWhere);
    expect((await act(manager, 'undo', { seq: 4 }))?.result).toMatchObject({ lines: [{ balance: 4 }] });
  });
});

describe('history', () => {
  test('has a page of more movements than are read at once, and goes on behind it', async () => {
    const { administrator } = await openShop();
    const rows = 2 * historySliceRows + 50;
    const lines = Array.from({ length: rows - 1 }, (_, at) => ({ item: at % 2 === 0 ? 'Soap' : 'Tea', quantity: 1 }));
    await act(administrator, 'add', { lines });
    const ask = async (params: object) => (await administrator.ask('history', params))?.result;
    const downFrom = (seq: number, count: number, step = 1) =>
      Array.from({ length: count }, (_, at) => seq - at * step);
    const seqs = (page: unknown) => Object(page).movements.map(({ seq }: { seq: number }) => seq);
    for (const limit of [
      historySliceRows - 1,
      historySliceRows,
      historySliceRows + 1,
      2 * historySliceRows,
      rows - 1,
    ]) {
      const page = await ask({ limit });
      expect(seqs(page)).toEqual(downFrom(rows, limit));
      expect(seqs(await ask({ limit: 10, cursor: page?.['cursor'] }))).toEqual(
        downFrom(rows - limit, Math.min(10, rows - limit)),
      );
    }
    expect(await ask({ limit: rows })).toEqual({ movements: expect.any(Array) });
    expect(seqs(await ask({ limit: 1000 }))).toEqual(downFrom(rows, rows));
    expect(seqs(await ask({ limit: 140, item: 'Tea' }))).toEqual(downFrom(rows - 1, 140, 2));
  });
});
