import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { Failure, type FailureDetails } from '../../src/model/failure.ts';
import type { ImportProblem, ImportRow } from '../../src/model/import.ts';
import type { HistoryQuery, Movement, MovementResult, OperationIntent, StockQuery } from '../../src/model/stock.ts';
import type { Rights, Scope } from '../../src/model/user.ts';
import { openStore } from '../../src/store/open.ts';
import type { Database } from '../../src/store/sqlite/database.ts';
import { GroupCommit } from '../../src/store/sqlite/group-commit.ts';
import { type Method, type Methods, parsePage } from '../../src/store/sqlite/message.ts';
import { movementIndexes } from '../../src/store/sqlite/movement-index.ts';
import { openStoreFiles } from '../../src/store/sqlite/store-files.ts';
import type { ImportCheck, StockPage } from '../../src/store/store.ts';
import { countOf, editOf, intentOf, moveOf, note, undoOf } from './intent.ts';
import { type Everything, type Known, modelHistory, modelSeq, modelView } from './scope-model.ts';

// What somebody limited is told is held against two oracles: the rule `may`, applied movement by movement to the whole
// ledger; and a twin store in which nothing but the scope ever was, asked without any limit.

const places = ['main', 'cellar', 'attic', 'shop'] as const;
const items = ['Soap', 'Towel', 'Green tea', 'Black tea', 'Zinc', '4006381333931'] as const;
const users = ['anna', 'bert', 'clara'] as const; // Clara is limited.
const clara = 2;

const itemName = fc.constantFrom(...items, 'SOAP', 'Soup', 'Gren tea', 'unknown', 'code-1');
const placeName = fc.constantFrom(...places, 'CELLAR', 'nowhere');
const line = fc.record({
  // One of them often, so that what is asked of it is not always too much.
  item: fc.constantFrom('Soap', 'Soap', 'Soap', 'Soap', ...items),
  place: fc.constantFrom(...places),
  to: fc.constantFrom(...places),
  pieces: fc.integer({ min: 1, max: 4 }),
});
const act = fc.record({
  by: fc.nat(2),
  kind: fc.constantFrom('add', 'add', 'add', 'take', 'move', 'count', 'undo', 'undo'),
  lines: fc.array(line, { minLength: 1, maxLength: 3 }),
  allowNewCode: fc.boolean(),
  allowAny: fc.boolean(),
  /** Of a count, whether it says what was seen last; of that and of an undo, how long ago that was. */
  isSeen: fc.boolean(),
  ago: fc.nat(6),
  isRepeated: fc.boolean(),
});
const facts = fc.record({
  category: fc.option(fc.constantFrom('tea', 'house'), { nil: undefined }),
  lowAt: fc.option(fc.constantFrom(1000, 4000, 8000), { nil: undefined }),
  isArchived: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
});
const limit = fc.integer({ min: 1, max: 4 });
const time = fc.integer({ min: 0, max: 30 }).map((n) => n * 10);
/** Absent in most queries, so that most are no refusal. */
const rarely = <T>(value: fc.Arbitrary<T>, weight = 1) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 5 }, { arbitrary: value, weight });
const viewQuery = fc.record({
  items: rarely(fc.array(itemName, { maxLength: 3 })),
  search: rarely(fc.constantFrom('tea', 'so', 'b', 'gr te', 'unknown')),
  location: rarely(placeName, 2),
  category: rarely(fc.constantFrom('tea', 'house', 'other')),
  low: rarely(fc.boolean(), 4),
  archived: rarely(fc.boolean(), 2),
  // Each is a statement of its own, which each world prepares anew.
  sort: fc.constantFrom('name', '-name', 'quantity', '-quantity', 'category', '-lowAt'),
  limit,
  cursor: rarely(fc.constantFrom('x', 'bm90IG91cnM')),
});
const historyQuery = fc.record({
  item: rarely(itemName, 3),
  user: rarely(fc.constantFrom(...users, 'nobody'), 2),
  location: rarely(placeName, 2),
  kind: rarely(fc.constantFrom('add', 'take', 'count', 'move', 'undo')),
  since: rarely(time),
  until: rarely(time),
  limit,
});
const often = <T>(value: fc.Arbitrary<T>, count: number) => fc.array(value, { minLength: count, maxLength: count });
const worlds = fc.record({
  permitted: fc.subarray([...places]),
  acts: fc.array(act, { minLength: 5, maxLength: 40 }),
  facts: often(facts, items.length),
  indexed: fc.nat(40),
  views: often(viewQuery, 8),
  histories: often(historyQuery, 8),
  imported: fc.array(line, { maxLength: 6 }),
});

