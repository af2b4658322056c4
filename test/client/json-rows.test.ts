import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJsonArray, parseJsonLines } from '../../src/client/json-rows.ts';

test('an array is read as JSON.parse does, however it is written, and each element with its line', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.constantFrom(0, 1, '\t', '\r\n'), (values, space) => {
      const text = JSON.stringify(values, undefined, space);
      expect([...parseJsonArray(text)].map(({ value }) => value)).toEqual(JSON.parse(text));
    }),
  );
  expect([...parseJsonArray('\n[ {"a":\n"]}"},\n\n  2,3\n]\n')]).toEqual([
    { line: 2, value: { a: ']}' } },
    { line: 5, value: 2 },
    { line: 5, value: 3 },
  ]);
});

test('what is no array of JSON is refused by its line, and nothing else is thrown', () => {
  for (const text of ['', '{}', '[1', '[1,]', '[1 2]', '[,]', '[1]x', '["]', '[{]', '\n[1,\nx]', '[1}]']) {
    expect(() => [...parseJsonArray(text)], text).toThrow(/^Line \d+ /);
  }
  const bits = fc.array(fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '\\', '\n', '1', ' '), { maxLength: 20 });
  fc.assert(
    fc.property(bits, (parts) => {
      const text = parts.join('');
      const accepted = (read: () => unknown) => {
        try {
          return [true, read()];
        } catch (error) {
          if (!(error instanceof SyntaxError)) expect(error).toMatchObject({ code: 'bad-params' });
          return [false];
        }
      };
      const ours = accepted(() => [...parseJsonArray(`[${text}`)].map(({ value }) => value));
      expect(ours).toEqual(accepted(() => JSON.parse(`[${text}`)));
    }),
    { numRuns: 5000 },
  );
});

test('lines of JSON are read one by one, and empty ones are none', () => {
  expect([...parseJsonLines('{"a":1}\r\n\n  2 \n3')]).toEqual([
    { line: 1, value: { a: 1 } },
    { line: 3, value: 2 },
    { line: 4, value: 3 },
  ]);
  expect([...parseJsonLines('1\n2 3\n{"a":1,"a":2}\n{"a":"{\\"a\\":","b":{"a":2}}\n4')]).toEqual([
    { line: 1, value: 1 },
    { line: 2, problem: 'The line is not JSON.' },
    { line: 3, value: { a: 2 }, problem: 'A key is there twice.' },
    { line: 4, value: { a: '{"a":', b: { a: 2 } } },
    { line: 5, value: 4 },
  ]);
  expect([...parseJsonArray('[{"a":1},\n{"a":1,"a":2}]')]).toMatchObject([
    { line: 1, value: { a: 1 } },
    { line: 2, problem: 'A key is there twice.' },
  ]);
});
