import { expect, test } from 'vitest';
import { renderChart } from '../../src/client/shell/chart.ts';

const plain = (text: string) => text;
const screen = { columns: 43, rows: 4, isUnicode: true, paint: plain };
const at = (minute: number) => new Date(Date.UTC(2026, 4, 3, 14, minute)).toISOString();

test('a chart shows the level over time, the greatest at the top', () => {
  const levels = [
    { at: at(0), level: 8 },
    { at: at(20), level: 4 },
    { at: at(40), level: 2 },
  ];
  expect(renderChart(levels, screen).split('\n')).toEqual([
    `8 │${'█'.repeat(19)}`,
    `  │${'█'.repeat(19)}`,
    `  │${'█'.repeat(39)}`,
    `0 │${'█'.repeat(40)}`.replace('0 │', '  │'),
    `0 └${'─'.repeat(40)}`,
    `   2026-05-03 14:00${' '.repeat(4)}2026-05-03 14:40 UTC`,
  ]);
});

test('no peak and no gap between two columns is lost', () => {
  const levels = [
    { at: at(0), level: 2 },
    // Within one column each: up and down again, down and up again.
    { at: new Date(Date.parse(at(10)) + 1000).toISOString(), level: 8 },
    { at: new Date(Date.parse(at(10)) + 2000).toISOString(), level: 2 },
    { at: new Date(Date.parse(at(20)) + 1000).toISOString(), level: 0 },
    { at: new Date(Date.parse(at(20)) + 2000).toISOString(), level: 2 },
    { at: at(40), level: 4 },
  ];
  const solid = '█'.repeat(10);
  expect(renderChart(levels, screen).split('\n')).toEqual([
    `8 │${' '.repeat(10)}░`,
    `  │${' '.repeat(10)}░`,
    `  │${' '.repeat(10)}░${' '.repeat(28)}█`,
    `  │${solid}█${'█'.repeat(9)}░${'█'.repeat(19)}`,
    `0 └${'─'.repeat(40)}`,
    `   2026-05-03 14:00${' '.repeat(4)}2026-05-03 14:40 UTC`,
    '   ░ least to most',
  ]);
  expect(renderChart(levels, { ...screen, isUnicode: false }).split('\n')[0]).toBe(`8 |${' '.repeat(10)}|`);
});

test('where there is no UTF-8 it is plain ASCII, and nothing is wider than the terminal', () => {
  const levels = Array.from({ length: 300 }, (_, minute) => ({ at: at(minute), level: (minute * 37) % 101 }));
  for (const columns of [12, 30, 80, 200]) {
    for (const isUnicode of [true, false]) {
      const text = renderChart(levels, { ...screen, columns, isUnicode });
      if (!isUnicode) expect(text).toMatch(/^[ -~\n]*$/);
      if (columns > 20) expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns);
    }
  }
});

test('what there is little of is still seen, what there is none of is not', () => {
  const chart = (level: number) =>
    renderChart(
      [
        { at: at(0), level: 1_000_000 },
        { at: at(30), level },
        { at: at(60), level },
      ],
      screen,
    ).split('\n')[3];
  expect(chart(1)).toMatch(/█▁+$/);
  expect(chart(0)).toMatch(/█$/);
  expect(renderChart([{ at: at(0), level: 0 }], screen)).toContain('0 └');
});
