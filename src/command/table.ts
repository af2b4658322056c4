import { eastAsianWidth } from 'get-east-asian-width';
import type { Screen } from './command.ts';

/** One column: its heading, and its cells' side. */
export interface Column {
  readonly heading: string;
  readonly right?: boolean;
}

/** A table for people: aligned by what the terminal shows, wide last columns cut to its width. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], screen: Screen): string {
  const widths = columns.map(({ heading }, at) =>
    Math.max(widthOf(heading), ...rows.map((row) => widthOf(row[at] ?? ''))),
  );
  const line = (cells: readonly string[]) => {
    const padded = columns.map(({ right }, at) => {
      const cell = cells[at] ?? '';
      const gap = ' '.repeat(Math.max(0, (widths[at] ?? 0) - widthOf(cell)));
      return right ? gap + cell : cell + gap;
    });
    return cut(padded.join('  ').trimEnd(), screen.columns);
  };
  return [screen.bold(line(columns.map(({ heading }) => heading))), ...rows.map(line)].join('\n');
}

/** A time for a table: to the minute, in UTC. */
export function formatMinute(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}

/** What stands on the character before it: marks, and the skin of an emoji. */
const addition = /[\p{M}\p{Emoji_Modifier}]/u;

/**
 * The columns that a terminal gives to a text. Its characters can be added up, because names hold no controls, joiners
 * or selectors (model/name.ts); packages that know those, too, take as long to load as all the rest of this program.
 */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (!addition.test(character)) width += eastAsianWidth(character.codePointAt(0) ?? 0);
  }
  return width;
}

function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let kept = '';
  for (const character of text) {
    if (widthOf(kept + character) > columns - 1) break;
    kept += character;
  }
  return `${kept}…`;
}
