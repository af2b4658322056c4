import fc from 'fast-check';
import { expect, test } from 'vitest';
import { closest } from '../../src/model/closest.ts';

test('what was probably meant is the nearest name, at most two slips away', () => {
  const names = ['Flour', 'Floor wax', 'Soap', 'Maggi', 'Salt'];
  expect(closest('Flor', names)).toBe('Flour');
  expect(closest('flour', names)).toBe('Flour');
  expect(closest('Magi', names)).toBe('Maggi');
  expect(closest('xxaggi', names)).toBe('Maggi');
  expect(closest('Sapt', names)).toBe('Salt');
  expect(closest('Floorwaxes', names)).toBeUndefined();
  expect(closest('Gold', names)).toBeUndefined();
  expect(closest('', names)).toBeUndefined();
});

/** Levenshtein's distance as its definition has it. */
function distance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  if (a[0] === b[0]) return distance(a.slice(1), b.slice(1));
  return 1 + Math.min(distance(a.slice(1), b), distance(a, b.slice(1)), distance(a.slice(1), b.slice(1)));
}

test('nobody is nearer than the one that is found, whatever the names', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
  const check = (text: string, names: readonly string[]) => {
    const distances = names.map((candidate) => distance(text, candidate));
    const least = Math.min(...distances);
    const most = Math.min(2, Math.ceil(text.length / 2));
    expect(closest(text, names)).toBe(least <= most ? names[distances.indexOf(least)] : undefined);
  };
  fc.assert(fc.property(name, fc.array(name, { maxLength: 4 }), check), { numRuns: 2000, seed: 3 });
});