/** The store as its worker runs it, here without a thread and a disk that is waited for: a hundred worlds take a while. */
class World {
  readonly database: Database;
  readonly #commits: GroupCommit;
  readonly #close: () => void;

  constructor(folder: string, name: string) {
    const { database, lock } = openStoreFiles({ path: join(folder, `${name}.db`), exclusive: true });
    database.script('PRAGMA synchronous = OFF');
    this.database = database;
    this.#commits = new GroupCommit(database, () => undefined);
    this.#close = () => {
      database.close();
      lock?.release();
    };
    for (const user of [...users, 'dora']) this.call('addUser', note, user, 'clerk', null, 1);
  }

  /** What the store answers. Failures: its refusal. */
  call<M extends Method>(method: M, ...args: Parameters<Methods[M]>): ReturnType<Methods[M]> {
    const [reply] = this.#commits.run([[1, method, args]]);
    if (reply?.[2]) throw new Failure(reply[2].code ?? 'internal', reply[2].message, reply[2].details);
    return reply?.[1] as ReturnType<Methods[M]>; // A call is answered with the result of its own method.
  }

  close(): void {
    this.#close();
  }
}

/** As much of a refusal as the caller reads. */
interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly details: FailureDetails;
}

/** Of a call its result, or its refusal. */
function outcomeOf<T>(call: () => T): T | Refusal {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'internal') throw error;
    const { code, message, details } = error;
    return { code, message, details };
  }
}

/** Edits the items that there are, by the way of everybody: what edits leave in the ledger happened nowhere. */
function edit(world: World, known: readonly Known[], now: number): void {
  for (const [at, { category, lowAt }] of known.entries()) {
    if (category === undefined && lowAt === undefined) continue;
    const intent = editOf(items[at] ?? '', { category, lowAt });
    const told = outcomeOf(() => world.call('editItem', intent, now));
    if ('code' in told && told.code !== 'not-found') throw new Error(told.message);
  }
}

/** Writes the rest, or in a twin all of it without a record, and moves some movements into the indexes. */
function prepare({ database }: World, known: readonly Known[], indexed: number): void {
  for (const [at, { category, lowAt, isArchived }] of known.entries()) {
    const sql = 'UPDATE item SET category = ?1, category_key = ?1, low_at = ?2, archived_at = ?3 WHERE name = ?4';
    database.run(sql, category ?? null, lowAt ?? null, isArchived ? 1 : null, items[at] ?? '');
    const row = database.get<{ id: number }>('SELECT id FROM item WHERE name = ?', items[at] ?? '');
    if (!row) continue;
    const repeated = 'UPDATE balance SET category_key = ?, low_at = ?, archived_at = ? WHERE item_id = ?';
    database.run(repeated, category ?? null, lowAt ?? null, isArchived ? 1 : null, row.id);
    database.run('DELETE FROM item_search WHERE rowid = ?', row.id);
    const search = 'INSERT INTO item_search (rowid, name, category) VALUES (?, ?, ?)';
    database.run(search, row.id, items[at] ?? '', category ?? null);
  }
  database.run("INSERT INTO item_key (key, item_id) SELECT 'code-1', id FROM item WHERE name = 'Soap'");
  for (const [column, table] of Object.entries(movementIndexes)) {
    database.run(`INSERT INTO ${table} SELECT ${column}, seq FROM movement WHERE seq <= ?`, indexed);
  }
  database.run('UPDATE ledger SET indexed = min(size, ?)', indexed);
  // What was moved since is listed anywhere, and nobody may rely on where.
  const waiting = (columns: string) => `(SELECT ${columns} FROM movement, ledger WHERE seq > indexed)`;
  database.run(`UPDATE item SET listed = CASE WHEN id IN ${waiting('item_id')} THEN 2000 ELSE total END`);
  database.run(
    `UPDATE balance SET listed = CASE WHEN (item_id, location_id) IN ${waiting('item_id, location_id')} THEN 2000 ELSE quantity END`,
  );
}

