import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  appendLeaf,
  type Frontier,
  formatRecord,
  type LedgerRecord,
  rootOf,
  type Sha256,
} from '../../src/model/ledger.ts';
import { movementKinds } from '../../src/model/stock.ts';

const sha256: Sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** RFC 6962 section 2.1, word for word. */
function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (!only) return sha256();
  if (leaves.length === 1) return only;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Uint8Array.of(1), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

/** RFC 8785 for values without fractions: keys by UTF-16 code unit, no spaces, the shortest escapes. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null)
    return typeof value === 'string' ? canonicalString(value) : String(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([key, member]) => `${canonicalString(key)}:${canonical(member)}`).join(',')}}`;
}

const shortEscapes: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
  '"': '\\"',
  '\\': '\\\\',
};

function canonicalString(text: string): string {
  const escaped = text.replace(
    /[\p{Cc}"\\]/gu,
    (character) =>
      // Past U+001F nothing is escaped, not even the control characters of C1.
      shortEscapes[character] ??
      (character < ' ' ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : character),
  );
  return `"${escaped}"`;
}

describe('the tree', () => {
  test('has after every append the root that RFC 6962 defines, and a node for each bit of its size', () => {
    const leaves: Uint8Array[] = [];
    let frontier: Frontier = [];
    for (let size = 0; size <= 70; size++) {
      expect(rootOf(frontier, sha256)).toEqual(treeHash(leaves));
      expect(frontier.length).toBe([...size.toString(2)].filter((bit) => bit === '1').length);
      const leaf = sha256(Uint8Array.of(0), Buffer.from(String(size * size)));
      frontier = appendLeaf(frontier, size, leaf, sha256);
      leaves.push(leaf);
    }
  });

  test('has it for random leaves of random sizes, and says so when a frontier does not fit its size', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 70 }), (leaves) => {
        let frontier: Frontier = [];
        for (const [size, leaf] of leaves.entries()) frontier = appendLeaf(frontier, size, leaf, sha256);
        expect(Buffer.from(rootOf(frontier, sha256))).toEqual(Buffer.from(treeHash(leaves)));
      }),
      { numRuns: 50 },
    );
    expect(() => appendLeaf([], 1, sha256(), sha256)).toThrow('does not fit');
  });

  test('is the same past 2^31 leaves', () => {
    const size = 2 ** 33 + 2 ** 31 + 3;
    const before = Array.from({ length: 4 }, (_, at) => sha256(Uint8Array.of(at)));
    expect(appendLeaf(before, size, sha256(), sha256)).toHaveLength(3);
  });
});

describe('a record', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('Käse', '\u2028', '\u{1f9fc}', '"', '\\', '\u007f', '\u0001\b'),
  );
  /** Any, but for numbers, which JavaScript would put before all others: no field of an item is called so. */
  const fieldNames = texts.filter((text) => !/^\d+$/.test(text));
  const counts = fc.integer({ min: 0, max: 1e15 });
  const records: fc.Arbitrary<LedgerRecord> = fc.record({
    at: fc.integer({ min: 0, max: 4e12 }),
    balance: counts,
    change: fc.option(fc.dictionary(fieldNames, fc.oneof(texts, counts, fc.constant(null)), { noNullPrototype: true })),
    credential: texts,
    delta: fc.integer({ min: -1e15, max: 1e15 }).map((delta) => delta || 1),
    item: texts,
    itemId: counts,
    kind: fc.constantFrom(...movementKinds),
    location: texts,
    locationId: counts,
    note: fc.option(texts),
    operation: fc.uuid(),
    seen: fc.option(counts),
    seq: counts,
    source: texts,
    undoes: fc.option(counts),
    user: texts,
  });

  test('has the bytes that RFC 8785 gives to its members', () => {
    fc.assert(
      fc.property(records, ({ at, balance, delta, ...rest }) => {
        const members = {
          ...rest,
          at: new Date(at).toISOString(),
          balanceThousandths: balance,
          deltaThousandths: delta,
          v: 1,
        };
        expect(formatRecord({ at, balance, delta, ...rest })).toBe(canonical(members));
      }),
      { numRuns: 500 },
    );
  });
});
