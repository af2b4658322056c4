import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

const source = fileURLToPath(new URL('../src/', import.meta.url));

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

interface Rule {
  readonly parts: readonly string[];
  readonly packages: readonly string[];
}

let imports: Import[] = [];
let files: string[] = [];
let rules = new Map<string, Rule>();

beforeAll(() => {
  files = globSync('**/*.ts', { cwd: source }).sort();
  imports = files.flatMap(importsOf);
  rules = readRules();
});

function importsOf(from: string): Import[] {
  const text = readFileSync(join(source, from), 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?([^;'"]*?)from '([^']+)'/gms);
  const lazy = text.matchAll(/import\('([^']+)'\)/g);
  return [
    ...[...statements].map(([, type, names = '', to = '']) => ({
      from,
      to: target(from, to),
      isType: type !== undefined || /^\{(\s*type\s[^,}]+,?)+\s*\}\s*$/.test(names.trim()),
    })),
    ...[...lazy].map(([, to = '']) => ({ from, to: target(from, to), isType: false })),
  ];
}

function target(from: string, to: string): string {
  return to.startsWith('.') ? normalize(join(dirname(from), to)) : to;
}

/** The table at the top of src/README.md. */
function readRules(): Map<string, Rule> {
  const words = (cell: string | undefined) => (cell ?? '').split(',').flatMap((word) => word.trim() || []);
  const found = new Map<string, Rule>();
  for (const row of readFileSync(join(source, 'README.md'), 'utf8').split('\n')) {
    const [, names = '', , parts, packages] = row.split(' | ').length === 4 ? ['', ...row.split('|').slice(1, 5)] : [];
    for (const [, name = ''] of names.matchAll(/`([^`]+)`/g)) {
      found.set(name.replace(/\/$/, ''), { parts: words(parts), packages: words(packages) });
    }
  }
  return found;
}

/** A folder is a part; a file directly in src is one by itself. */
function partOf(file: string): string {
  return file.includes('/') ? (file.split('/')[0] ?? '') : file;
}

function ruleOf(file: string): Rule {
  const rule = rules.get(partOf(file));
  if (!rule) throw new Error(`src/README.md has no row for ${partOf(file)}.`);
  return rule;
}

const isFile = (to: string) => to.endsWith('.ts');

describe('the dependency rule of src/README.md', () => {
  test('every part has its row, and every row its part', () => {
    const parts = new Set(files.map(partOf).filter((part) => part !== 'package.ts'));
    expect([...rules.keys()].sort()).toEqual([...parts].sort());
  });

  test('no part imports values from a part it may not', () => {
    const forbidden = imports.filter(({ from, to, isType }) => {
      if (!isFile(to) || isType || partOf(from) === partOf(to) || to === 'package.ts') return false;
      const { parts } = ruleOf(from);
      if (!partOf(to).includes('.')) return !parts.includes(partOf(to)) && parts[0] !== 'all but client';
      return !(partOf(from).endsWith('.ts') && partOf(to).endsWith('.ts'));
    });
    expect(forbidden).toEqual([]);
  });

  test('server and client never meet', () => {
    const met = imports.filter(({ from, to }) =>
      `${partOf(from)} ${partOf(to)}`.match(/^(server client|client server)$/),
    );
    expect(met).toEqual([]);
  });

  test('no part uses an outside package it does not name', () => {
    const forbidden = imports.filter(({ from, to }) => {
      if (isFile(to) || partOf(from) === 'package.ts') return false;
      const { packages } = ruleOf(from);
      const name = to.startsWith('@') ? (to.split('/')[0] ?? '') : to;
      const plain = name.startsWith('node:') ? (name.split('/')[0] ?? '') : name;
      return !packages.some(
        (allowed) => allowed === to || allowed === plain || (allowed === 'node:*' && to.startsWith('node:')),
      );
    });
    expect(forbidden).toEqual([]);
  });

  test('there are no cycles between files', () => {
    const next = new Map<string, string[]>();
    for (const { from, to, isType } of imports)
      if (isFile(to) && !isType) next.set(from, [...(next.get(from) ?? []), to]);
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
      if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
      if (done.has(file)) return undefined;
      for (const to of next.get(file) ?? []) {
        const cycle = visit(to, [...path, file]);
        if (cycle) return cycle;
      }
      done.add(file);
      return undefined;
    };
    expect(files.map((file) => visit(file, [])).find((cycle) => cycle)).toBeUndefined();
  });

  test('nobody writes a file that nobody imports', () => {
    const programs = [
      'secure-inv.ts',
      'secure-invd.ts',
      'index.ts',
      'store/sqlite/worker.ts',
      'store/sqlite/file-worker.ts',
    ];
    const imported = new Set(imports.map(({ to }) => to));
    // gen-certs is the command line of these.
    const forScripts = readFileSync(join(source, '../scripts/gen-certs.ts'), 'utf8');
    const unused = files.filter(
      (file) => !imported.has(file) && !programs.includes(file) && !forScripts.includes(file),
    );
    expect(unused).toEqual([]);
  });
});