/** All pages of an answer, or its refusal. */
function pagesOf<P extends { readonly cursor: string | undefined }>(
  ask: (cursor: string | undefined) => P,
  start: string | undefined,
): readonly P[] | Refusal {
  const pages: P[] = [];
  for (let cursor = start; ; ) {
    const page = outcomeOf(() => ask(cursor));
    if ('code' in page) return page;
    pages.push(page);
    if (pages.length > 1000) throw new Error('The pages have no end.');
    cursor = page.cursor;
    if (cursor === undefined) return pages;
  }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (cursor: string): unknown => JSON.parse(Buffer.from(cursor, 'base64url').toString());

type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never;

/** A whole store and its twin, in which only the scope ever was. `seqs`: of each movement of the twin, the one it stands for. */
class Pair {
  readonly whole: World;
  readonly twin: World;
  readonly permitted: readonly string[];
  readonly scope: Scope;
  readonly seqs: number[] = [0];

  constructor(folder: string, permitted: readonly string[]) {
    this.whole = new World(folder, 'whole');
    this.twin = new World(folder, 'twin');
    this.permitted = permitted;
    for (const place of places.slice(1)) this.whole.call('addLocation', note, place);
    for (const place of permitted.filter((name) => name !== 'main')) this.twin.call('addLocation', note, place);
    if (!permitted.includes('main')) this.twin.database.run("DELETE FROM location WHERE name = 'main'");
    this.scope = this.whole.call('setScope', note, clara + 1, permitted).scope;
  }

  /** Does the same in both. What clara is told is what she would be told if there were nothing else. */
  act(drawn: Drawn<typeof act>): void {
    const { by, isRepeated } = drawn;
    const at = this.seqs.length * 10;
    const intent = this.#intentOf(drawn);
    const told = outcomeOf(() => this.whole.call('apply', intent, at));
    if (isRepeated) expect(outcomeOf(() => this.whole.call('apply', intent, at + 5))).toEqual(told);
    // What there was before: an undo that happened makes itself undone.
    const expected = by === clara ? this.#actAsClara(intent, at) : undefined;
    if (!('code' in told)) {
      const inside = told.filter(({ location }) => this.permitted.includes(location));
      if (by !== clara) this.#copy(intent, inside, at);
      this.seqs.push(...inside.map(({ seq }) => seq));
    }
    if (expected) expect(told).toEqual('code' in expected ? expected : expected.map((result) => this.#asTold(result)));
  }

  #intentOf({ by, kind, lines, allowNewCode, allowAny, isSeen, ago }: Drawn<typeof act>): OperationIntent {
    const user = { userId: by + 1, scope: by === clara ? this.scope : null };
    const [first] = lines;
    switch (kind) {
      case 'move':
        return moveOf(
          lines.map(({ item, pieces, place, to }) => [item, pieces, place, to]),
          user,
        );
      case 'count': {
        const ifSeq = isSeen ? (this.seqs.at(-1 - ago) ?? 0) : null;
        // Also none at all.
        return countOf(first?.item ?? '', (first?.pieces ?? 1) - 1, { location: first?.place ?? '', ifSeq, ...user });
      }
      case 'undo':
        return undoOf(Math.max(1, this.whole.call('head').size - ago), { allowAny, ...user });
      default:
        return intentOf(
          kind,
          lines.map(({ item, place, pieces }) => [item, pieces, place]),
          { allowNewCode, ...user },
        );
    }
  }

  #isOutside = (location: string) => !this.permitted.includes(location);

  /** What the twin answers, in its own numbers. A location outside is told before anything else, as where it stands alone. */
  #actAsClara(intent: OperationIntent, at: number): readonly MovementResult[] | Refusal {
    const ask = (asked: OperationIntent) => {
      const outcome = outcomeOf(() => this.twin.call('apply', { ...asked, scope: null }, at));
      return 'code' in outcome ? this.#refusalAsTold(outcome) : outcome;
    };
    switch (intent.kind) {
      case 'undo': {
        const seq = this.seqs.indexOf(intent.seq);
        // What was done elsewhere, too, is not hers to undo; the twin does not know of that.
        if (seq > 0 && !this.#wasElsewhere(intent.seq)) return ask({ ...intent, seq });
        const details = { hint: 'See what there was: secure-inv history' };
        return { code: 'not-found', message: `No movement ${intent.seq}.`, details };
      }
      case 'count':
        return ask({ ...intent, ifSeq: intent.ifSeq && this.seqs.indexOf(intent.ifSeq) });
      case 'move': {
        const outside = intent.lines.filter(({ from, to }) => this.#isOutside(from) || this.#isOutside(to)).slice(0, 1);
        return ask(outside.length > 0 ? { ...intent, lines: outside } : intent);
      }
      default: {
        const outside = intent.lines.filter(({ location }) => this.#isOutside(location)).slice(0, 1);
        return ask(outside.length > 0 ? { ...intent, lines: outside } : intent);
      }
    }
  }

  #wasElsewhere(seq: number): boolean {
    const { movements } = this.whole.call('history', { scope: null, limit: 1000 });
    const operation = movements.find((movement) => movement.seq === seq)?.operation;
    return movements.some((movement) => movement.operation === operation && this.#isOutside(movement.location));
  }

  /** Makes the movements in the scope of what somebody else did the twin's own, of whatever kind. */
  #copy(intent: OperationIntent, inside: readonly MovementResult[], at: number): void {
    if (inside.length === 0) return;
    const { operation, userId } = intent;
    const lines = inside.map(({ item, delta, location }) => [item, delta / 1000, location] as const);
    const copied = this.twin.call('apply', intentOf('add', lines, { operation, userId, allowNewCode: true }), at);
    for (const [index, { seq }] of copied.entries()) {
      const { undoes } = inside[index] ?? {};
      const undone = undoes === undefined ? null : this.seqs.indexOf(undoes);
      this.twin.database.run('UPDATE movement SET kind = ?, undoes = ? WHERE seq = ?', intent.kind, undone, seq);
    }
  }

  /** A result or a movement of the twin with the numbers that the whole has for its movements. */
  #asTold({ seq, undoes, ...result }: MovementResult | Movement) {
    return {
      ...result,
      seq: this.seqs[seq],
      ...(undoes === undefined ? {} : { undoes: this.seqs[undoes] }),
    };
  }

  /** The same of a refusal: the numbers that it names. */
  #refusalAsTold({ code, message, details }: Refusal): Refusal {
    const told = (text: string) =>
      text.replace(
        /(movement |last movement at \w+ is )(\d+)/gi,
        (_, words, seq) => `${words}${this.seqs[Number(seq)]}`,
      );
    return {
      code,
      message: told(message),
      details: details.hint === undefined ? details : { hint: told(details.hint) },
    };
  }

  /** What clara is shown, and what she would be if there were nothing else. */
  view(query: Omit<StockQuery, 'scope'>) {
    const ask = (world: World, scope: Scope) =>
      pagesOf((cursor) => parsePage(world.call('view', { ...query, scope, cursor })), query.cursor);
    const told = ask(this.whole, this.scope);
    const twin = ask(this.twin, null);
    if ('code' in twin) return { told, expected: twin };
    const asTold = (cursor: string) => {
      const [sort, item, rank, seq, question] = decode(cursor) as readonly unknown[]; // As cursor.ts makes it.
      return encode([sort, item, rank, this.seqs[Number(seq)], question]);
    };
    const expected = twin.map(({ seq, cursor, ...page }) => ({
      ...page,
      seq: this.seqs[seq],
      cursor: cursor && asTold(cursor),
    }));
    return { told, expected };
  }

  /** As `view`. */
  history(query: Omit<HistoryQuery, 'scope'>) {
    const ask = (world: World, scope: Scope, user: string | undefined) =>
      pagesOf((cursor) => world.call('history', { ...query, scope, user, cursor }), query.cursor);
    const told = ask(this.whole, this.scope, query.user);
    // Of somebody who did nothing here there is no telling whether they are known elsewhere.
    const twin = ask(this.twin, null, query.user === 'nobody' ? 'dora' : query.user);
    if ('code' in twin) return { told, expected: twin };
    const expected = twin.map(({ movements, cursor }) => ({
      movements: movements.map((moved) => this.#asTold(moved)),
      cursor: cursor && encode(this.seqs[Number(decode(cursor))]),
    }));
    return { told, expected };
  }

  /** As `view`, of whoever watches from a movement on. */
  feed(after: number, limit: number) {
    const ask = (world: World, scope: Scope, from: number) => {
      const { size } = world.call('head');
      const movements: Movement[] = [];
      for (let next = from; next < size; ) {
        const page = world.call('movementsAfter', { scope, after: next, low: false, limit });
        movements.push(...page.movements);
        next = page.through;
      }
      return movements;
    };
    const told = ask(this.whole, this.scope, this.seqs[after] ?? 0);
    const expected = ask(this.twin, null, after).map((moved) => this.#asTold(moved));
    return { told, expected };
  }

  /** What clara is told of a file that she imports, in both, and what is there when it could be. */
  import(rows: readonly ImportRow[]) {
    const told = importInto(this.whole, rows, this.scope);
    const expected = importInto(this.twin, rows, null);
    // There, where nothing else is, somebody who is not limited is also told how to make a location.
    return { told, expected: expected.map((problem) => ({ ...problem, fix: problem.fix.replace(/ Add it: .*/, '') })) };
  }

  close(): void {
    this.whole.close();
    this.twin.close();
  }
}

/** Clara imports these rows; the problems that are in the way. */
function importInto(world: World, rows: readonly ImportRow[], scope: Scope): readonly ImportProblem[] {
  const importer = { userId: clara + 1, scope };
  const digest = new Uint8Array(32);
  const id = world.call('beginImport', { name: null, digest, rows: rows.length, again: false, ...importer }, 1);
  world.call('stageRows', importer, id, 0, rows, 1);
  const problems: ImportProblem[] = [];
  for (let from: number | null = 0; from !== null; ) {
    const slice: ImportCheck = world.call('checkImport', importer, id, from);
    problems.push(...slice.problems);
    from = slice.next;
  }
  if (problems.length > 0) return problems;
  world.call('acceptImport', { ...importer, credential: 'session:test', source: '127.0.0.1' }, id, 1);
  while (world.call('rollImports', 1).more);
  expect(world.call('importStatus', importer, id)).toMatchObject({ state: 'done', done: rows.length });
  return problems;
}

function checkImport(pair: Pair, lines: readonly Drawn<typeof line>[], known: readonly Known[]): void {
  // That an item which is known elsewhere is archived shines through, as for an add.
  const open = lines.filter(({ item }) => !known[items.indexOf(item)]?.isArchived);
  if (open.length === 0) return;
  const rows = open.map(({ item, place, pieces }, at) => {
    return { line: at + 2, item, location: place, quantity: pieces * 1000, about: {}, note: null };
  });
  const before = pair.whole.call('head').size;
  const { told, expected } = pair.import(rows);
  expect(told).toEqual(expected);
  const { movements } = pair.whole.call('history', { scope: null, limit: 1000 });
  const made = movements.filter(({ seq }) => seq > before);
  expect(made).toHaveLength(told.length > 0 ? 0 : rows.length);
  expect(made.every(({ location }) => pair.permitted.includes(location))).toBe(true);
  pair.seqs.push(...made.map(({ seq }) => seq).toReversed());
  const shown = pair.view({ sort: 'name', limit: 100 });
  // What else is known of an item that appears shines through, too.
  const stock = (pages: readonly Pick<StockPage, 'items'>[] | Refusal) =>
    'code' in pages
      ? pages
      : pages.flatMap(({ items: all }) => all.map(({ item, locations }) => ({ item, locations })));
  expect(stock(shown.told)).toEqual(stock(shown.expected));
}

function checkView(pair: Pair, everything: Everything, rights: Rights, query: Drawn<typeof viewQuery>): void {
  const { told, expected } = pair.view(query);
  expect(told).toEqual(expected);
  if (query.items?.includes('code-1') || query.cursor !== undefined) return; // The model knows neither.
  const rows = modelView(everything, rights, query);
  if ('code' in told) {
    expect(told.message).toBe(rows);
    return;
  }
  const shown = told.flatMap((page) => page.items);
  expect(shown.map(({ item, quantity, locations }) => ({ item, quantity, locations }))).toEqual(rows);
  expect(told.map((page) => page.items.length)).toEqual(pageLengths(rows.length, query.limit));
  expect(new Set(told.map(({ seq }) => seq))).toEqual(new Set([modelSeq(everything, rights)]));
}

function checkHistory(pair: Pair, everything: Everything, rights: Rights, query: Drawn<typeof historyQuery>): void {
  const { told, expected } = pair.history(query);
  expect(told).toEqual(expected);
  if (query.item === 'code-1') return;
  const seqs = modelHistory(everything, rights, query);
  if ('code' in told) {
    expect(told.message).toBe(seqs);
    return;
  }
  expect(told.flatMap(({ movements }) => movements.map(({ seq }) => seq))).toEqual(seqs);
  expect(told.map(({ movements }) => movements.length)).toEqual(pageLengths(seqs.length, query.limit));
}

/** Full pages, and the rest; nothing at all is one empty page. */
function pageLengths(rows: number, limit: number): number[] {
  const count = Math.max(1, Math.ceil(rows / limit));
  return Array.from({ length: count }, (_, at) => Math.min(limit, rows - at * limit));
}

test('somebody limited is told what they would be told if there were nothing else, and what the rule leaves of everything', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'scope-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  let run = 0;
  const check = ({ permitted, acts, facts, indexed, views, histories, imported }: Drawn<typeof worlds>) => {
    const pair = new Pair(join(folder, String(run++)), permitted);
    try {
      for (const [n, each] of acts.entries()) {
        pair.act(each);
        if (n % 4 === 3) edit(pair.whole, facts, pair.seqs.length * 10);
      }
      prepare(pair.whole, facts, indexed);
      prepare(pair.twin, facts, indexed);
      const everything: Everything = {
        ledger: pair.whole.call('history', { scope: null, limit: 1000 }).movements.toReversed(),
        locations: new Map(pair.whole.call('locations', null).map(({ id, name }) => [id, name])),
        facts: new Map(items.map((item, at) => [item, facts[at] ?? {}])),
      };
      const rights: Rights = { permissions: ['stock:read'], scope: pair.scope };
      for (const query of views) checkView(pair, everything, rights, query);
      for (const query of histories) checkHistory(pair, everything, rights, query);
      for (const after of [0, Math.floor(pair.seqs.length / 2)]) {
        const { told, expected } = pair.feed(after, 3);
        expect(told).toEqual(expected);
      }
      // Last, because it is something new.
      checkImport(pair, imported, facts);
    } finally {
      pair.close();
    }
  };
  fc.assert(fc.property(worlds, check), { numRuns: 100, seed: 17 });
}, 120_000);

test('somebody limited is not told that stock is low, nor when they ask again; the ledger and others are', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'scope-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'inv.db');
  const store = await openStore(`sqlite:${path}`, { exclusive: true });
  await store.addUser(note, 'anna', 'clerk', null, 1);
  await store.addUser(note, 'clara', 'clerk', null, 1);
  await store.apply(intentOf('add', [['Soap', 5]]), 1);
  const beside = new DatabaseSync(path);
  beside.exec("UPDATE item SET low_at = 4000 WHERE name = 'Soap'");
  beside.close();
  const limited = intentOf('take', [['Soap', 1]], { userId: 2, scope: [1] });
  expect(await store.apply(limited, 2)).toMatchObject([{ balance: 4000, low: false }]);
  expect(await store.apply(limited, 3)).toMatchObject([{ balance: 4000, low: false }]);
  await store.apply(intentOf('add', [['Soap', 1]]), 4);
  expect(await store.apply(intentOf('take', [['Soap', 1]]), 5)).toMatchObject([{ balance: 4000, low: true }]);
  const lowIn = async (scope: Scope) => {
    const { movements } = await store.history({ scope, limit: 9 });
    const after = await store.movementsAfter({ scope, after: 0, low: false, limit: 9 });
    const low = await store.movementsAfter({ scope, after: 0, low: true, limit: 9 });
    expect(after.movements).toEqual(movements.toReversed());
    expect(low.movements).toEqual(after.movements.filter((movement) => movement.low));
    return low.movements.map(({ seq }) => seq);
  };
  expect([await lowIn(null), await lowIn([1])]).toEqual([[2, 4], []]);
  await store.close();
});

test('whoever is limited to locations that are not written down may know of none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'scope-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'inv.db');
  const store = await openStore(`sqlite:${path}`, { exclusive: true });
  const { id } = await store.addUser(note, 'clara', 'clerk', null, 1);
  await store.setScope(note, id, ['main']);
  const beside = new DatabaseSync(path);
  beside.exec('DELETE FROM user_location');
  beside.close();
  expect(await store.users()).toMatchObject([{ scope: [] }]);
  await store.close();
});
