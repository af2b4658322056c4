import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/model/failure.ts';
import { nameCharactersMax } from '../../src/model/limits.ts';
import { canonicalKey, parseName } from '../../src/model/name.ts';

function tryName(text: string): string | undefined {
  try {
    return parseName(text);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return undefined;
  }
}

const awkward = fc.constantFrom(
  'ß',
  'ẞ',
  'ς',
  'Σ',
  'İ',
  'ı',
  'ﬁ',
  'Å',
  'Å',
  'e\u0301',
  '\u0345',
  'ǆ',
  'Ⅷ',
  '½',
  'Ａ',
  '㎏',
  '\u0130\u0307',
  'ŉ',
  'ΐ',
  'ᾳ',
  '\u1e9b\u0323',
  ' ',
  '\u3000',
);
const texts = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.array(awkward).map((parts) => parts.join('')),
  fc.array(fc.oneof(awkward, fc.string())).map((parts) => parts.join('')),
);
const names = texts.map(tryName).filter((name) => name !== undefined);

describe('parseName', () => {
  test('gives one form: NFC, trimmed, single spaces, in bounds, and itself again', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(parseName(name)).toBe(name);
        expect(name).toBe(name.normalize('NFC'));
        expect(name).toBe(name.trim());
        expect(name).not.toMatch(/\s{2}|[^\S ]/);
        expect([...name].length).toBeGreaterThan(0);
        expect([...name].length).toBeLessThanOrEqual(nameCharactersMax);
      }),
      { numRuns: 3000 },
    );
  });

  test('takes no name that is many times as long where it is written out, as its key is, and stored again and again', () => {
    expect(tryName('ﷺ'.repeat(58))).toBeUndefined();
    expect(() => parseName(`Q${'ﷺ'.repeat(8)}`, 'sku')).toThrow(
      'sku may have at most 128 characters where ligatures and signs are written out (got 145).',
    );
    expect(() => parseName('㌖'.repeat(16), 'unit', 16)).toThrow('unit may have at most 32 characters where');
    for (const name of ['ﷺ'.repeat(7), 'ﬁ'.repeat(64), 'ß'.repeat(64), 'ΐ'.repeat(64), '㎏'.repeat(64)]) {
      expect([name, tryName(name)]).toEqual([name, name]);
    }
    fc.assert(
      fc.property(names, (name) => {
        expect([...canonicalKey(name)].length).toBeLessThanOrEqual(2 * nameCharactersMax);
      }),
      { numRuns: 1000 },
    );
  });

  test('takes no name that programs stumble over where it is a key, in whatever width it is written', () => {
    for (const name of ['__proto__', '＿＿proto＿＿', '__ＰＲＯＴＯ__', '__Proto__']) {
      expect(() => parseName(name, 'location')).toThrow('location must not be "__proto__".');
    }
    // This one is only a word: the wire has names as values, never as keys.
    expect(parseName('ｃonstructor')).toBe('ｃonstructor');
  });

  test('lets nothing through that moves a cursor or cannot be seen', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(name).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}]/u);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('canonicalKey', () => {
  test('is the same for every spelling of a name: case, normal form, width, and spaces', () => {
    fc.assert(
      fc.property(names, (name) => {
        const key = canonicalKey(name);
        expect(canonicalKey(key)).toBe(key);
        for (const form of ['NFC', 'NFD', 'NFKC', 'NFKD']) expect(canonicalKey(name.normalize(form))).toBe(key);
        expect(canonicalKey(name.toUpperCase())).toBe(key);
        const again = tryName(`  ${name}\u3000`);
        expect(again === undefined ? key : canonicalKey(again)).toBe(key);
      }),
      { numRuns: 5000 },
    );
  });

  test('finds what people take for one name, and keeps apart what they do not', () => {
    for (const [a, b] of [
      ['maggi', 'MAGGI'],
      ['Straße', 'STRASSE'],
      ['Straße', 'STRAẞE'],
      ['ΟΔΟΣ', 'οδος'],
      ['ｓｏａｐ', 'Soap'],
      ['5 ㎏', '5 kg'],
      ['Ǆ', 'ǆ'],
    ] as const) {
      expect(canonicalKey(a)).toBe(canonicalKey(b));
    }
    for (const [a, b] of [
      ['Soap', 'Soaps'],
      ['a', 'á'],
      ['1', 'l'],
      ['a b', 'ab'],
      ['а', 'a'],
    ] as const) {
      expect(canonicalKey(a)).not.toBe(canonicalKey(b));
    }
  });
});
