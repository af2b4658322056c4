import { canonicalKey } from '../../src/model/name.ts';
import type { HistoryQuery, StockQuery } from '../../src/model/stock.ts';
import { may, type Rights } from '../../src/model/user.ts';

/** A movement as the store or the wire shows it: quantities in either unit, times as numbers or text. */
export interface Moved {
  readonly seq: number;
  readonly at: number | string;
  readonly kind: string;
  readonly item: string;
  readonly location: string;
  readonly balance: number;
  readonly user: string;
}

/** What is known of an item beside its movements. */
export interface Known {
  readonly category?: string | undefined;
  readonly lowAt?: number | undefined;
  readonly isArchived?: boolean | undefined;
}

/** Everything that ever happened, the names of the locations by id, and the facts of the items. */
export interface Everything {
  readonly ledger: readonly Moved[];
  readonly locations: ReadonlyMap<number, string>;
  readonly facts: ReadonlyMap<string, Known>;
}

/** One row of `view`, as far as scope changes it. */
export interface Row {
  readonly item: string;
  readonly quantity: number;
  readonly locations: readonly { readonly location: string; readonly quantity: number }[];
}

const sameName = (a: string, b: string) => canonicalKey(a) === canonicalKey(b);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** The world as the rule leaves it to somebody: movement by movement, with no index and no SQL. */
function permitted({ ledger, locations }: Everything, rights: Rights) {
  const names = [...locations].filter(([id]) => may(rights, 'stock:read', id)).map(([, name]) => name);
  return { names, movements: ledger.filter(({ location }) => names.includes(location)) };
}

/** Why somebody is refused, or undefined. */
function refusal(items: readonly string[], location: string | undefined, known: ReturnType<typeof permitted>) {
  if (location !== undefined && !known.names.some((name) => sameName(name, location)))
    return `No location ${JSON.stringify(location)}.`;
  const unknown = items.find((item) => !known.movements.some((movement) => sameName(movement.item, item)));
  return unknown === undefined ? undefined : `No item ${JSON.stringify(unknown)}.`;
}

/** All rows of `view`, or the message of its refusal. */
export function modelView(
  world: Everything,
  rights: Rights,
  query: Omit<StockQuery, 'scope'>,
): readonly Row[] | string {
  const known = permitted(world, rights);
  const refused = refusal(query.items ?? [], query.location, known);
  if (refused !== undefined) return refused;
  const rows = [...new Set(known.movements.map(({ item }) => item))].flatMap((item): Row[] => {
    const { category, lowAt, isArchived } = world.facts.get(item) ?? {};
    const balances = known.names.flatMap((location) => {
      const last = known.movements.filter((moved) => moved.item === item && moved.location === location).at(-1);
      return last ? [{ location, quantity: last.balance }] : [];
    });
    const here = balances.filter(({ location }) => !query.location || sameName(location, query.location));
    const words = `${item} ${category ?? ''}`.toLowerCase().split(' ');
    const isFound = (query.search ?? '').split(' ').every((start) => words.some((word) => word.startsWith(start)));
    const isLow = lowAt !== undefined && sum(balances.map(({ quantity }) => quantity)) <= lowAt;
    const isAsked = !query.items || query.items.some((name) => sameName(name, item));
    const isRight = query.category === undefined || query.category === category;
    const isKept = isArchived !== true;
    if (
      isKept === (query.archived === true) ||
      here.length === 0 ||
      !isFound ||
      !isAsked ||
      !isRight ||
      (query.low && !isLow)
    )
      return [];
    const quantity = sum(here.map((at) => at.quantity));
    return [{ item, quantity, locations: here.filter((at) => at.quantity > 0) }];
  });
  const column = query.sort.replace('-', '');
  const sign = query.sort.startsWith('-') ? -1 : 1;
  const rankOf = ({ item, quantity }: Row) => {
    const { category, lowAt } = world.facts.get(item) ?? {};
    return column === 'quantity' ? quantity : column === 'category' ? category : column === 'lowAt' ? lowAt : 0;
  };
  const byName = (a: Row, b: Row) => (canonicalKey(a.item) < canonicalKey(b.item) ? -1 : 1);
  return rows.sort((a, b) => {
    const [one, other] = [rankOf(a), rankOf(b)];
    if (one === other) return sign * byName(a, b);
    // What has none comes last, in both directions.
    if (one === undefined || other === undefined) return one === undefined ? 1 : -1;
    return sign * (one < other ? -1 : 1);
  });
}

/** The sequence numbers of all movements of `history`, newest first, or the message of its refusal. */
export function modelHistory(
  world: Everything,
  rights: Rights,
  query: Omit<HistoryQuery, 'scope'>,
): readonly number[] | string {
  const known = permitted(world, rights);
  const items = query.item === undefined ? [] : [query.item];
  // Of two wrong names the item's is told.
  const refused = refusal(items, undefined, known) ?? refusal([], query.location, known);
  if (refused !== undefined) return refused;
  const { item, user, location, kind, since = 0, until = Number.POSITIVE_INFINITY } = query;
  return known.movements
    .filter((moved) => {
      const at = new Date(moved.at).getTime();
      const isPlace = location === undefined || sameName(moved.location, location);
      const isItem = item === undefined || sameName(moved.item, item);
      return isPlace && isItem && at >= since && at <= until && (user ?? moved.user) === moved.user;
    })
    .filter((moved) => kind === undefined || moved.kind === kind)
    .map(({ seq }) => seq)
    .reverse();
}

/** The last movement that somebody knows of. */
export function modelSeq(world: Everything, rights: Rights): number {
  return permitted(world, rights).movements.at(-1)?.seq ?? 0;
}
