import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const document = fileURLToPath(new URL('../.github/SECURITY.md', import.meta.url));
const rows = readFileSync(document, 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, point, claim = '', tests = ''] = /^\| (\d+) \| (.*) \| (.*) \|$/.exec(line) ?? [];
    return point === undefined ? [] : [{ point: Number(point), claim, tests }];
  });

/** The files that a cell names, each with the beginnings, middles or ends of names of tests behind it. */
function testsIn(cell: string): readonly { readonly file: string; readonly names: readonly string[] }[] {
  return cell
    .split(/(?=\[[\w -]+\]\()/)
    .filter((part) => part.startsWith('['))
    .map((part) => ({
      file: join(dirname(document), /\]\(([^)]+)\)/.exec(part)?.[1] ?? ''),
      names: [...part.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name),
    }));
}

describe('the table of .github/SECURITY.md', () => {
  test('has every point of the design', () => {
    expect(rows.map(({ point }) => point)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  });

  test.each(rows)('names tests that exist for point $point', ({ tests }) => {
    const named = testsIn(tests);
    expect(named.length).toBeGreaterThan(0);
    for (const { file, names } of named) {
      expect([file, existsSync(file)]).toEqual([file, true]);
      const text = readFileSync(file, 'utf8');
      expect(names.length).toBeGreaterThan(0);
      for (const name of names) expect([file, name, text.includes(name)]).toEqual([file, name, true]);
    }
  });
});
