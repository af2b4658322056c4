import { eastAsianWidth } from 'get-east-asian-width';
import { printable } from '../model/printable.ts';
import type { Screen } from './command.ts';

/** One column: its heading, its cells' side, and what becomes of it where a terminal is narrow. */
export interface Column {
  readonly heading: string;
  readonly right?: boolean;
  /** Never shortened, because people copy it. Numbers, on the right, never are either: a part of one is another. */
  readonly whole?: boolean;
  /** May be left out, the lowest first. */
  readonly leave?: number;
}

/** Says that the columns of these headings may be left out, in this order. */
export function leftOut(heading: string, ...inOrder: readonly string[]): Pick<Column, 'leave'> {
  const at = inOrder.indexOf(heading);
  return at === -1 ? {} : { leave: at + 1 };
}

/** Below this a text says nothing any more. */
const cellColumnsMin = 8;
const gap = '  ';

/**
 * A table for people, aligned by what the terminal shows. Where it is too wide texts are shortened, the longest first, then
 * columns left out, which is said below. What is still too wide the terminal breaks: a number that is cut is another number.
 */
export function renderTable(columns: readonly Column[], given: readonly (readonly string[])[], screen: Screen): string {
  // Names of files and contexts come from this machine, and no server has made them harmless.
  const rows = given.map((row) => row.map(printable));
  const natural = columns.map(({ heading }, at) =>
    rows.reduce((widest, row) => Math.max(widest, widthOf(row[at] ?? '')), widthOf(heading)),
  );
  const { widths, left } = fitInto(columns, natural, rows, screen.columns);
  const line = (cells: readonly string[]) => {
    const padded = columns.flatMap(({ right }, at) => {
      const width = widths[at];
      if (width === undefined) return [];
      const cell = width === natural[at] ? (cells[at] ?? '') : cut(cells[at] ?? '', width);
      const padding = ' '.repeat(width - widthOf(cell));
      return right ? padding + cell : cell + padding;
    });
    return padded.join(gap).trimEnd();
  };
  const missing = left.length === 0 ? [] : [screen.dim(cut(`Too narrow for: ${left.join(', ')}`, screen.columns))];
  return [screen.bold(line(columns.map(({ heading }) => heading))), ...rows.map(line), ...missing].join('\n');
}

/** The width of each column, undefined for one that is left out, and the headings of those. */
function fitInto(
  columns: readonly Column[],
  natural: readonly number[],
  rows: readonly (readonly string[])[],
  room: number,
): { readonly widths: readonly (number | undefined)[]; readonly left: readonly string[] } {
  const left: string[] = [];
  let shown: readonly (number | undefined)[] = natural;
  for (;;) {
    const widths = shorten(columns, shown, room);
    if (total(widths) <= room) return { widths, left };
    const next = nextToLeave(columns, shown, rows);
    if (next === undefined) return { widths, left };
    // Of one in which nothing stands nobody needs to be told.
    if (rows.some((row) => row[next])) left.push(columns[next]?.heading ?? '');
    shown = shown.map((width, at) => (at === next ? undefined : width));
  }
}

function total(widths: readonly (number | undefined)[]): number {
  const shown = widths.filter((width) => width !== undefined);
  return shown.reduce((sum, width) => sum + width, gap.length * (shown.length - 1));
}

function shorten(
  columns: readonly Column[],
  natural: readonly (number | undefined)[],
  room: number,
): readonly (number | undefined)[] {
  const widths = [...natural];
  for (let excess = total(widths) - room; excess > 0; excess--) {
    let longest: number | undefined;
    for (const [at, { heading, right, whole }] of columns.entries()) {
      const width = widths[at] ?? 0;
      if (right || whole || width <= Math.max(cellColumnsMin, widthOf(heading))) continue;
      if (longest === undefined || width > (widths[longest] ?? 0)) longest = at;
    }
    if (longest === undefined) break;
    widths[longest] = (widths[longest] ?? 0) - 1;
  }
  return widths;
}

/** First one without any content, then by `leave`. */
function nextToLeave(
  columns: readonly Column[],
  shown: readonly (number | undefined)[],
  rows: readonly (readonly string[])[],
): number | undefined {
  const rank = (at: number) => (rows.some((row) => row[at]) ? columns[at]?.leave : 0) ?? Number.POSITIVE_INFINITY;
  let next: number | undefined;
  for (const at of columns.keys()) {
    if (shown[at] === undefined || rank(at) === Number.POSITIVE_INFINITY) continue;
    if (next === undefined || rank(at) < rank(next)) next = at;
  }
  return next;
}

/** A time for a table: on a terminal how long ago (or ahead) it is, elsewhere to the minute, in UTC. */
export function formatMinute(time: string, { now }: Pick<Screen, 'now'>): string {
  return formatPast(time, 16, now);
}

/** The same to the second. */
export function formatSecond(time: string, { now }: Pick<Screen, 'now'>): string {
  return formatPast(time, 19, now);
}

/** What is no time is shown as it came: a server may send anything. */
function formatPast(time: string, characters: number, now: number | null): string {
  const at = Date.parse(time);
  return now === null || Number.isNaN(at) ? time.slice(0, characters).replace('T', ' ') : formatAgo(at, now);
}

const agoUnits = [
  { seconds: 60, name: 'min', until: 3600 },
  { seconds: 3600, name: 'h', until: 86_400 },
  { seconds: 86_400, name: 'd', until: 14 * 86_400 },
] as const;

/** `3 min ago` or `in 2 d`; the date of what is more than two weeks away. Clocks differ: less than a minute is now. */
export function formatAgo(time: number, now: number): string {
  const seconds = Math.abs(now - time) / 1000;
  if (Number.isNaN(seconds)) return 'at no time'; // A server of another kind may say anything.
  if (seconds < 60) return 'just now';
  const unit = agoUnits.find(({ until }) => seconds < until);
  if (!unit) return Math.abs(time) > 8.64e15 ? 'at no time' : new Date(time).toISOString().slice(0, 10);
  const count = `${Math.floor(seconds / unit.seconds)} ${unit.name}`;
  return time < now ? `${count} ago` : `in ${count}`;
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

/** A number that stands by itself, such as in `main 12, attic 3`, is kept whole or not at all. */
function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let kept = '';
  for (const character of text) {
    if (widthOf(kept + character) > columns - 1) break;
    kept += character;
  }
  if (columns < 1) return '';
  const isInNumber = /[\d.]$/.test(kept) && /^[\d.]/.test(text.slice(kept.length));
  return `${isInNumber ? kept.replace(/(^|\s)[+-]?[\d.]+$/, '') : kept}…`;
}
