import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Failure } from '../../src/model/failure.ts';
import { assertPrecision, formatQuantity, parseQuantity, quantityThousandthsMax } from '../../src/model/quantity.ts';

const thousandths = fc.oneof(fc.integer({ min: 1, max: quantityThousandthsMax }), fc.integer({ min: 1, max: 5000 }));

/** The decimal that a number of thousandths is, by text alone. */
function decimal(count: number): string {
  const digits = String(count).padStart(4, '0');
  return `${digits.slice(0, -3)}.${digits.slice(-3)}`;
}

test('every quantity with three decimals goes through JSON exactly, there and back', () => {
  fc.assert(
    fc.property(thousandths, (count) => {
      expect(parseQuantity(JSON.parse(decimal(count)))).toBe(count);
      expect(parseQuantity(JSON.parse(JSON.stringify(formatQuantity(count))))).toBe(count);
    }),
    { numRuns: 5000 },
  );
});

test('whatever else a number is, it is refused', () => {
  fc.assert(
    fc.property(fc.double(), (quantity) => {
      let parsed: number | undefined;
      try {
        parsed = parseQuantity(quantity);
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
      }
      if (parsed !== undefined) {
        expect(Number.isSafeInteger(parsed) && parsed > 0 && parsed <= quantityThousandthsMax).toBe(true);
        expect(Number(decimal(parsed))).toBe(quantity);
      }
    }),
    { numRuns: 5000 },
  );
  for (const quantity of [
    0,
    -0,
    -1,
    0.0001,
    1e-300,
    1e12 + 0.001,
    1e13,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    0.1 + 0.2,
  ]) {
    expect(() => parseQuantity(quantity)).toThrow(Failure);
  }
});

test('sums of thousandths never lose one', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1e12 }), { maxLength: 200 }), (counts) => {
      const sum = counts.reduce((total, count) => total + parseQuantity(JSON.parse(decimal(count))), 0);
      expect(BigInt(sum)).toBe(counts.reduce((total, count) => total + BigInt(count), 0n));
    }),
    { numRuns: 200 },
  );
});

test('precision allows as many decimals as it says', () => {
  for (const precision of [0, 1, 2, 3]) {
    fc.assert(
      fc.property(thousandths, (count) => {
        const decimals = decimal(count).split('.')[1]?.replace(/0+$/, '').length ?? 0;
        const check = () => assertPrecision(count, precision, 'Flour');
        if (decimals <= precision) expect(check).not.toThrow();
        else expect(check).toThrow(Failure);
      }),
    );
  }
});
