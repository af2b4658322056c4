import stringWidth from 'string-width';
import type { Screen } from './command.ts';

/** One column: its heading, and its cells' side. */
export interface Column {
  readonly heading: string;
  readonly right?: boolean;
}

/** A table for people: aligned by what the terminal shows, wide last columns cut to its width. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], screen: Screen): string {
  const widths = columns.map(({ heading }, at) =>
    Math.max(stringWidth(heading), ...rows.map((row) => stringWidth(row[at] ?? ''))),
  );
  const line = (cells: readonly string[]) => {
    const padded = columns.map(({ right }, at) => {
      const cell = cells[at] ?? '';
      const gap = ' '.repeat(Math.max(0, (widths[at] ?? 0) - stringWidth(cell)));
      return right ? gap + cell : cell + gap;
    });
    return cut(padded.join('  ').trimEnd(), screen.columns);
  };
  return [screen.bold(line(columns.map(({ heading }) => heading))), ...rows.map(line)].join('\n');
}

function cut(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  let kept = '';
  for (const character of text) {
    if (stringWidth(kept + character) > columns - 1) break;
    kept += character;
  }
  return `${kept}…`;
}
