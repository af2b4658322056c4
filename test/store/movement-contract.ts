import { expect, test } from 'vitest';
import { appendLeaf, type Frontier, leafHash, rootOf } from '../../src/model/ledger.ts';
import type { Movement } from '../../src/model/stock.ts';
import { type Fixture, refusalOf } from './contract.ts';
import { countOf, editOf, intentOf, moveOf, note, undoOf } from './intent.ts';
import { sha256, wholeHistory } from './ledger-contract.ts';

const minute = 60_000;

/** What a test needs of movements: what they did, in order. */
const told = (movements: readonly Movement[]) =>
  movements.map(({ kind, item, location, delta, balance }) => [kind, item, location, delta / 1000, balance / 1000]);

export function movementContract(get: () => Fixture): void {
  /** 10 Soap at main, movement 1; and a cellar. */
  async function withSoap() {
    const fixture = get();
    const cellar = await fixture.store.addLocation(note, 'cellar');
    const other = await fixture.store.addUser(note, 'clerk2', 'clerk', null, 1);
    await fixture.store.apply(intentOf('add', [['Soap', 10]]), 1);
    /** That a call is refused like this, and that nothing changed; also when it is tried after a restart. */
    const refuses = async (call: () => Promise<unknown>, code: string, message: string, hint?: unknown) => {
      const before = await fixture.store.head();
      expect(await refusalOf(call())).toMatchObject({ code, message, ...(hint ? { details: { hint } } : {}) });
      await fixture.reopen();
      expect(await refusalOf(call())).toMatchObject({ code, message });
      expect(await fixture.store.head()).toEqual(before);
    };
    return { fixture, cellar, other, refuses };
  }

  test('a move is two movements under one operation, first the one that leaves, and keeps the total', async () => {
    const { fixture } = await withSoap();
    const move = moveOf([['soap', 4, 'main', 'Cellar']], { note: 'tidy' });
    const result = await fixture.store.apply(move, 2);
    expect(result).toMatchObject([
      { item: 'Soap', location: 'main', delta: -4000, balance: 6000, seq: 2, created: false, low: false },
      { item: 'Soap', location: 'cellar', delta: 4000, balance: 4000, seq: 3, created: false, low: false },
    ]);
    const [leaves, arrives] = (await wholeHistory(fixture.store)).slice(1);
    expect(leaves).toMatchObject({ kind: 'move', operation: move.operation, note: 'tidy' });
    expect(arrives).toMatchObject({ kind: 'move', operation: move.operation, note: 'tidy' });
    await fixture.reopen();
    expect(await fixture.store.apply(move, 3)).toEqual(result);
    const { items } = await fixture.store.view({ scope: null, sort: 'name', limit: 10 });
    expect(items).toMatchObject([{ quantity: 10_000, locations: [{ quantity: 6000 }, { quantity: 4000 }] }]);
  });

  test('a move is refused as a whole: too much, to the same place, unknown places and items', async () => {
    const { fixture, refuses } = await withSoap();
    const move = (...lines: Parameters<typeof moveOf>[0]) => {
      const intent = moveOf(lines);
      return () => fixture.store.apply(intent, 2);
    };
    await refuses(
      move(['Soap', 8, 'main', 'cellar'], ['Soap', 3, 'main', 'cellar']),
      'out-of-stock',
      'Only 2 Soap at main; 3 asked.',
    );
    await refuses(move(['Soap', 1, 'cellar', 'main']), 'out-of-stock', 'Only 0 Soap at cellar; 1 asked.');
    await refuses(
      move(['Soap', 1, 'main', 'MAIN']),
      'bad-params',
      'from and to are both main: nothing would move.',
      'See where there is room: secure-inv location list',
    );
    await refuses(
      move(['Soap', 1, 'main', 'attic']),
      'not-found',
      'No location "attic".',
      'Known locations: main, cellar.',
    );
    await refuses(move(['Soap', 1, 'attic', 'main']), 'not-found', 'No location "attic".');
    await refuses(move(['Gold', 1, 'main', 'cellar']), 'not-found', 'No item "Gold".');
    await refuses(move(['Soap', 0.5, 'main', 'cellar']), 'bad-params', 'Soap is counted in whole pieces (got 0.5).');
    // All that a refused move took is there again.
    expect(await fixture.store.apply(moveOf([['Soap', 10, 'main', 'cellar']]), 3)).toMatchObject([
      { balance: 0 },
      { balance: 10_000 },
    ]);
  });

  test('an item that has all it may have can be moved', async () => {
    const { store } = (await withSoap()).fixture;
    await store.apply(intentOf('add', [['Salt', 1e12]]), 2);
    expect(await store.apply(moveOf([['Salt', 1e12, 'main', 'cellar']]), 3)).toMatchObject([
      { balance: 0 },
      { balance: 1e15 },
    ]);
  });

  test('a count sets the balance by its difference, to 0, by nothing, and where the item never was', async () => {
    const { fixture } = await withSoap();
    const { store } = fixture;
    const count = countOf('soap', 7);
    const result = await store.apply(count, 2);
    expect(result).toMatchObject([{ item: 'Soap', delta: -3000, balance: 7000, seq: 2, low: false }]);
    expect(await store.apply(countOf('Soap', 7), 3)).toMatchObject([{ delta: 0, balance: 7000, seq: 3 }]);
    expect(await store.apply(countOf('Soap', 0), 4)).toMatchObject([{ delta: -7000, balance: 0 }]);
    expect(await store.apply(countOf('Soap', 2, { location: 'cellar', ifSeq: 0 }), 5)).toMatchObject([
      { location: 'cellar', delta: 2000, balance: 2000 },
    ]);
    await fixture.reopen();
    expect(await fixture.store.apply(count, 6)).toEqual(result);
    expect((await wholeHistory(fixture.store)).slice(1).map(({ kind }) => kind)).toEqual(Array(4).fill('count'));
  });

  test('a count is refused when the stock moved since, and told how; elsewhere and other items do not matter', async () => {
    const { fixture, other, refuses } = await withSoap();
    const day = 24 * 60 * minute;
    const at = 14 * 60 * minute + 2 * minute;
    const apply = (...args: Parameters<typeof fixture.store.apply>) => fixture.store.apply(...args);
    await apply(intentOf('add', [['Soap', 3]], { userId: other.id }), at); // 2
    await apply(
      intentOf('add', [
        ['Soap', 1, 'cellar'],
        ['Towel', 1],
      ]),
      at,
    ); // 3, 4
    const count = (ifSeq: number, now: number) => {
      const intent = countOf('Soap', 12, { ifSeq });
      return () => apply(intent, now);
    };
    await refuses(
      count(1, at),
      'conflict',
      'Stock moved since: +3 by clerk2 at 14:02 UTC.',
      'Look at Soap and count again; its last movement at main is 2.',
    );
    await refuses(count(1, at + day), 'conflict', 'Stock moved since: +3 by clerk2 at 1970-01-01 14:02 UTC.');
    for (const pieces of [1, 2, 3]) await apply(intentOf('take', [['Soap', pieces]]), at + pieces * minute); // 5, 6, 7
    await refuses(
      count(2, at),
      'conflict',
      'Stock moved since: -3 by clerk1 at 14:05 UTC, -2 by clerk1 at 14:04 UTC, -1 by clerk1 at 14:03 UTC.',
    );
    await refuses(
      count(0, at),
      'conflict',
      'Stock moved since: -3 by clerk1 at 14:05 UTC, -2 by clerk1 at 14:04 UTC, -1 by clerk1 at 14:03 UTC, and more.',
    );
    await refuses(count(8, at), 'bad-params', 'ifSeq is 8, and there is no such movement yet.');
    // The last movement of all is as good as the item's own: nothing happened between them.
    expect(await apply(countOf('Towel', 1, { ifSeq: 7 }), at)).toMatchObject([{ delta: 0, seq: 8 }]);
    expect(await apply(countOf('Soap', 12, { ifSeq: 7 }), at)).toMatchObject([{ delta: 5000 }]);
    await refuses(() => apply(countOf('Gold', 1), at), 'not-found', 'No item "Gold".');
    await refuses(() => apply(countOf('Soap', 1, { location: 'attic' }), at), 'not-found', 'No location "attic".');
    await refuses(() => apply(countOf('Soap', 1.5), at), 'bad-params', 'Soap is counted in whole pieces (got 1.5).');
  });

  test('of a count and a take in one batch the second sees the first', async () => {
    const { store } = (await withSoap()).fixture;
    const [take, count] = await Promise.allSettled([
      store.apply(intentOf('take', [['Soap', 1]]), 2),
      store.apply(countOf('Soap', 9, { ifSeq: 1 }), 2),
    ]);
    expect(take.status).toBe('fulfilled');
    expect(count).toMatchObject({ reason: { message: 'Stock moved since: -1 by clerk1 at 00:00 UTC.' } });
  });

  test('an undo takes back all lines of an operation, the last one first, whichever of them is named', async () => {
    const { fixture } = await withSoap();
    const { store } = fixture;
    await store.apply(
      intentOf('add', [
        ['Towel', 5],
        ['Soap', 2],
      ]),
      2,
    ); // 2, 3
    await store.apply(
      moveOf([
        ['Soap', 12, 'main', 'cellar'],
        ['Soap', 12, 'cellar', 'main'],
      ]),
      3,
    ); // 4 to 7
    await store.apply(countOf('Towel', 9), 4); // 8
    await store.apply(intentOf('add', [['Towel', 1]]), 5); // 9
    const undo = undoOf(5, { note: 'wrong' });
    const result = await store.apply(undo, 6);
    expect(result.map(({ undoes, seq }) => [undoes, seq])).toEqual([
      [7, 10],
      [6, 11],
      [5, 12],
      [4, 13],
    ]);
    await store.apply(undoOf(2), 7);
    expect(await store.apply(undoOf(8), 8)).toMatchObject([{ item: 'Towel', delta: -4000, balance: 1000, undoes: 8 }]);
    await fixture.reopen();
    expect(await fixture.store.apply(undo, 9)).toEqual(result);
    const movements = (await wholeHistory(fixture.store)).slice(9);
    expect(movements[0]).toMatchObject({ operation: undo.operation, note: 'wrong', user: 'clerk1' });
    expect(told(movements)).toEqual([
      ['undo', 'Soap', 'main', -12, 0],
      ['undo', 'Soap', 'cellar', 12, 12],
      ['undo', 'Soap', 'cellar', -12, 0],
      ['undo', 'Soap', 'main', 12, 12],
      ['undo', 'Soap', 'main', -2, 10],
      ['undo', 'Towel', 'main', -5, 5],
      ['undo', 'Towel', 'main', -4, 1],
    ]);
  });

  test('an undo is refused twice, of an undo, of what there never was, and below zero; and nothing changes', async () => {
    const { fixture, refuses } = await withSoap();
    const apply = (...args: Parameters<typeof fixture.store.apply>) => fixture.store.apply(...args);
    const undo = (seq: number) => {
      const intent = undoOf(seq);
      return () => apply(intent, 9);
    };
    await refuses(undo(2), 'not-found', 'No movement 2.', 'See what there was: secure-inv history');
    await refuses(undo(Number.MAX_SAFE_INTEGER), 'not-found', `No movement ${Number.MAX_SAFE_INTEGER}.`);
    await apply(moveOf([['Soap', 10, 'main', 'cellar']]), 2); // 2, 3
    await apply(intentOf('take', [['Soap', 4, 'cellar']]), 3); // 4
    await refuses(undo(2), 'out-of-stock', 'Only 6 Soap at cellar; undoing movement 3 takes 10.');
    await refuses(undo(1), 'out-of-stock', 'Only 0 Soap at main; undoing movement 1 takes 10.');
    await apply(undoOf(4), 4); // 5
    await apply(undoOf(3), 5); // 6, 7
    await refuses(undo(2), 'conflict', 'Movement 2 was undone already, by movement 7.');
    await refuses(undo(3), 'conflict', 'Movement 3 was undone already, by movement 6.');
    await refuses(undo(4), 'conflict', 'Movement 4 was undone already, by movement 5.');
    await refuses(undo(5), 'conflict', 'Movement 5 is an undo, and undoes are not undone.');
  });

  test('an undo that the item is too coarse for by now is refused by what there is, not by what was asked', async () => {
    const { fixture, refuses } = await withSoap();
    const flour = { name: 'Flour', precision: 1 };
    await fixture.store.editItem(editOf('Flour', flour, { isNew: true }), 1);
    await fixture.store.apply(intentOf('add', [['Flour', 0.5]]), 1);
    await fixture.store.apply(intentOf('take', [['Flour', 0.5]]), 1);
    await fixture.store.editItem(editOf('Flour', { precision: 0 }), 1);
    await refuses(
      () => fixture.store.apply(undoOf(4), 2),
      'conflict',
      'Movement 4 is of 0.5 Flour, which is now counted in whole pieces.',
      'Let it be counted so again: secure-inv item edit Flour --precision 1',
    );
  });

  test('two who undo the same at once do it once', async () => {
    const { store } = (await withSoap()).fixture;
    const both = await Promise.allSettled([store.apply(undoOf(1), 2), store.apply(undoOf(1), 2)]);
    expect(both).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'conflict' } }]);
  });

  test('one undoes what is one’s own for 15 minutes; whoever may undo anything undoes anything', async () => {
    const { fixture, other, refuses } = await withSoap();
    const apply = (...args: Parameters<typeof fixture.store.apply>) => fixture.store.apply(...args);
    const add = async () => (await apply(intentOf('add', [['Soap', 1]]), minute))[0]?.seq ?? 0;
    const [theirs, old, mine] = [await add(), await add(), await add()];
    const hint = 'You may undo what you did yourself, for 15 minutes. Ask one of them.';
    const needs = 'undoing it needs the permission stock:undo (roles manager, admin).';
    await refuses(
      () => apply(undoOf(theirs, { allowAny: false, userId: other.id }), minute),
      'forbidden',
      `Movement ${theirs} is not yours: ${needs}`,
      hint,
    );
    await refuses(
      () => apply(undoOf(old, { allowAny: false }), 16 * minute + 1),
      'forbidden',
      `Movement ${old} is more than 15 minutes old: ${needs}`,
      hint,
    );
    expect(await apply(undoOf(mine, { allowAny: false }), 16 * minute)).toHaveLength(1);
    expect(await apply(undoOf(theirs, { userId: other.id }), 999 * minute)).toHaveLength(1);
  });

  test('somebody limited undoes only what was done nowhere else', async () => {
    const { fixture, cellar, refuses } = await withSoap();
    const apply = (...args: Parameters<typeof fixture.store.apply>) => fixture.store.apply(...args);
    await apply(moveOf([['Soap', 4, 'main', 'cellar']]), 2); // 2, 3
    await apply(intentOf('take', [['Soap', 1, 'cellar']]), 3); // 4
    const undo = (seq: number, scope: readonly number[]) => () => apply(undoOf(seq, { scope }), 4);
    for (const seq of [1, 2, 3]) await refuses(undo(seq, [cellar.id]), 'not-found', `No movement ${seq}.`);
    await refuses(undo(4, []), 'not-found', 'No movement 4.');
    const undone = undoOf(4, { scope: [cellar.id] });
    const result = await apply(undone, 5);
    expect(result).toMatchObject([{ balance: 4000, undoes: 4 }]);
    await refuses(() => apply({ ...undone, scope: [1] }, 6), 'not-found', 'No movement 4.');
    expect(await apply(undone, 7)).toEqual(result);
    expect(await apply(undoOf(3, { scope: [1, cellar.id] }), 8)).toHaveLength(2);
  });

  test('the ledger has moves, counts and undoes with the bytes that the wire describes', async () => {
    const { store } = (await withSoap()).fixture;
    const intents = [
      moveOf([['Soap', 4, 'main', 'cellar']]),
      countOf('Soap', 7, { ifSeq: 3 }),
      undoOf(3),
      countOf('Soap', 0, { location: 'cellar' }),
    ];
    for (const intent of intents) await store.apply(intent, 2);
    const movements = await wholeHistory(store);
    expect(movements.map(({ kind }) => kind)).toEqual(['add', 'move', 'move', 'count', 'undo', 'undo', 'count']);
    const seen = [null, null, null, 2, null, null, 5];
    const undoes = [null, null, null, null, 3, 2, null];
    let frontier: Frontier = [];
    for (const [at, movement] of movements.entries()) {
      const record = {
        ...movement,
        change: null,
        credential: 'session:test',
        itemId: 1,
        locationId: movement.location === 'main' ? 1 : 2,
        seen: seen[at] ?? null,
        source: '127.0.0.1',
        undoes: undoes[at] ?? null,
      };
      frontier = appendLeaf(frontier, at, leafHash(record, sha256), sha256);
    }
    expect(Buffer.from((await store.head()).root)).toEqual(rootOf(frontier, sha256));
  });

  test('an operation id belongs to one body, of whatever kind', async () => {
    const { store } = (await withSoap()).fixture;
    const { operation } = await (async () => {
      const first = moveOf([['Soap', 1, 'main', 'cellar']]);
      await store.apply(first, 2);
      return first;
    })();
    for (const other of [
      moveOf([['Soap', 1, 'cellar', 'main']]),
      moveOf([['Soap', 2, 'main', 'cellar']]),
      intentOf('take', [['Soap', 1]]),
      countOf('Soap', 9),
      undoOf(1),
    ]) {
      expect(await refusalOf(store.apply({ ...other, operation }, 3))).toMatchObject({
        code: 'conflict',
        message: `Operation ${operation} was already used for something else. Use a new one.`,
      });
    }
    const count = countOf('Soap', 9, { ifSeq: 3 });
    await store.apply(count, 4);
    expect((await refusalOf(store.apply({ ...count, ifSeq: null }, 5))).code).toBe('conflict');
  });
}
