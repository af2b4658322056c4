import { expect, test } from 'vitest';
import { importColumns } from '../../src/command/import/field.ts';
import { importPageRowsMax, lineBytesMax, operationLinesMax } from '../../src/model/limits.ts';
import { parseRequest } from '../../src/wire/message.ts';

const inParams = (params: string) => Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"ping","params":${params}}`);

test('the longest delivery and the fullest page of an import are requests', () => {
  const move = { item: 'Soap', quantity: 1, from: 'main', to: 'cellar' };
  const row = Object.fromEntries(['line', ...importColumns].map((name) => [name, 'x']));
  const delivery = { lines: Array(operationLinesMax).fill(move), note: 'x', operation: 'x' };
  const page = { import: 1, page: 0, rows: Array(importPageRowsMax).fill(row) };
  for (const params of [delivery, page])
    expect(parseRequest(inParams(JSON.stringify(params)))).toEqual({ id: 1, method: 'ping', params });
});

test('a line of many small values is refused before they are made', () => {
  for (const value of ['{},', '[],', '0,', '[[[]]],']) {
    const params = `{"x":[${value.repeat(lineBytesMax / value.length)}0]}`;
    expect(() => parseRequest(inParams(params))).toThrow('it has more than 16384 values');
  }
  expect(parseRequest(inParams(JSON.stringify({ x: '{},'.repeat(lineBytesMax / 3) })))).toHaveProperty('params.x');
});
