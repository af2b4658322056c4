import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Cell,
  type Delimiter,
  detectDelimiter,
  formatCsvRow,
  parseCsv,
  separatorLine,
  unguard,
} from '../../src/client/csv.ts';

const parse = (text: string, delimiter: Delimiter = ',') => [...parseCsv(text, delimiter)];
const cellsOf = (text: string, delimiter?: Delimiter) => parse(text, delimiter).map(({ cells }) => cells);

/** Texts that are made of what CSV and spreadsheets find special, and of anything else. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('"', ',', ';', '\t', '\r', '\n', "'", '=', '+', '-', '@', ' ', 'a', 'é', '😀') }),
  fc.string({ unit: 'binary' }),
);

describe('what is written', () => {
  test('is read again, whatever the cells hold', () => {
    fc.assert(
      fc.property(fc.array(fc.array(text, { minLength: 1, maxLength: 5 }), { maxLength: 5 }), (rows) => {
        const written = rows.map(formatCsvRow).join('');
        expect(cellsOf(written).map((cells) => cells.map(unguard))).toEqual(rows);
      }),
      { numRuns: 2000 },
    );
  });

  test('never holds a text that a spreadsheet would calculate, and never changes a number', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.double({ noNaN: true })), text, (first, second) => {
        const [cells = []] = cellsOf(formatCsvRow([first, second]));
        const isSafe = (cell: Cell, written = '') =>
          typeof cell === 'number' ? written === String(cell) : !/^[=+\-@\t\r]/.test(written);
        expect([isSafe(first, cells[0]), isSafe(second, cells[1])]).toEqual([true, true]);
      }),
      { numRuns: 2000 },
    );
  });

  test('has quotes only where they are needed, and ends lines as RFC 4180 says', () => {
    const cells = ['Soap', 'Salt, fine', '5" pipe', 12.5, -3, undefined, '', '-3', '=1+1', "'=1", "O'Neil"];
    expect(formatCsvRow(cells)).toBe(`Soap,"Salt, fine","5"" pipe",12.5,-3,,,'-3,'=1+1,''=1,O'Neil\r\n`);
  });
});

describe('what is read', () => {
  test.each([
    ['LF', 'a,b\nc,d\n'],
    ['CRLF', 'a,b\r\nc,d\r\n'],
    ['both', 'a,b\r\nc,d\n'],
    ['no end of the last line', 'a,b\nc,d'],
    ['empty lines', '\n\r\na,b\n\nc,d\n\n'],
    ['quotes', '"a","b"\r\n"c",d'],
  ])('has the same cells with %s', (_, given) => {
    expect(cellsOf(given)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
  });

  test('keeps line ends, quotes and delimiters in quoted cells, and counts lines by the file', () => {
    expect(parse('a,"b\r\nb\nb"\r\n\r\n"c""c","d,d"\n"",')).toEqual([
      { line: 1, cells: ['a', 'b\r\nb\nb'] },
      { line: 5, cells: ['c"c', 'd,d'] },
      { line: 6, cells: ['', ''] },
    ]);
  });

  test('has spaces as they are, and empty cells', () => {
    expect(cellsOf(' a ,,\n,\n')).toEqual([
      [' a ', '', ''],
      ['', ''],
    ]);
  });

  test.each([
    ['a,b"c', 1, 'has a quote in the middle of a cell'],
    ['a\nb,"c"d\n', 2, 'has text behind the quote that ends a cell'],
    ['a\n"b\nc,d\n', 2, 'begins a quoted cell that never ends'],
    ['a\nb\rc', 2, 'has a carriage return in the middle'],
    ['a\n"b\nb"c', 3, 'has text behind the quote that ends a cell'],
  ])('is refused by its line: %j', (given, line, what) => {
    expect(() => parse(given)).toThrow(`Line ${line} ${what}.`);
  });

  test('never takes longer than its length allows, nor throws anything but a refusal', () => {
    fc.assert(
      fc.property(text, fc.constantFrom<Delimiter>(',', ';', '\t'), (given, delimiter) => {
        try {
          parse(given, delimiter);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-params', message: expect.stringMatching(/^Line \d+ /) });
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('is separated by what its header has most of', () => {
    expect(['item,quantity', 'item;quantity\n1,5;2,5;3,5', 'item\tquantity', 'item', ''].map(detectDelimiter)).toEqual([
      ',',
      ';',
      '\t',
      ',',
      ',',
    ]);
  });

  test('is separated by what its first line says, which is no row', () => {
    expect(['sep=;\r\nitem,quantity', '"sep=,"\na;b;c', 'SEP=\t\na', 'sep=;'].map(detectDelimiter)).toEqual([
      ';',
      ',',
      '\t',
      ';',
    ]);
    expect(() => detectDelimiter('sep=|\nitem|quantity')).toThrow('Line 1 says that "|" separates the cells.');
    expect(['sep=;\na', 'sep=;;\na', 'sep,quantity', 'a\nsep=;\n'].map(separatorLine)).toEqual([
      ';',
      undefined,
      undefined,
      undefined,
    ]);
  });
});
