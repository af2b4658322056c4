import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { appendLeaf, type Frontier, leafHash, rootOf } from '../../src/model/ledger.ts';
import type { Movement } from '../../src/model/stock.ts';
import type { Store } from '../../src/store/store.ts';
import type { Fixture } from './contract.ts';
import { intentOf, note } from './intent.ts';

/** SHA-256 as the ledger wants it, made apart from the store's own. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Every movement of a store, oldest first, read page by page. */
export async function wholeHistory(store: Store, limit = 1000): Promise<readonly Movement[]> {
  const movements: Movement[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.history({ scope: null, limit, cursor });
    movements.push(...page.movements);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return movements.reverse();
}

export function ledgerContract(get: () => Fixture): void {
  test('the root of the ledger can be computed again from its history', async () => {
    const { store } = get();
    const intents = ['Soap', 'Towel', 'soap', 'Maggi', 'Towel'].map((item) =>
      intentOf('add', [[item, 2]], { note: 'n' }),
    );
    expect(rootOf([], sha256)).toEqual(Buffer.from((await store.head()).root));
    await store.apply(
      intentOf('add', [
        ['Soap', 2],
        ['Towel', 1],
        ['Soap', 3],
      ]),
      5,
    );
    await Promise.all(intents.map((intent) => store.apply(intent, 7)));
    const itemIds = new Map([
      ['Soap', 1],
      ['Towel', 2],
      ['Maggi', 3],
    ]);
    let frontier: Frontier = [];
    for (const movement of await wholeHistory(store)) {
      const record = {
        ...movement,
        change: null,
        credential: 'session:test',
        itemId: itemIds.get(movement.item) ?? 0,
        locationId: 1,
        seen: null,
        source: '127.0.0.1',
        undoes: null,
      };
      frontier = appendLeaf(frontier, movement.seq - 1, leafHash(record, sha256), sha256);
    }
    const head = await store.head();
    expect(head.size).toBe(8);
    expect(Buffer.from(head.root)).toEqual(rootOf(frontier, sha256));
    expect(head.frontier.map((hash) => Buffer.from(hash))).toEqual(frontier);
  });

  test('time never goes backwards, also over a restart', async () => {
    const fixture = get();
    for (const now of [1000, 900, 1100]) await fixture.store.apply(intentOf('add', [['Soap', 1]]), now);
    await fixture.reopen();
    await fixture.store.apply(intentOf('add', [['Soap', 1]]), 500);
    const movements = await wholeHistory(fixture.store);
    expect(movements.map((movement) => movement.at)).toEqual([1000, 1000, 1100, 1100]);
  });

  test('history tells who, what and why, newest first, and finds by item, user, location, kind and time', async () => {
    const { store } = get();
    const { id } = await store.addUser(note, 'clerk2', 'clerk', null, 1);
    const add = intentOf('add', [['Soap', 5]], { note: 'delivery' });
    await store.apply(add, 10);
    await store.apply(intentOf('add', [['Towel', 5]], { userId: id }), 20);
    await store.apply(intentOf('take', [['soap', 2]]), 30);
    const seqs = async (query: Partial<Parameters<Store['history']>[0]>) =>
      (await store.history({ scope: null, limit: 10, ...query })).movements.map((movement) => movement.seq);
    expect((await store.history({ scope: null, limit: 10 })).movements.at(-1)).toEqual({
      low: false,
      seq: 1,
      at: 10,
      kind: 'add',
      item: 'Soap',
      location: 'main',
      delta: 5000,
      balance: 5000,
      user: 'clerk1',
      note: 'delivery',
      operation: add.operation,
      change: null,
    });
    expect(await seqs({})).toEqual([3, 2, 1]);
    expect(await seqs({ item: 'SOAP' })).toEqual([3, 1]);
    expect(await seqs({ user: 'clerk2' })).toEqual([2]);
    expect(await seqs({ location: 'main', kind: 'take' })).toEqual([3]);
    expect(await seqs({ since: 20 })).toEqual([3, 2]);
    expect(await seqs({ until: 20 })).toEqual([2, 1]);
    expect(await seqs({ since: 11, until: 19 })).toEqual([]);
    await expect(seqs({ item: 'Nothing' })).rejects.toMatchObject({ code: 'not-found', message: 'No item "Nothing".' });
    await expect(seqs({ user: 'nobody' })).rejects.toMatchObject({ code: 'not-found', message: 'No user "nobody".' });
    await expect(seqs({ location: 'x' })).rejects.toMatchObject({ code: 'not-found' });
  });

  test('pages of history neither skip nor repeat, whatever is added meanwhile', async () => {
    const { store } = get();
    const add = () => store.apply(intentOf('add', [['Soap', 1]]), 1);
    await Promise.all(Array.from({ length: 10 }, add));
    const first = await store.history({ scope: null, limit: 4 });
    await add();
    const second = await store.history({ scope: null, limit: 4, cursor: first.cursor });
    const third = await store.history({ scope: null, limit: 4, cursor: second.cursor });
    const seqs = [first, second, third].flatMap((page) => page.movements.map((movement) => movement.seq));
    expect(seqs).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(third.cursor).toBeUndefined();
    await expect(store.history({ scope: null, limit: 4, cursor: 'x' })).rejects.toMatchObject({
      code: 'bad-params',
      message: 'cursor is not one that history returned.',
    });
  });
}
