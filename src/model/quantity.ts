import { Failure } from './failure.ts';
import { quantityDecimalsMax, quantityMax } from './limits.ts';

/** A whole number of thousandths of an item's unit. Quantities are added and stored only in this form. */
export type Thousandths = number;

export const quantityThousandthsMax: Thousandths = quantityMax * 1000;

/** What is said to whoever sends anything else. */
export const quantityRule = `quantity must be a positive number with at most ${quantityDecimalsMax} decimals, at most 10^12`;

/** What is said to whoever sends any other low-stock threshold. */
export const thresholdRule = `lowAt must be 0 or a positive number with at most ${quantityDecimalsMax} decimals, at most 10^12`;

/** The thousandths in a JSON number such as 12.5. Throws `bad-params` for 0, negatives, 4 decimals, infinity. */
export function parseQuantity(quantity: number): Thousandths {
  const thousandths = exactThousandths(quantity);
  if (!thousandths) throw new Failure('bad-params', `${quantityRule} (got ${quantity}).`);
  return thousandths;
}

/** What is said to whoever counts anything else. */
export const countedRule = quantityRule.replace('a positive number', '0 or a positive number');

/** As `parseQuantity`; 0 is a count like others. */
export function parseCounted(quantity: number): Thousandths {
  const thousandths = exactThousandths(quantity);
  if (thousandths === undefined) throw new Failure('bad-params', `${countedRule} (got ${quantity}).`);
  return thousandths;
}

/** The thousandths of a low-stock threshold, which may be 0: the item is gone. Failures: `bad-params`. */
export function parseThreshold(quantity: number): Thousandths {
  const thousandths = exactThousandths(quantity);
  if (thousandths === undefined) throw new Failure('bad-params', `${thresholdRule} (got ${quantity}).`);
  return thousandths;
}

function exactThousandths(quantity: number): Thousandths | undefined {
  // Never -0, which JSON and a ledger have no form for.
  const thousandths = Math.abs(Math.round(quantity * 1000));
  return quantity >= 0 && quantity <= quantityMax && thousandths / 1000 === quantity ? thousandths : undefined;
}

/** The JSON number that people and programs see. */
export function formatQuantity(thousandths: Thousandths): number {
  return thousandths / 1000;
}

/** Whether a quantity has no more decimals than a precision (0: whole pieces) allows. */
export function fitsPrecision(thousandths: Thousandths, precision: number): boolean {
  return thousandths % 10 ** (quantityDecimalsMax - precision) === 0;
}

/** The least precision that a quantity fits. */
export function precisionOf(thousandths: Thousandths): number {
  let precision = 0;
  while (!fitsPrecision(thousandths, precision)) precision++;
  return precision;
}

/** Refuses more decimals than the item's `precision` allows. Failures: `bad-params`. */
export function assertPrecision(thousandths: Thousandths, precision: number, item: string): void {
  if (fitsPrecision(thousandths, precision)) return;
  const allowed = precision === 0 ? 'in whole pieces' : `with at most ${precision} decimals`;
  throw new Failure('bad-params', `${item} is counted ${allowed} (got ${formatQuantity(thousandths)}).`);
}
