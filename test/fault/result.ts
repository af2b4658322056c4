import { placeOf, type Told } from './history.ts';

// Results as src/wire/README.md has them.
type Line =
  | { readonly seq: number; readonly balance: number }
  | { readonly seq: number; readonly from: { readonly balance: number }; readonly to: { readonly balance: number } };

interface Stock {
  readonly seq: number;
  readonly items: readonly {
    readonly item: string;
    readonly locations: readonly { readonly location: string; readonly quantity: number }[];
  }[];
}

/** What a change was answered of each of its legs. */
export function readTold(result: unknown): readonly Told[] {
  const { lines } = result as { readonly lines?: readonly Line[] }; // As above.
  return (lines ?? [result as Line]).flatMap((line) => {
    if ('balance' in line) return [{ seq: line.seq, balance: line.balance }];
    return [
      { seq: line.seq, balance: line.from.balance },
      { seq: line.seq + 1, balance: line.to.balance },
    ];
  });
}

/** What a view answered, by place. */
export function readStock(result: unknown): { readonly seq: number; readonly quantities: ReadonlyMap<string, number> } {
  const { seq, items } = result as Stock; // As above.
  const quantities = items.flatMap(({ item, locations }) =>
    locations.map(({ location, quantity }) => [placeOf({ item, location }), quantity] as const),
  );
  return { seq, quantities: new Map(quantities) };
}
