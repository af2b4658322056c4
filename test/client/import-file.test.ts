import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RowCheck } from '../../src/client/import-rows.ts';
import { type ImportFormat, readImportFile, rowsOf } from '../../src/client/shell/import-file.ts';
import { Failure } from '../../src/model/failure.ts';
import { temporaryFolder } from '../support/server.ts';

const rowsIn = (text: string, format: ImportFormat = 'csv') => [
  ...rowsOf({ name: undefined, digest: '', text, format }),
];

function refusalOf(text: string): Failure {
  try {
    rowsIn(text);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('This was read.');
}

/** What is found wrong with a CSV file, and what is sent of it all the same. */
function check(text: string, format: ImportFormat = 'csv') {
  const rows = rowsIn(text, format);
  const looked = new RowCheck();
  for (const row of rows) looked.look(row);
  const sent = rows.flatMap((row) => looked.wireRow(row) ?? []);
  expect(sent).toHaveLength(looked.sent);
  return { problems: looked.problems.first, sent };
}

const told = (text: string, format?: ImportFormat) =>
  check(text, format).problems.map(({ line, problem }) => `${line} ${problem}`);

test('all that is wrong with a header is told at once', () => {
  expect(refusalOf('Itm,Qantity,Where,Unit,unit\nSoap,1,main,kg,kg\n')).toMatchObject({
    message:
      'There is no column "Itm". There is no column "Qantity". There is no column "Where". The column unit is there twice. The column item is missing. The column quantity is missing.',
    details: {
      hint: expect.stringContaining(
        'The first line must name the columns. Did you mean item, quantity? The columns are item, quantity,',
      ),
    },
  });
  const many = Array.from({ length: 20 }, (_, at) => `\u001b[${at}`).join(',');
  expect(refusalOf(`item,quantity,${many}\n`).message).toMatch(
    /^(There is no column "\\+u001b\[\d". ){8}And 12 more\.$/,
  );
});

test('columns without a name are none while they are empty; no row has more cells or fewer than the header', () => {
  expect(rowsIn('item,quantity,,\nSoap,5,,\n"Tea",7,,\n')).toEqual([
    { line: 2, fields: { item: 'Soap', quantity: 5 } },
    { line: 3, fields: { item: 'Tea', quantity: 7 } },
  ]);
  // An empty cell too many may be what a decimal comma has pushed there: 1,5 is neither 1 nor a note of 5.
  expect(told('item,quantity,note\nSoap,1,5,\nSalt,1\n')).toEqual([
    '2 The line has 4 cells, and the header 3.',
    '3 The line has 2 cells, and the header 3.',
  ]);
  expect(told('item,,quantity\nSoap,,5\nSalt,x,6\nTea,,7,8\n')).toEqual([
    '3 "x" stands in a column without a name.',
    '4 The line has 4 cells, and the header 3.',
  ]);
});

test('a first line that says what separates is read as that, and lines are counted by the file', () => {
  expect(rowsIn('sep=;\r\nitem;quantity\r\nSoap;5\r\n')).toEqual([{ line: 3, fields: { item: 'Soap', quantity: 5 } }]);
  expect(refusalOf('sep=|\nitem|quantity\n')).toMatchObject({
    details: { hint: 'Separate them with , or ; or tabs.' },
  });
});

test('lines that end with a carriage return alone are lines', async () => {
  const path = join(await temporaryFolder(), 'old.csv');
  await writeFile(path, 'item,quantity\rSoap,5\rSalt,6\r');
  expect([...rowsOf(await readImportFile(path, undefined))]).toEqual([
    { line: 2, fields: { item: 'Soap', quantity: 5 } },
    { line: 3, fields: { item: 'Salt', quantity: 6 } },
  ]);
});

test('all that is wrong with a row is told at once', () => {
  const row = { item: 'Soap', quantity: 'x', precision: 7, such: 1, qty: 2, unit: 'x'.repeat(17) };
  expect(check(JSON.stringify(row), 'jsonl').problems.map(({ problem, fix }) => `${problem} ${fix}`)).toEqual([
    'quantity must be 0 or a positive number with at most 3 decimals, at most 10^12 (got "x"). Write a number such as 200 or 12.5.',
    'unit may have at most 16 characters (got 17). Correct it.',
    'precision must be 0 to 3 (got 7). Write 0, 1, 2 or 3.',
    expect.stringMatching(/^There is no column "such"\. A row may have item, /),
    'There is no column "qty". A row may have item, quantity, location, unit, precision, sku, barcode, category, description, lowAt, note.',
  ]);
});

test('what a row says is sent as far as it is right, and what hangs on what is wrong is left out of others', () => {
  const { sent } = check(
    [
      'item,quantity,location,unit,precision,lowAt',
      'Flour,0.5,main,,,',
      'Flour,12x,attic,kg,three,0.5',
      'FLOUR,0.25,,g,2,1',
      'Tea,x,cellar,kg,1,',
      'Tea,1.5,,kg,,',
      ',1,,,,',
      'Salt,1,5,main,kg,,',
      'Salt,1.5,,,2,',
      'Soap,1,,pcs,,0.5',
    ].join('\n'),
  );
  expect(sent).toEqual([
    { line: 2, item: 'Flour', quantity: 0, location: 'main' },
    { line: 3, item: 'Flour', quantity: 0, location: 'attic', unit: 'kg' },
    { line: 4, item: 'FLOUR', quantity: 0, unit: 'g' },
    { line: 5, item: 'Tea', quantity: 0, location: 'cellar', unit: 'kg', precision: 1 },
    { line: 6, item: 'Tea', quantity: 1.5, unit: 'kg' },
    { line: 9, item: 'Salt', quantity: 0 },
    { line: 10, item: 'Soap', quantity: 1, unit: 'pcs', lowAt: 0.5 },
  ]);
});

test.each([
  ['1,5', 'Write 1.5 (with a point).'],
  ['0,250', 'Write 0.250 (with a point).'],
  ['1,234', 'Write 1234 if the comma parts thousands, or 1.234 if it is a decimal one.'],
  ['12,345', 'Write 12345 if the comma parts thousands, or 12.345 if it is a decimal one.'],
  ['1234,567', 'Write 1234.567 (with a point).'],
  ['1,234,567', 'Write 1234567.'],
  ['1,234.5', 'Write 1234.5.'],
  ['1.234,5', 'Write 1234.5.'],
  ['1.234.567', 'Write 1234567.'],
  ["1'234", 'Write 1234.'],
  ['1 234,5', 'Write 1234.5.'],
  ['1,234,5', 'Write a number such as 200 or 12.5.'],
  ['1,23,4', 'Write a number such as 200 or 12.5.'],
  ['-1,5', 'Write a number such as 200 or 12.5.'],
])('of %s the fix is: %s', (written, fix) => {
  expect(check(`item;quantity\nSoap;"${written}"`).problems).toMatchObject([{ fix }]);
});
