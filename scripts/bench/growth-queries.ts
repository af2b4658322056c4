import { categoryOf, itemName, seriesName } from '../made-store/catalogue.ts';

/** What is asked of both stores, by whom, and on which page. */
export interface Query {
  readonly what: string;
  readonly method: 'view' | 'history';
  readonly params: Readonly<Record<string, unknown>>;
  /** A user of the store that was made; without it the administrator. */
  readonly user?: string;
  /** How many pages come before the one that is measured. */
  readonly skip?: number;
}

const sorts = ['name', '-name', 'quantity', '-quantity'];
/** Filters that leave few of the small store ask for pages that both can fill. */
const limit = 10;
const filters: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['', {}],
  [', --at main', { location: 'main' }],
  [', --at shelf-03', { location: 'shelf-03', limit }],
  [', --at attic', { location: 'attic', limit: 1 }],
  [', --category', { category: categoryOf(0), limit }],
  [', --low', { low: true, limit: 1 }],
];
const limited: readonly (readonly [string, string])[] = [
  [', limited to one place', 'limited1'],
  [', limited to three', 'limited3'],
  [', limited to main and one', 'limited-main'],
];

/** Everything that view sorts and filters by. */
const views: readonly Query[] = sorts.flatMap((sort) => [
  ...filters.map(
    ([by, filter]): Query => ({ what: `view --sort ${sort}${by}`, method: 'view', params: { sort, ...filter } }),
  ),
  ...limited.map(
    ([whom, user]): Query => ({ what: `view --sort ${sort}${whom}`, method: 'view', params: { sort, limit }, user }),
  ),
]);

const laterViews: readonly Query[] = sorts.map((sort) => ({
  what: `view --sort ${sort}, 6th page`,
  method: 'view',
  params: { sort },
  skip: 5,
}));

/** What not every item has, but for the category, which all of these have: the unit goes on among what has the usual one. */
const columnViews: readonly Query[] = ['unit', '-unit', 'sku', '-barcode', 'category', 'lowAt', '-lowAt'].flatMap(
  (sort) => [
    { what: `view --sort ${sort}`, method: 'view', params: { sort } },
    { what: `view --sort ${sort}, --at main`, method: 'view', params: { sort, location: 'main' } },
    { what: `view --sort ${sort}, limited to main and one`, method: 'view', params: { sort }, user: 'limited-main' },
    { what: `view --sort ${sort}, 6th page`, method: 'view', params: { sort }, skip: 5 },
  ],
);

/** One word that 500 items have in both stores, and words that more of the large store have than are sorted. */
const search = seriesName(1);
const searches: readonly Query[] = [
  { what: 'view --search, 500 fit', method: 'view', params: { search } },
  { what: 'view --search --sort -quantity, 500 fit', method: 'view', params: { search, sort: '-quantity' } },
  { what: 'view --search, 500 fit, limited to main and one', method: 'view', params: { search }, user: 'limited-main' },
  { what: 'view --search of one in ten', method: 'view', params: { search: 'blue' } },
  { what: 'view --search of one letter', method: 'view', params: { search: 'b' } },
];

const histories: readonly Query[] = [
  ['', {}],
  [' of a hot item', { item: itemName(7), limit }],
  [' of another item', { item: itemName(900), limit: 1 }],
  [' --by', { user: 'clerk3', limit: 50 }],
  [' --at main', { location: 'main' }],
  [' --at shelf-03', { location: 'shelf-03' }],
  [' --kind count', { kind: 'count', limit }],
  [' --kind undo, of which there are none', { kind: 'undo' }],
  [' of a hot item --by', { item: itemName(7), user: 'clerk3', limit }],
  [' --by --at --kind, of which there are none', { user: 'clerk3', location: 'main', kind: 'undo' }],
  [' --by --at attic', { user: 'clerk3', location: 'attic', limit: 1 }],
  [
    ' of a year ago',
    {
      since: new Date(Date.now() - 400 * 864e5).toISOString(),
      until: new Date(Date.now() - 365 * 864e5).toISOString(),
    },
  ],
].flatMap(([by, params]): Query[] => {
  const query = { what: `history${by}`, method: 'history', params: params as Query['params'] } as const; // Its second half.
  return [query, { ...query, what: `${query.what}, 4th page`, skip: 3 }];
});

/** All that is asked; in this order. */
export const queries: readonly Query[] = [
  ...views,
  ...laterViews,
  ...columnViews,
  ...searches,
  ...histories,
  ...limited.map(([whom, user]): Query => ({ what: `history${whom}`, method: 'history', params: { limit }, user })),
];
