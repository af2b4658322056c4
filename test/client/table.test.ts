import { describe, expect, test } from 'vitest';
import { columnsOf } from '../../src/client/terminal.ts';
import type { Command, Screen } from '../../src/command/command.ts';
import { history } from '../../src/command/history.ts';
import { commands } from '../../src/command/index.ts';
import { formatAgo, renderTable } from '../../src/command/table.ts';
import { view } from '../../src/command/view.ts';
import { nameCharactersMax } from '../../src/model/limits.ts';

const plain = (text: string) => text;
const screen = (columns: number, now: number | null = null): Screen => {
  return { columns, now, bold: plain, dim: plain, server: '', enrolmentLink: plain };
};

const movement = {
  seq: 12,
  at: '2026-05-03T14:02:00.000Z',
  kind: 'add',
  item: 'Basmati rice, long grain, 5 kg bag',
  location: 'cellar',
  delta: 123456,
  balance: 1234567,
  user: 'clerk1',
  note: 'delivery 4711, two bags were torn',
  operation: '0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e',
};
const rendered = (columns: number) => history.shell?.render({ movements: [movement] }, screen(columns)) ?? '';
const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

test('a table is never wider than the terminal, and no number in it is ever shortened', () => {
  for (let columns = 26; columns <= 160; columns++) {
    const text = rendered(columns);
    expect(longest(text)).toBeLessThanOrEqual(columns);
    expect(text).toContain('+123456');
    expect(text).toContain('1234567');
    if (columns >= 48) expect(text).toContain('2026-05-03 14:02:00');
  }
  // Narrower than that the terminal breaks the line: a number of which a part is shown would be another.
  expect(rendered(10)).toContain('1234567');
});

test('first texts are shortened, then columns are left out, and people are told which', () => {
  expect(rendered(1000)).toContain('delivery 4711, two bags were torn');
  const shortened = rendered(100);
  expect(shortened).toContain('SEQ');
  expect(shortened).toMatch(/Basmati.*….*delivery.*…/);
  expect(shortened).not.toContain('Too narrow');
  expect(rendered(60)).toMatch(/\nToo narrow for: NOTE, KIND, SEQ.*$/);
});

test('a column in which nothing stands goes first, and nobody misses it', () => {
  const columns = [{ heading: 'ITEM' }, { heading: 'REMARK' }, { heading: 'QUANTITY', right: true }];
  expect(renderTable(columns, [['Soap', '', '12']], screen(20))).toBe('ITEM  QUANTITY\nSoap        12');
});

test('a list of stock keeps what there is and how much', () => {
  const stock = {
    item: 'Soap',
    quantity: 12,
    unit: 'pcs',
    locations: [{ location: 'main', quantity: 12 }],
    precision: 0,
  };
  const text = view.shell?.render({ items: [stock], seq: 1 }, screen(18)) ?? '';
  expect(text.split('\n').slice(0, 2)).toEqual(['ITEM  QUANTITY', 'Soap        12']);
});

test('on a terminal times are told by how long ago they are', () => {
  const now = Date.parse('2026-05-03T14:05:10Z');
  expect(history.shell?.render({ movements: [movement] }, screen(200, now))).toMatch(/WHEN .*\n.* 3 min ago /);
  for (const [time, told] of [
    ['2026-05-03T14:05:40Z', 'just now'],
    ['2026-05-03T14:04:11Z', 'just now'],
    ['2026-05-03T14:04:10Z', '1 min ago'],
    ['2026-05-03T13:05:11Z', '59 min ago'],
    ['2026-05-03T13:05:10Z', '1 h ago'],
    ['2026-05-02T14:05:10Z', '1 d ago'],
    ['2026-05-12T14:05:10Z', 'in 9 d'],
    ['2026-04-01T00:00:00Z', '2026-04-01'],
  ] as const) {
    expect(formatAgo(Date.parse(time), now)).toBe(told);
  }
});

