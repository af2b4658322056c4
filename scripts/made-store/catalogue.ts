import type { ItemChange } from '../../src/model/item.ts';
import { defaultLocation } from '../../src/model/stock.ts';

/** So many items have the first word of their name in common: what a search for it finds, however large the store is. */
export const seriesItems = 500;

const colors = ['black', 'blue', 'brown', 'green', 'grey', 'orange', 'red', 'silver', 'white', 'yellow'];
const materials = ['bamboo', 'cotton', 'glass', 'leather', 'linen', 'oak', 'paper', 'rubber', 'steel', 'wool'];
const things = ['bag', 'bowl', 'brush', 'bucket', 'kettle', 'ladle', 'lamp', 'mat', 'shelf', 'spoon', 'towel', 'tray'];
const categoryNames = ['Bath', 'Bedroom', 'Cellar', 'Garden', 'Kitchen', 'Laundry', 'Nursery', 'Office'];
const shelves = 20;
/** One item in so many lies in the attic: a place with little in a store with much. */
const atticStep = 20_000;

const consonants = [...'bdfghjklmnprstvwz'];
const vowels = [...'aeiou'];

/** Where things are: most at the first, the same share at each of the others, hardly any at the last. */
export const placeNames: readonly string[] = [
  defaultLocation,
  ...Array.from({ length: shelves }, (_, at) => `shelf-${String(at + 1).padStart(2, '0')}`),
  'attic',
];

/** The place where an item is first put. */
export function homeOf(item: number): number {
  if (item % atticStep === 0) return placeNames.length - 1;
  return item % 5 < 3 ? 0 : 1 + (Math.floor(item / 5) % shelves);
}

/** A word of six letters that no other series has. Neighbours are not alike, so that names come in no order. */
export function seriesName(series: number): string {
  const syllables = consonants.length * vowels.length;
  let rest = (series * 7919 + 104_729) % syllables ** 3;
  let word = '';
  for (let at = 0; at < 3; at++) {
    word += pick(consonants, Math.floor(rest / vowels.length)) + pick(vowels, rest);
    rest = Math.floor(rest / syllables);
  }
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

/** The name of an item by its number, from 0: four words, of which the last tells it from its like. */
export function itemName(item: number): string {
  const words = [pick(colors, item * 3), pick(materials, Math.floor(item / 7)), pick(things, item * 5)];
  return `${seriesName(Math.floor(item / seriesItems))} ${words.join(' ')} ${1 + (item % seriesItems)}`;
}

/** The category of an item: one of 40. */
export function categoryOf(item: number): string {
  return `${pick(categoryNames, item)} ${1 + (Math.floor(item / 11) % 5)}`;
}

/** What else is known of it. All have a code of each kind, few a threshold, a description or decimals. */
export function factsOf(item: number): ItemChange {
  const number = String(item).padStart(7, '0');
  return {
    sku: `${pick(things, item).slice(0, 2).toUpperCase()}-${number}`,
    barcode: formatBarcode(`200${number.padStart(9, '0')}`),
    category: categoryOf(item),
    ...(item % 50 === 0 ? { lowAt: 40_000 } : undefined),
    ...(item % 20 === 3 ? { unit: 'kg', precision: 3 } : undefined),
    ...(item % 25 === 4 ? { description: `from ${pick(materials, item)} works` } : undefined),
  };
}

/** An EAN-13 of its first 12 digits. */
function formatBarcode(digits: string): string {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) sum += Number(digits[at]) * (at % 2 === 0 ? 1 : 3);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}

function pick(from: readonly string[], at: number): string {
  return from[at % from.length] ?? '';
}
