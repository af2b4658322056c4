import fc from 'fast-check';

/** What readers of JSON, numbers, names, lines and PEM stumble over, as it stands in a text. */
const troublesome: readonly (string | Uint8Array)[] = [
  ...['1e400', '-1e400', '-0', '1e-400', '9007199254740993', '0.1', '1E+2', '0x10', '01', 'NaN'],
  ...['""', 'null', 'true', '[]', '{}', '{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}'],
  ...['"__proto__":1,', '"constructor":1,', '"\\u005f_proto__":{},', '"id":null,', '"params":[],'],
  ...['\\u0000', '\\ud800', '\\udc00', '\\', '"', '{', '}', '[', ']', ':', ',', '\n', '\r\n', '\0', '\t', '//', '/*'],
  ...['\u202e', '\u{1f642}', '\ufeff', '\u001b]0;x\u0007', 'ﬁ', '%00', '../..', '=', '+', '--', '-----END ', "'", ';'],
  ...[Uint8Array.of(0xff), Uint8Array.of(0xc0, 0xaf), Uint8Array.of(0xed, 0xa0, 0x80), Uint8Array.of(0x80)],
  'x'.repeat(70),
  '9'.repeat(400),
  '['.repeat(2000),
];

/** One thing that is done to some bytes; `at` is counted round and round, so it fits any length. */
interface Mutation {
  readonly kind: 'flip' | 'cut' | 'insert' | 'overwrite' | 'repeat' | 'end';
  readonly at: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'insert', 'overwrite', 'repeat', 'end'),
  at: fc.nat(0xffff),
  length: fc.oneof({ weight: 5, arbitrary: fc.nat(12) }, fc.nat(2000)),
  bytes: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...troublesome).map((text) => Uint8Array.from(Buffer.from(text))) },
    fc.uint8Array({ maxLength: 12 }),
  ),
});

/** A few mutations for one text. */
export const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });

/** The bytes after all of this was done to them, the first first. */
export function mutate(bytes: Uint8Array, all: readonly Mutation[]): Buffer {
  return all.reduce<Buffer>((before, one) => apply(before, one), Buffer.from(bytes));
}

function apply(before: Buffer, { kind, at: place, length, bytes }: Mutation): Buffer {
  const at = before.length === 0 ? 0 : place % before.length;
  const head = before.subarray(0, at);
  const tail = (from: number) => before.subarray(Math.min(from, before.length));
  switch (kind) {
    case 'flip': {
      const flipped = Buffer.from(before);
      if (flipped.length > 0) flipped[at] = (flipped[at] ?? 0) ^ (1 << (length % 8));
      return flipped;
    }
    case 'cut':
      return Buffer.concat([head, tail(at + length)]);
    case 'insert':
      return Buffer.concat([head, bytes, tail(at)]);
    case 'overwrite':
      return Buffer.concat([head, bytes, tail(at + bytes.length)]);
    case 'repeat': // So a key is there twice, or a text is longer than anybody meant.
      return Buffer.concat([before.subarray(0, at + length), tail(at)]);
    case 'end':
      return Buffer.from(head);
  }
}

/** Some bytes as one of these texts, as it is or mutated, or with nothing of ours in them. */
export function textLike(...texts: readonly string[]): fc.Arbitrary<Buffer> {
  const mutated = fc.tuple(fc.constantFrom(...texts), mutations).map(([text, all]) => mutate(Buffer.from(text), all));
  return fc.oneof(
    { weight: 8, arbitrary: mutated },
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
  );
}
