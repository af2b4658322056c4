import { formatQuantity, type Thousandths } from './quantity.ts';

/** A movement that took an item's total to or below its low-stock threshold. */
export interface LowStock {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly item: string;
  readonly unit: string;
  /** The item's total over all locations after the operation. */
  readonly quantity: Thousandths;
  readonly lowAt: Thousandths;
  /** Where the movement was, and what there is after it. */
  readonly location: string;
  readonly balance: Thousandths;
  readonly seq: number;
  readonly user: string;
}

/** What a commit brought to whoever looks after the stock. */
export interface LowStockNews {
  readonly movements: readonly LowStock[];
  /** How many older messages to webhooks were given up, because too many wait. */
  readonly dropped: number;
}

/** The name of the message in its body, for ever. */
export const lowStockEvent = 'low-stock';

/** The body of the message to a webhook, as src/wire/README.md has it. The note is left out: it may be about people. */
export function formatLowStock(id: string, low: LowStock): string {
  const { at, item, unit, quantity, lowAt, location, seq, user } = low;
  return JSON.stringify({
    id,
    event: lowStockEvent,
    at: new Date(at).toISOString(),
    item,
    unit,
    quantity: formatQuantity(quantity),
    lowAt: formatQuantity(lowAt),
    location,
    seq,
    user,
  });
}
