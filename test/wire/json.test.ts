import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/model/failure.ts';
import { jsonDepthMax } from '../../src/model/limits.ts';
import { parseJson } from '../../src/wire/json.ts';

/** The value, or the code of the refusal. */
function parse(text: string): unknown {
  try {
    return { value: parseJson(Buffer.from(text)) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.code;
  }
}

/** How deep a value is nested. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function hasTrap(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (!Array.isArray(value) && Object.keys(value).some((key) => key === '__proto__' || key === 'constructor'))
    return true;
  return Object.values(value).some(hasTrap);
}

// None has a backslash: V8 takes an escaped key for such a one that it has seen before (nodejs/node#63785), so that
// JSON.parse would be no measure.
const keys = fc
  .oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(
      '',
      ':',
      '{',
      '}',
      '"',
      ',',
      '[',
      ']',
      'a:b',
      '\n',
      '\u2028',
      'toString',
      '__proto__',
      'constructor',
    ),
  )
  .filter((key) => !key.includes('\\'));
const { value: values } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 9, depthSize: 'small' },
    fc.constantFrom(null, true, 0, -1.5e-7, '', ':', '"', '\\'),
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

describe('parseJson', () => {
  test('agrees with JSON.parse on all it accepts, and refuses nothing but what it says', () => {
    fc.assert(
      fc.property(values, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space);
        const known: unknown = JSON.parse(text);
        const isRefused = depthOf(known) > jsonDepthMax || hasTrap(known) || !text.isWellFormed();
        expect(parse(text)).toEqual(isRefused ? 'bad-frame' : { value: known });
      }),
      { numRuns: 2000 },
    );
  });

  test('never accepts what JSON.parse refuses', () => {
    const scraps = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '\\',
      '\\u00',
      'a',
      '1',
      '-',
      '.',
      'e',
      ' ',
      'null',
      'true',
      '{"a":1}',
      '\u0000',
      '/',
      "'",
    );
    fc.assert(
      fc.property(fc.array(scraps, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        fc.pre(!text.includes('\\\\'));
        const parsed = parse(text);
        if (parsed !== 'bad-frame') expect(parsed).toEqual({ value: JSON.parse(text) });
      }),
      { numRuns: 3000 },
    );
  });

  test('refuses every duplicate, wherever it is and however it is written', () => {
    const escaped = (key: string) =>
      [...Array(key.length).keys()].map((at) => `\\u${key.charCodeAt(at).toString(16).padStart(4, '0')}`).join('');
    const plain = keys.filter((key) => key.isWellFormed() && key !== '__proto__' && key !== 'constructor');
    fc.assert(
      fc.property(plain, fc.boolean(), fc.array(fc.boolean(), { maxLength: 5 }), (key, isEscaped, nesting) => {
        const again = isEscaped ? `"${escaped(key)}"` : JSON.stringify(key);
        const object = `{${JSON.stringify(key)}:[1],"other key":{},${again}:"x"}`;
        const text = nesting.reduce((inner, isArray) => (isArray ? `[0,${inner}]` : `{"k":${inner}}`), object);
        expect(parse(text)).toBe('bad-frame');
        expect(parse(text.replace(`,${again}:`, ',"third key":'))).not.toBe('bad-frame');
      }),
      { numRuns: 1000 },
    );
  });

  test('never makes a known key of another, even where V8 mixes escaped keys up', () => {
    // Whoever may send a line can have these seen, as a stranger can on the wire.
    for (const seen of ['\\', '\\u006', '\\u006d', '\\u006deth']) {
      for (let times = 0; times < 3; times++) parse(`{"id":1,${JSON.stringify(seen)}:2}`);
    }
    for (const [written, key] of [
      ['\\u006dethod', 'method'],
      ['\\u0069tem', 'item'],
      ['\\n', '\n'],
    ] as const) {
      const parsed = parse(`{"id":1,"${written}":2}`);
      const { value } = parsed as { value: object }; // It is good JSON, so there is one.
      const [, read = ''] = Object.keys(value);
      expect(read === key || read.startsWith('\\')).toBe(true);
    }
  });

  test('leaves no prototype changed', () => {
    parse('{"__proto__":{"polluted":1}}');
    parse('{"constructor":{"prototype":{"polluted":1}}}');
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
