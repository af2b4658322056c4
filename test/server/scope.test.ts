import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stockSorts } from '../../src/model/stock.ts';
import { permissionsOf } from '../../src/model/user.ts';
import { type Everything, type Moved, modelHistory, modelSeq, modelView, type Row } from '../store/scope-model.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollUser, openAs, type WireClient } from '../support/wire-client.ts';

// The whole way, from socket to socket, against the rule applied to all that an administrator sees. More worlds, against
// a second oracle, are in test/store/scope.test.ts.

const server = shareServer();

const places = ['main', 'cellar', 'attic'] as const;
const items = ['Soap', 'Towel', 'Green tea', 'Black tea'] as const;
const itemName = fc.constantFrom(...items, 'unknown');
const placeName = fc.constantFrom(...places, 'nowhere');
const limit = fc.integer({ min: 1, max: 5 });
const view = fc.record(
  {
    items: fc.array(itemName, { maxLength: 2 }),
    search: fc.constantFrom('tea', 'so'),
    location: placeName,
    sort: fc.constantFrom(...stockSorts),
    limit,
  },
  { requiredKeys: ['sort', 'limit'] },
);
const history = fc.record(
  { item: itemName, user: fc.constantFrom('admin', 'clara', 'nobody'), location: placeName, limit },
  { requiredKeys: ['limit'] },
);
const act = fc.record({
  isClara: fc.boolean(),
  method: fc.constantFrom('add', 'add', 'take', 'move', 'count', 'undo'),
  to: fc.constantFrom(...places),
  ago: fc.nat(4),
  lines: fc.array(
    fc.record({
      item: fc.constantFrom(...items),
      location: fc.constantFrom(...places),
      quantity: fc.integer({ min: 1, max: 4 }),
    }),
    { minLength: 1, maxLength: 2 },
  ),
});
const session = fc.record({
  // Nobody is limited to no location by a command.
  permitted: fc.subarray([...places], { minLength: 1 }),
  acts: fc.array(act, { minLength: 4, maxLength: 10 }),
  views: fc.array(view, { minLength: 6, maxLength: 6 }),
  histories: fc.array(history, { minLength: 6, maxLength: 6 }),
});

/** The results of all pages, or the refusal's message. */
async function pagesOf(
  client: WireClient,
  method: string,
  params: object,
): Promise<Record<string, unknown>[] | string> {
  const pages: Record<string, unknown>[] = [];
  for (let cursor: unknown; ; ) {
    const reply = await client.ask(method, cursor === undefined ? params : { ...params, cursor });
    if (!reply?.result) return reply?.error?.message ?? 'closed';
    pages.push(reply.result);
    if (pages.length > 1000) throw new Error('The pages have no end.');
    cursor = reply.result['cursor'];
    if (cursor === undefined) return pages;
  }
}

/** One list of all pages. The wire's own schema says what stands in it; the comparison below would tell. */
function joined<T>(pages: readonly Record<string, unknown>[], name: string): T[] {
  return pages.flatMap((page) => page[name] as T[]);
}

/** A movement as the wire shows it, here. */
interface Made extends Moved {
  readonly location: (typeof places)[number];
  readonly operation: string;
}

interface Asked {
  readonly asked: Readonly<Record<string, unknown>>;
  /** The locations that it is about, in the order in which they are looked at. */
  readonly named: readonly (typeof places)[number][];
}

/** What is asked of a method, for things that `administrator` sees. */
async function askedOf(
  { method, lines, to, ago }: typeof act extends fc.Arbitrary<infer T> ? T : never,
  administrator: WireClient,
): Promise<Asked> {
  if (method === 'move') {
    const moves = lines.map(({ location, ...line }) => ({ ...line, from: location, to }));
    return { asked: { lines: moves }, named: moves.flatMap((line) => [line.from, line.to]) };
  }
  if (method === 'count') return { asked: { ...lines[0] }, named: lines.slice(0, 1).map(({ location }) => location) };
  if (method === 'undo') {
    const pages = await pagesOf(administrator, 'history', { limit: 1000 });
    const movements = typeof pages === 'string' ? [] : joined<Made>(pages, 'movements');
    const { seq = 1, operation } = movements[ago] ?? {};
    return {
      asked: { seq },
      named: movements.filter((moved) => moved.operation === operation).map(({ location }) => location),
    };
  }
  return { asked: { lines }, named: lines.map(({ location }) => location) };
}

test('what somebody limited reads is what the rule leaves of what an administrator reads', async () => {
  const administrator = await openAs(server(), server().grant['accessToken']);
  const { client: clara } = await enrollUser(server(), administrator, 'clara', 'manager');
  for (const location of places.slice(1)) await administrator.ask('location.add', { location });
  const locations = new Map(places.map((name, id) => [id, name]));
  const check = async ({
    permitted,
    acts,
    views,
    histories,
  }: typeof session extends fc.Arbitrary<infer T> ? T : never) => {
    await administrator.ask('user.limit', { user: 'clara', locations: permitted });
    const rights = {
      permissions: permissionsOf('manager'),
      scope: permitted.map((name) => places.indexOf(name)),
    };
    for (const drawn of acts) {
      const asking = drawn.isClara ? clara : administrator;
      const { asked, named } = await askedOf(drawn, administrator);
      const outside = named.find((location) => !permitted.includes(location));
      const reply = await asking.ask(drawn.method, { ...asked, operation: randomUUID() });
      if (!drawn.isClara || !outside) continue;
      const { seq } = asked;
      const message = seq === undefined ? `No location "${outside}".` : `No movement ${seq}.`;
      const known = `Known locations: ${permitted.join(', ')}.`;
      const hint = seq === undefined ? known : 'See what there was: secure-inv history';
      expect(reply?.error).toMatchObject({ message, data: { code: 'not-found', hint } });
    }
    const all = await pagesOf(administrator, 'history', { limit: 1000 });
    if (typeof all === 'string') throw new Error(all);
    const everything: Everything = {
      ledger: joined<Moved>(all, 'movements').toReversed(),
      locations,
      facts: new Map(),
    };
    for (const query of views) {
      const told = await pagesOf(clara, 'view', query);
      const rows = modelView(everything, rights, query);
      if (typeof told === 'string') {
        expect(told).toBe(rows);
        continue;
      }
      const shown = joined<Row>(told, 'items');
      expect(shown.map(({ item, quantity, locations }) => ({ item, quantity, locations }))).toEqual(rows);
      expect(told.at(-1)).toMatchObject({ seq: modelSeq(everything, rights) });
    }
    for (const query of histories) {
      const told = await pagesOf(clara, 'history', query);
      const seqs = modelHistory(everything, rights, query);
      if (typeof told === 'string') expect(told).toBe(seqs);
      else expect(joined<Moved>(told, 'movements').map(({ seq }) => seq)).toEqual(seqs);
    }
  };
  await fc.assert(fc.asyncProperty(session, check), { numRuns: 15, seed: 5 });
});
