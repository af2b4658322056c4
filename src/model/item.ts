import type { LedgerRecord } from './ledger.ts';
import type { Thousandths } from './quantity.ts';
import type { ItemStock, Movement } from './stock.ts';

/** What an edit sets of an item, field by field; null clears what may be absent. A new name is a rename. */
export interface ItemChange {
  readonly name?: string | undefined;
  readonly unit?: string | undefined;
  /** How many decimals its quantities may have. */
  readonly precision?: number | undefined;
  readonly sku?: string | null | undefined;
  readonly barcode?: string | null | undefined;
  readonly category?: string | null | undefined;
  readonly description?: string | null | undefined;
  /** A total at or below this is low stock. */
  readonly lowAt?: Thousandths | null | undefined;
  readonly archived?: boolean | undefined;
}

/**
 * A user's wish to make an item or to change what is known of one. It has no scope: an item is the same at all locations,
 * so nobody who is limited to some may have such a wish.
 */
export interface ItemIntent {
  /** The item is to be made: nothing may have its name yet. */
  readonly isNew: boolean;
  /** The item's name, SKU or barcode; of a new one its name. */
  readonly item: string;
  readonly change: ItemChange;
  /** UUID in lower-case text form, of the same namespace as that of an `OperationIntent`. */
  readonly operation: string;
  readonly note: string | null;
  readonly userId: number;
  /** As in an `OperationIntent`. */
  readonly credential: string;
  /** The peer's IP address. */
  readonly source: string;
}

/** What an edit did. */
export interface ItemEdit {
  /** The item's name after it. */
  readonly item: string;
  readonly change: ItemChange;
  readonly seq: number;
  readonly at: number;
}

/** Everything that is known of one item. */
export interface ItemDetails extends ItemStock {
  readonly archived: boolean;
  /** The last one that whoever asks may know of. */
  readonly last: Movement | null;
}

/** An edit is of the item everywhere: its record names no location, in the form that records have for one. */
export const nowhere = { id: 0, name: '' } as const;

/** The fields that were set, as a record has them: quantities are thousandths, and their names say so. */
export function formatChange({ lowAt, ...rest }: ItemChange): NonNullable<LedgerRecord['change']> {
  const change: Record<string, string | number | boolean | null> = {};
  for (const [field, value] of Object.entries({ ...rest, lowAtThousandths: lowAt })) {
    if (value !== undefined) change[field] = value;
  }
  return change;
}

/** The change in a record that `formatChange` made. */
export function parseChange({ lowAtThousandths, ...rest }: NonNullable<LedgerRecord['change']>): ItemChange {
  // Only the fields of a change are ever written, each with its type.
  return (lowAtThousandths === undefined ? rest : { ...rest, lowAt: lowAtThousandths }) as ItemChange;
}
