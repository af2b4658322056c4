import type * as v from 'valibot';
import type { itemStock, movement } from '../command/field.ts';
import { history } from '../command/history.ts';
import { view } from '../command/view.ts';
import { Failure } from '../model/failure.ts';
import { pageRowsMax } from '../model/limits.ts';
import type { ClientSession } from './call.ts';

/** What an export may be of. */
export const subjects = ['stock', 'items', 'history'] as const;
export type Subject = (typeof subjects)[number];

type Item = v.InferOutput<typeof itemStock>;

/** What there is of an item: with `stock` at a location, left out where there is none of it; with `items` in all. */
export type StockRow = Omit<Item, 'locations'> & { readonly location?: string };
/** A movement as `history` shows it. */
export type MovementRow = v.InferOutput<typeof movement>;
export type ExportRow = StockRow | MovementRow;

/** Which stock, or items with their sums, to export. */
export interface StockExport
  extends Pick<v.InferInput<typeof view.params>, 'location' | 'search' | 'category' | 'low' | 'archived'> {
  readonly what?: 'stock' | 'items';
}

/** Which movements to export. */
export interface HistoryExport
  extends Pick<v.InferInput<typeof history.params>, 'location' | 'item' | 'user' | 'kind' | 'since' | 'until'> {
  readonly what: 'history';
}

/** All rows, one after another. */
export async function* exportRows(
  session: ClientSession,
  { what = 'stock', ...params }: StockExport | HistoryExport,
): AsyncGenerator<ExportRow, void, undefined> {
  for await (const rows of exportPages(session, what, params)) yield* rows;
}

interface Page {
  readonly rows: readonly ExportRow[];
  readonly cursor: string | undefined;
}

/** All rows, in the pages in which they come. Failures: of any call; `bad-frame` when the pages would have no end. */
export async function* exportPages(
  session: ClientSession,
  subject: Subject,
  params: Readonly<Record<string, unknown>>,
): AsyncGenerator<readonly ExportRow[], void, undefined> {
  const ask = async (cursor?: string): Promise<Page> => {
    const asked = { ...params, limit: pageRowsMax, ...(cursor === undefined ? {} : { cursor }) };
    if (subject === 'history') {
      const page = await session.call(history, asked);
      return { rows: page.movements, cursor: page.cursor };
    }
    const page = await session.call(view, asked);
    const isOfOnePlace = params['location'] !== undefined;
    const rowsOf = (item: Item) => (subject === 'stock' ? stockRows(item, isOfOnePlace) : [itemRow(item)]);
    return { rows: page.items.flatMap(rowsOf), cursor: page.cursor };
  };
  const seen = new Set<string>();
  let next: Promise<Page> | undefined = ask();
  while (next) {
    const { rows, cursor }: Page = await next;
    // A page may have nothing in it and another behind it; but one that was asked for before leads round in a circle.
    if (cursor !== undefined && seen.has(cursor)) throw endless();
    if (cursor !== undefined) seen.add(cursor);
    // The next page is on its way while this one is written.
    next = cursor === undefined ? undefined : ask(cursor);
    next?.catch(() => undefined); // Told when it is waited for.
    yield rows;
  }
}

/** What to say of a server that gives the same page again. */
export function endless(): Failure {
  return new Failure('bad-frame', 'The server sent a page that leads back to itself; there is no end to it.', {
    hint: 'What came before may not be all. Compare the versions: secure-inv --version, secure-invd --version',
  });
}

function itemRow({ locations: _, ...item }: Item): StockRow {
  return item;
}

/** A row for each place that has some; an item of which there is nothing has one as well, or it would be lost. */
function stockRows({ locations, ...item }: Item, isOfOnePlace: boolean): readonly StockRow[] {
  if (locations.length === 0) return isOfOnePlace ? [] : [{ ...item, quantity: 0 }];
  return locations.map(({ location, quantity }) => ({ ...item, location, quantity }));
}
