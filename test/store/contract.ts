import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Failure } from '../../src/model/failure.ts';
import type { Store } from '../../src/store/store.ts';
import { accountContract } from './account-contract.ts';
import { feedContract } from './feed-contract.ts';
import { importContract } from './import-contract.ts';
import { intentOf, note } from './intent.ts';
import { itemContract } from './item-contract.ts';
import { ledgerContract } from './ledger-contract.ts';
import { modelContract } from './model-contract.ts';
import { movementContract } from './movement-contract.ts';
import { scopeContract } from './scope-contract.ts';
import { viewContract } from './view-contract.ts';

/** Opens the store that lives in a folder; again after it was closed. */
export type OpenStore = (folder: string) => Promise<Store>;

/** What a contract test has: a fresh store in which user 1, `clerk1`, exists, and a way to close and open it again. */
export interface Fixture {
  store: Store;
  reopen(): Promise<void>;
}

/** The promises of src/store/store.ts. Every adapter passes this one suite. */
export function storeContract(name: string, open: OpenStore): void {
  describe(`${name} keeps the promises of a store`, () => {
    let folder = '';
    const fixture: { current: Fixture | undefined } = { current: undefined };
    const get = (): Fixture => {
      if (!fixture.current) throw new Error('There is a store only during a test.');
      return fixture.current;
    };

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'store-'));
      const made: Fixture = {
        store: await open(folder),
        async reopen() {
          await made.store.close();
          made.store = await open(folder);
        },
      };
      await made.store.addUser(note, 'clerk1', 'clerk', null, 1);
      fixture.current = made;
    });

    afterEach(async () => {
      await get().store.close();
      await rm(folder, { recursive: true });
    });

    operationContract(get);
    ledgerContract(get);
    viewContract(get);
    accountContract(get);
    movementContract(get);
    modelContract(get);
    scopeContract(get);
    itemContract(get);
    feedContract(get);
    importContract(get);
  });
}

/** How a call was refused. */
export async function refusalOf(call: Promise<unknown>): Promise<Failure> {
  return call.then(
    () => expect.fail('The call was not refused.'),
    (error: Failure) => error,
  );
}

