import { Failure } from './failure.ts';
import { quantityDecimalsMax, quantityMax } from './limits.ts';

/** A whole number of thousandths of an item's unit. Quantities are added and stored only in this form. */
export type Thousandths = number;

export const quantityThousandthsMax: Thousandths = quantityMax * 1000;

/** What is said to whoever sends anything else. */
export const quantityRule = `quantity must be a positive number with at most ${quantityDecimalsMax} decimals, at most 10^12`;

/** The thousandths in a JSON number such as 12.5. Throws `bad-params` for 0, negatives, 4 decimals, infinity. */
export function parseQuantity(quantity: number): Thousandths {
  const thousandths = Math.round(quantity * 1000);
  if (!(quantity > 0 && quantity <= quantityMax) || thousandths / 1000 !== quantity) {
    throw new Failure('bad-params', `${quantityRule} (got ${quantity}).`);
  }
  return thousandths;
}

/** The JSON number that people and programs see. */
export function formatQuantity(thousandths: Thousandths): number {
  return thousandths / 1000;
}

/** Refuses more decimals than the item's `precision` (0: whole pieces) allows. */
export function assertPrecision(thousandths: Thousandths, precision: number, item: string): void {
  if (thousandths % 10 ** (quantityDecimalsMax - precision) === 0) return;
  const allowed = precision === 0 ? 'in whole pieces' : `with at most ${precision} decimals`;
  throw new Failure('bad-params', `${item} is counted ${allowed} (got ${formatQuantity(thousandths)}).`);
}