describe('every list fits into 80 columns, also where everything in it is long', () => {
  const now = Date.parse('2026-05-03T14:05:10Z');
  const time = '2026-04-30T14:05:10.000Z';
  const [name, user] = ['n'.repeat(nameCharactersMax), 'u'.repeat(32)];
  const id = 'A'.repeat(16);
  const source = '2001:0db8:85a3:1111:2222:8a2e:0370:7334';
  const [created, ended] = [{ createdAt: time, lastUsedAt: time }, { expiresAt: '2026-07-30T14:05:10.000Z' }];
  const stock = { item: name, quantity: 123456.789, unit: 'u'.repeat(16), precision: 3 };
  const locations = Array.from({ length: 9 }, (_, at) => ({ location: `${name.slice(1)}${at}`, quantity: 1234.5 }));
  const change = { ...movement, item: name, location: name, user, seq: 1234567, undoes: 123456, kind: 'undo' };
  const record = { id: 1234567, at: time, event: 'refresh-token-reused', user, subject: name, source, count: 12 };
  const results: Readonly<Record<string, Record<string, unknown>>> = {
    audit: { records: [{ ...record, detail: 'd'.repeat(60) }] },
    history: { movements: [change] },
    'location.list': { locations },
    'server.status': {
      ...{ version: '0.1.0', authMode: 'either', startedAt: time, time, node: '24.0.0', connections: 1, warnings: [] },
      certificates: [{ file: 'server-ca.pem', subject: 's'.repeat(90), notAfter: time, daysLeft: 3650 }],
    },
    'session.list': { sessions: [{ id, user, ...created, ...ended, source, current: true }] },
    'token.list': { tokens: [{ id, name, user, role: 'manager', ...created, ...ended }] },
    'user.list': { users: [{ user, role: 'manager', state: 'disabled', createdAt: time, locations: [name, name] }] },
    view: { items: [{ ...stock, locations }] },
  };

  const all: readonly Command[] = commands;

  test('and none is left out here', () => {
    const lists = all.filter(({ shell, name }) => shell && (/\.list$/.test(name) || name in results));
    expect(lists.map(({ name }) => name).sort()).toEqual(Object.keys(results).sort());
  });

  test.each(all.filter(({ name }) => name in results))('$name', ({ name, shell }) => {
    for (const at of [null, now]) {
      // The table stands between sentences, which the terminal may break.
      const lines = shell?.render(results[name] ?? {}, screen(80, at)).split('\n') ?? [];
      const table = lines.filter((line) => !/^(secure-inv|Up since) /.test(line));
      expect(longest(table.join('\n'))).toBeLessThanOrEqual(80);
      expect(table.join('\n')).not.toContain('undefined');
    }
  });
});

test('a server may send more rows than a call takes arguments, and times that are none', () => {
  const rows = Array.from({ length: 200_000 }, () => ['x']);
  expect(renderTable([{ heading: 'LOCATION' }], rows, screen(80))).toHaveLength('LOCATION'.length + 2 * rows.length);
  const movements = [{ ...movement, at: 'garbage' }];
  expect(history.shell?.render({ movements }, screen(200, Date.now()))).toContain('garbage');
});

test('a number inside a text is shown whole or not at all', () => {
  const where = 'main 1999999999.5, attic 3';
  for (let columns = 8; columns <= where.length; columns++) {
    const [, cell = ''] = renderTable([{ heading: 'WHERE' }], [[where]], screen(columns)).split('\n');
    for (const number of cell.match(/\d[\d.]*/g) ?? []) expect(['1999999999.5', '3']).toContain(number);
  }
});

test('what comes from this machine moves no cursor either', () => {
  expect(renderTable([{ heading: 'CONTEXT' }], [['inv\u001b]0;owned']], screen(80))).toContain('inv\\u{1b}]0;owned');
});

test('a terminal that does not tell its width is taken for one of 80 columns', () => {
  expect(columnsOf({ isTTY: true, columns: 0 })).toBe(80);
  expect(columnsOf({ isTTY: true, columns: 132 })).toBe(132);
  expect(columnsOf({ isTTY: false, columns: 0 })).toBe(Number.POSITIVE_INFINITY);
});
