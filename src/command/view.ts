import * as v from 'valibot';
import {
  pageRowsDefault,
  searchCharactersMax,
  searchSortedMax,
  stockSortedMax,
  viewItemsMax,
} from '../model/limits.ts';
import { parseName } from '../model/name.ts';
import { stockSorts } from '../model/stock.ts';
import { define } from './command.ts';
import { cursor, formatItem, item, itemStock, limit, lookedAt, parsedBy } from './field.ts';
import { renderTable } from './table.ts';

const unsorted = v.optional(
  v.pipe(
    v.literal(true),
    v.description(
      `too much to be sorted as asked: more than ${searchSortedMax} items fit the search, which come in the order in which they were added; or more than ${stockSortedMax} balances at one's locations, or items of a category and as many that are low, would have to be sorted by quantity, which come by name`,
    ),
  ),
);

const archived = v.optional(v.pipe(v.literal(true), v.description('what was asked for is archived')));

/** What there is: searched, filtered and sorted by the server, a page at a time. */
export const view = define({
  name: 'view',
  summary: 'Show what is in the inventory.',
  permission: 'stock:read',
  params: v.strictObject({
    items: v.optional(
      v.pipe(v.array(item), v.maxLength(viewItemsMax), v.description('only these items (all of them by default)')),
    ),
    search: v.optional(
      v.pipe(v.string(), v.maxLength(searchCharactersMax), v.description('only items with words that begin so')),
    ),
    location: v.optional(lookedAt),
    category: v.optional(
      v.pipe(
        v.string(),
        v.description('only items of this category'),
        parsedBy((text) => parseName(text, 'category')),
      ),
    ),
    low: v.optional(v.pipe(v.boolean(), v.description('only items at or below their low-stock threshold'))),
    archived: v.optional(v.pipe(v.boolean(), v.description('only archived items, which are not shown otherwise'))),
    sort: v.optional(
      v.pipe(
        v.picklist(stockSorts, `sort must be one of ${stockSorts.join(', ')}`),
        v.description(`one of ${stockSorts.join(', ')} (- for the greatest first; what has none comes last)`),
      ),
    ),
    limit: v.optional(limit),
    cursor: v.optional(cursor),
  }),
  result: v.object({ items: v.array(itemStock), cursor: v.optional(v.string()), seq: v.number(), unsorted, archived }),
  shell: {
    words: ['[items...]'],
    options: { location: 'at' },
    pageOf: 'items',
    examples: [
      'secure-inv view',
      'secure-inv view Soap Towels',
      'secure-inv view --search bas --sort -quantity --json',
      'secure-inv view --archived',
    ],
    render: ({ items, cursor, seq, unsorted, archived }, screen) => {
      if (items.length === 0 && cursor === undefined) {
        if (archived) return 'Nothing that fits is archived. To see the others: secure-inv view';
        return seq === 0
          ? 'No items to show. To add some: secure-inv add Soap 200'
          : 'No item fits. To see all: secure-inv view, and an archived one: secure-inv item show ITEM';
      }
      const rows = items.map(({ item, quantity, unit, locations }) => [
        item,
        String(quantity),
        unit,
        locations.map((at) => `${at.location} ${at.quantity}`).join(', '),
      ]);
      const columns = [
        { heading: 'ITEM' },
        { heading: 'QUANTITY', right: true },
        { heading: 'UNIT', leave: 2 },
        { heading: 'WHERE', leave: 1 },
      ];
      const more = cursor === undefined ? '' : `\n${screen.dim(`More: --cursor ${cursor}`)}`;
      const hint = unsorted
        ? `\n${screen.dim('Too many fit to be sorted so. Search for more words, look at one place (--at), or sort by another column.')}`
        : '';
      return renderTable(columns, rows, screen) + hint + more;
    },
  },
  async handle({ sort = 'name', limit = pageRowsDefault, ...filters }, { store, principal }) {
    const page = await store.view({ ...filters, scope: principal.scope, sort, limit });
    const { items, cursor, seq, isUnsorted } = page;
    return {
      items: items.map(formatItem),
      ...(cursor === undefined ? {} : { cursor }),
      seq,
      ...(isUnsorted ? { unsorted: true as const } : {}),
      ...(filters.archived ? { archived: true as const } : {}),
    };
  },
});
