import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { outboxRowsMax, webhooksMax } from '../../src/model/limits.ts';
import type { LowStockNews } from '../../src/model/low-stock.ts';
import type { OperationIntent } from '../../src/model/stock.ts';
import { openStore } from '../../src/store/open.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { GroupCommit } from '../../src/store/sqlite/group-commit.ts';
import { Outbox } from '../../src/store/sqlite/outbox.ts';
import type { Store } from '../../src/store/store.ts';
import { countOf, editOf, intentOf, moveOf, note, undoOf } from './intent.ts';

let folder = '';
let store: Store;
let news: LowStockNews[] = [];

async function open(webhooks: readonly string[]): Promise<Store> {
  const opened = await openStore(`sqlite:${join(folder, 'inv.db')}`, { exclusive: true, webhooks });
  opened.onLowStock((one) => news.push(one));
  return opened;
}

/** What another program does to the file. */
function beside(sql: string): Record<string, unknown>[] {
  const file = new DatabaseSync(join(folder, 'inv.db'));
  try {
    return file.prepare(sql).all();
  } finally {
    file.close();
  }
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-'));
  news = [];
  store = await open(['a', 'b']);
  await store.addUser(note, 'clerk1', 'clerk', null, 1);
  for (const item of ['Soap', 'Towels']) {
    await store.apply(intentOf('add', [[item, 10]]), 1);
    await store.editItem(editOf(item, { lowAt: 5000 }), 1);
  }
});

afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

test('a crossing is in the outbox once for each webhook, and told once, with what there is', async () => {
  await store.apply(intentOf('take', [['Soap', 4]]), 2);
  expect(await store.waitingDeliveries()).toEqual([]);
  const [taken] = await store.apply(intentOf('take', [['Soap', 1]]), 3);
  expect(await store.waitingDeliveries()).toEqual([
    { webhook: 'a', count: 1, oldestAt: 3 },
    { webhook: 'b', count: 1, oldestAt: 3 },
  ]);
  const low = { item: 'Soap', unit: 'pcs', quantity: 5000, lowAt: 5000, location: 'main', balance: 5000 };
  const movements = [{ ...low, at: 3, seq: taken?.seq, user: 'clerk1' }];
  expect(news).toEqual([{ movements, dropped: 0 }]);
});

test('what was never tried goes first, then what failed longest ago; a new start forgets the pauses', async () => {
  await store.apply(intentOf('take', [['Soap', 6]]), 2);
  const soap = await store.nextDelivery('a');
  await store.postponeDelivery(soap?.id ?? '', 9000);
  await store.apply(intentOf('take', [['Towels', 6]]), 3);
  const towels = await store.nextDelivery('a');
  expect([soap, towels]).toMatchObject([{ nextAt: 0, attempts: 0 }, { nextAt: 0 }]);
  expect(towels?.id).not.toBe(soap?.id);
  await store.postponeDelivery(towels?.id ?? '', 10_000);
  expect(await store.nextDelivery('a')).toEqual({ ...soap, attempts: 1, nextAt: 9000 });
  await store.hastenDeliveries('a');
  expect(await store.nextDelivery('a')).toEqual({ ...soap, attempts: 1, nextAt: 0 });
  await store.endDelivery(soap?.id ?? '');
  expect(await store.nextDelivery('a')).toMatchObject({ id: towels?.id });
  expect(await store.waitingDeliveries()).toMatchObject([
    { webhook: 'a', count: 1 },
    { webhook: 'b', count: 2 },
  ]);
  expect(await store.nextDelivery('c')).toBeUndefined();
});

test('an operation that is refused leaves nothing, nor does one in a batch that could not be written', async () => {
  const lines = [['Soap', 6] as const, ['Towels', 11] as const];
  await expect(store.apply(intentOf('take', lines), 2)).rejects.toMatchObject({ code: 'out-of-stock' });
  beside("CREATE TRIGGER broken BEFORE INSERT ON outbox WHEN new.webhook = 'b' BEGIN SELECT RAISE(ABORT, 'no'); END");
  const { size } = await store.head();
  await expect(store.apply(intentOf('take', [['Soap', 6]]), 3)).rejects.toMatchObject({ code: 'unconfirmed' });
  expect([(await store.head()).size, await store.waitingDeliveries(), news]).toEqual([size, [], []]);
  beside('DROP TRIGGER broken');
  expect(await store.apply(intentOf('take', [['Soap', 6]]), 4)).toMatchObject([{ low: true }]);
  expect(await store.waitingDeliveries()).toMatchObject([{ count: 1 }, { count: 1 }]);
  expect(news).toHaveLength(1);
});