function operationContract(get: () => Fixture): void {
  test('an add creates the item, says so once, and counts up', async () => {
    const { store } = get();
    const first = await store.apply(intentOf('add', [['Maggi', 200]]), 1000);
    expect(first).toEqual([
      {
        item: 'Maggi',
        location: 'main',
        delta: 200_000,
        balance: 200_000,
        seq: 1,
        at: 1000,
        created: true,
        low: false,
      },
    ]);
    const [second] = await store.apply(intentOf('add', [['maggi', 5]]), 1001);
    expect(second).toMatchObject({ item: 'Maggi', balance: 205_000, created: false, seq: 2 });
  });

  test('the same operation again returns the first result, in the same batch and after a restart', async () => {
    const fixture = get();
    const intent = intentOf('add', [
      ['Soap', 3],
      ['Soap', 4],
    ]);
    const [first, second] = await Promise.all([fixture.store.apply(intent, 1), fixture.store.apply(intent, 2)]);
    expect(first.map((line) => line.balance)).toEqual([3000, 7000]);
    expect(second).toEqual(first);
    await fixture.reopen();
    expect(await fixture.store.apply({ ...intent, source: '::1', credential: 'certificate:1' }, 9)).toEqual(first);
    expect((await fixture.store.head()).size).toBe(2);
  });

  test('a retried take returns its result although the stock is gone meanwhile', async () => {
    const { store } = get();
    await store.apply(intentOf('add', [['Soap', 3]]), 1);
    const take = intentOf('take', [['Soap', 3]]);
    expect(await store.apply(take, 2)).toEqual(await store.apply(take, 3));
  });

  test('an operation id with another body is a conflict, and another user may have the same id', async () => {
    const { store } = get();
    const other = await store.addUser(note, 'clerk2', 'clerk', null, 1);
    const intent = intentOf('add', [['Soap', 3]]);
    await store.apply(intent, 1);
    for (const changed of [intentOf('add', [['Soap', 4]]), intentOf('take', [['Soap', 3]]), { ...intent, note: 'x' }]) {
      const refusal = await refusalOf(store.apply({ ...changed, operation: intent.operation }, 2));
      expect(refusal.message).toBe(`Operation ${intent.operation} was already used for something else. Use a new one.`);
      expect(refusal.code).toBe('conflict');
    }
    const [result] = await store.apply({ ...intent, userId: other.id }, 3);
    expect(result?.balance).toBe(6000);
  });

  test('a refusal is not remembered', async () => {
    const { store } = get();
    await store.apply(intentOf('add', [['Soap', 1]]), 1);
    const take = intentOf('take', [['Soap', 2]]);
    expect((await refusalOf(store.apply(take, 2))).code).toBe('out-of-stock');
    await store.apply(intentOf('add', [['Soap', 1]]), 3);
    expect(await store.apply(take, 4)).toMatchObject([{ balance: 0 }]);
  });

  test('of an operation with a line that is refused nothing happens, also to the items it would have created', async () => {
    const { store } = get();
    await store.apply(intentOf('add', [['Maggi', 12]]), 1);
    const before = await store.head();
    const [take, add] = await Promise.all([
      refusalOf(
        store.apply(
          intentOf('take', [
            ['Maggi', 2],
            ['Maggi', 5],
            ['Maggi', 6],
          ]),
          2,
        ),
      ),
      refusalOf(
        store.apply(
          intentOf('add', [
            ['New', 1],
            ['Maggi', 1],
            ['4006381333931', 1],
          ]),
          2,
        ),
      ),
    ]);
    expect(take).toMatchObject({ code: 'out-of-stock', message: 'Only 5 Maggi at main; 6 asked.' });
    expect(add).toMatchObject({ code: 'not-found', message: expect.stringContaining('scanned code') });
    expect(await store.head()).toEqual(before);
    const { items } = await store.view({ scope: null, sort: 'name', limit: 10 });
    expect(items).toMatchObject([{ item: 'Maggi', quantity: 12_000 }]);
  });

  test('intents that are refused harm nobody in the same batch', async () => {
    const { store } = get();
    const calls = Array.from({ length: 60 }, (_, n) =>
      store.apply(n % 3 === 0 ? intentOf('take', [['Soap', 1000]]) : intentOf('add', [['Soap', 1]]), 1),
    );
    const settled = await Promise.allSettled([...calls, store.setRole(note, 999, 'viewer')]);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(40);
    const { items } = await store.view({ scope: null, sort: 'name', limit: 10 });
    expect(items).toMatchObject([{ item: 'Soap', quantity: 40_000 }]);
  });

  test('quantities keep to the precision of the item and to 10^12', async () => {
    const { store } = get();
    const half = intentOf('add', [['Soap', 0.5]]);
    expect(await refusalOf(store.apply(half, 1))).toMatchObject({
      code: 'bad-params',
      message: 'Soap is counted in whole pieces (got 0.5).',
    });
    await store.apply(intentOf('add', [['Soap', 1e12]]), 1);
    expect((await refusalOf(store.apply(intentOf('add', [['Soap', 1]]), 2))).code).toBe('bad-params');
  });

  test('an unknown location, item or scanned code is refused by name', async () => {
    const { store } = get();
    const refuse = (intent: Parameters<Store['apply']>[0]) => refusalOf(store.apply(intent, 1));
    expect(await refuse(intentOf('add', [['Soap', 1, 'mian']]))).toMatchObject({
      code: 'not-found',
      message: 'No location "mian".',
      details: { hint: 'Known locations: main.' },
    });
    expect(await refuse(intentOf('take', [['Magi', 1]]))).toMatchObject({ message: 'No item "Magi".' });
    expect((await refuse(intentOf('add', [['4006381333931', 1]]))).details.hint).toContain('--new');
    const [made] = await store.apply(intentOf('add', [['4006381333931', 1]], { allowNewCode: true }), 1);
    expect(made?.created).toBe(true);
    const [known] = await store.apply(intentOf('add', [['4006381333931', 1]]), 1);
    expect(known).toMatchObject({ created: false, balance: 2000 });
  });

  test('what closes finishes what it accepted, and refuses what comes later', async () => {
    const { store } = get();
    const accepted = store.apply(intentOf('add', [['Soap', 1]]), 1);
    const closed = store.close();
    expect((await refusalOf(store.head())).code).toBe('going-away');
    expect(await accepted).toHaveLength(1);
    await closed;
    await get().reopen();
    expect((await get().store.head()).size).toBe(1);
  });
}