test('without webhooks nothing is written, and low stock is told all the same', async () => {
  await store.close();
  store = await open([]);
  await store.apply(intentOf('take', [['Soap', 6]]), 2);
  expect(beside('SELECT * FROM outbox')).toEqual([]);
  expect(news).toHaveLength(1);
});

test('a full outbox gives up its oldest, and says how many', async () => {
  const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${outboxRowsMax - 1})`;
  beside(
    `INSERT INTO outbox (number, id, webhook, event, body, created_at) ${numbers} SELECT i, 'id' || i, 'a', 'low-stock', '{}', i FROM n`,
  );
  await store.apply(intentOf('take', [['Soap', 6]]), outboxRowsMax);
  expect(news).toMatchObject([{ dropped: 1 }]);
  expect(await store.nextDelivery('a')).toMatchObject({ id: 'id2' });
  await store.apply(intentOf('take', [['Towels', 6]]), outboxRowsMax);
  expect(news).toMatchObject([{ dropped: 1 }, { dropped: 2 }]);
  expect(beside('SELECT count(*) AS rows FROM outbox')).toEqual([{ rows: outboxRowsMax }]);
  expect(await store.forgetDeliveries(10, 500)).toBe(6); // 4 to 9
  expect(await store.forgetDeliveries(outboxRowsMax, 500)).toBe(500);
  expect(await store.nextDelivery('a')).toMatchObject({ id: 'id510' });
});

test('what is told of an item again and again pushes out nothing but its own, however full the outbox is', async () => {
  await store.apply(intentOf('take', [['Towels', 6]]), 2);
  const towels = told('a');
  await store.apply(intentOf('take', [['Soap', 6]]), 2);
  const numbers = `WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < ${outboxRowsMax + 95})`;
  beside(
    `INSERT INTO outbox (number, id, webhook, event, body, created_at) ${numbers} SELECT i, 'id' || i, 'c', 'low-stock', '{}', 3 FROM n`,
  );
  let seq: unknown;
  for (let times = 0; times < 5; times++) {
    await store.apply(intentOf('add', [['Soap', 6]]), 4);
    seq = (await store.apply(intentOf('take', [['Soap', 6]]), 4))[0]?.seq;
  }
  expect([told('a'), told('b')]).toEqual(Array(2).fill([...towels, seq]));
  expect(beside('SELECT count(*) AS rows FROM outbox')).toEqual([{ rows: outboxRowsMax }]);
  expect((await store.nextDelivery('a'))?.id).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

/** The movements that this webhook has in the outbox, each as often as it is there. */
function told(webhook: string): unknown[] {
  const rows = beside(`SELECT body ->> 'seq' AS seq FROM outbox WHERE webhook = '${webhook}' ORDER BY number`);
  return rows.map(({ seq }) => seq);
}

/** The movements that `watch --low` shows. */
async function watched(): Promise<unknown[]> {
  const { movements } = await store.movementsAfter({ scope: null, after: 0, low: true, limit: 1000 });
  return movements.map(({ seq }) => seq);
}

const toldNow = (): unknown[] => news.flatMap(({ movements }) => movements.map(({ seq }) => seq));

const take = (pieces: number) => store.apply(intentOf('take', [['Soap', pieces]]), 2);
const add = (pieces: number) => store.apply(intentOf('add', [['Soap', pieces]]), 2);

/** What each way of moving stock does to 10 Soap, low at 5; whether each of its movements crosses that. */
const ways: readonly (readonly [string, () => Promise<OperationIntent>, readonly boolean[]])[] = [
  ['a take', async () => intentOf('take', [['Soap', 5]]), [true]],
  [
    'a take of several lines, by the one that crosses',
    async () =>
      intentOf(
        'take',
        [3, 3, 3].map((pieces) => ['Soap', pieces]),
      ),
    [false, true, false],
  ],
  ['a count', async () => countOf('Soap', 2), [true]],
  [
    'an undo of an add',
    async () => {
      const [added] = await add(10);
      await take(9);
      return undoOf(added?.seq ?? 0);
    },
    [true],
  ],
  [
    'an undo of a count',
    async () => {
      const [counted] = await store.apply(countOf('Soap', 20), 2);
      await take(9);
      return undoOf(counted?.seq ?? 0);
    },
    [true],
  ],
  ['a count of what is there', async () => countOf('Soap', 10), [false]],
  [
    'an add to what is low already',
    async () => {
      await store.apply(intentOf('add', [['Rice', 1]]), 2);
      await store.editItem(editOf('Rice', { lowAt: 5000 }), 2);
      return intentOf('add', [['Rice', 2]]);
    },
    [false],
  ],
  ['a move, although its place has less now', async () => moveOf([['Soap', 9, 'main', 'cellar']]), [false, false]],
  [
    'an undo of a move',
    async () => {
      const [moved] = await store.apply(moveOf([['Soap', 9, 'main', 'cellar']]), 2);
      return undoOf(moved?.seq ?? 0);
    },
    [false, false],
  ],
];

test.for(ways)('%s is told once for each crossing, and not again when it is repeated', async ([, prepare, lows]) => {
  await store.addLocation(note, 'cellar');
  const intent = await prepare();
  const made = await store.apply(intent, 3);
  expect(made.map(({ low }) => low)).toEqual(lows);
  const crossings = made.filter(({ low }) => low).map(({ seq }) => seq);
  const expectOnce = async () => {
    expect([told('a'), told('b'), toldNow(), await watched()]).toEqual(Array(4).fill(crossings));
  };
  await expectOnce();
  expect(await store.apply(intent, 4)).toEqual(made);
  await expectOnce();
  await store.close();
  store = await open(['a', 'b']);
  expect(await store.apply(intent, 5)).toEqual(made);
  await expectOnce();
});

test('a threshold that is raised above what there is makes no movement low', async () => {
  await store.editItem(editOf('Soap', { lowAt: 50_000 }), 2);
  await take(1);
  expect([toldNow(), await watched()]).toEqual([[], []]);
});

test('whatever is done, many at once, the outbox has the movements that a watcher of low stock sees', async () => {
  await store.addLocation(note, 'cellar');
  const pieces = fc.integer({ min: 1, max: 9 });
  const item = fc.constantFrom('Soap', 'Towels');
  const ends = fc.constantFrom(['main', 'cellar'] as const, ['cellar', 'main'] as const);
  const operation: fc.Arbitrary<OperationIntent> = fc.oneof(
    fc.tuple(item, pieces).map((line) => intentOf('add', [line])),
    fc.tuple(item, pieces).map(([name, some]) =>
      intentOf('take', [
        [name, some],
        [name, 1],
      ]),
    ),
    fc.tuple(item, pieces).map(([name, some]) => countOf(name, some)),
    fc.tuple(item, pieces, ends).map(([name, some, [from, to]]) => moveOf([[name, some, from, to]])),
    fc.integer({ min: 1, max: 60 }).map((seq) => undoOf(seq)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: 40 }), async (operations) => {
      // Just above the threshold again, so that what is random crosses it often.
      for (const name of ['Soap', 'Towels']) {
        await store.apply(countOf(name, 0, { location: 'cellar' }), 2);
        await store.apply(countOf(name, 9), 2);
      }
      await Promise.allSettled(operations.map((intent) => store.apply(intent, 2)));
      const seen = await watched();
      expect([told('a'), told('b'), toldNow()]).toEqual([seen, seen, seen]);
    }),
    { numRuns: 15 },
  );
  expect(toldNow()).not.toEqual([]);
});

/** A connection that knows how much it was asked. */
class CountedDatabase extends Database {
  statements = 0;

  override run(...asked: Parameters<Database['run']>): number {
    this.statements++;
    return super.run(...asked);
  }

  override get<Row>(...asked: Parameters<Database['get']>): Row | undefined {
    this.statements++;
    return super.get<Row>(...asked);
  }

  override all<Row>(...asked: Parameters<Database['all']>): Row[] {
    this.statements++;
    return super.all<Row>(...asked);
  }
}

test('what crosses no threshold asks nothing more of the database, however many webhooks there are', async () => {
  await store.addLocation(note, 'cellar');
  await store.close();
  const database = new CountedDatabase(join(folder, 'inv.db'));
  const costs = [[], Array.from({ length: webhooksMax }, (_, at) => `webhook ${at}`)].map((webhooks) => {
    const outbox = new Outbox(database, webhooks);
    const commits = new GroupCommit(database, () => undefined, { outbox });
    const cost = (intent: OperationIntent) => {
      const before = database.statements;
      expect(commits.run([[1, 'apply', [intent, 2]]])).toMatchObject([[1, expect.any(Array)]]);
      expect(outbox.takeNews()).toBeUndefined();
      return database.statements - before;
    };
    // The item is in memory from now on, and has both of its balances.
    cost(intentOf('add', [['Soap', 1]]));
    cost(moveOf([['Soap', 1, 'main', 'cellar']]));
    const many = Array.from({ length: 100 }, () => ['Soap', 1] as const);
    return [
      cost(intentOf('add', [['Soap', 1]])),
      cost(intentOf('add', many)),
      cost(intentOf('take', many)),
      cost(moveOf([['Soap', 1, 'main', 'cellar']])),
      cost(countOf('Soap', 10)),
    ];
  });
  database.close();
  expect(costs[1]).toEqual(costs[0]);
  // Not that both grew: begin, look, operation, movement, total, balance, ledger, commit.
  expect(costs[0]?.slice(0, 2)).toEqual([9, 108]);
});
