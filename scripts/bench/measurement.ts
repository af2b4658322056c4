/** A line of the table: what, by whom, how fast, processor time here and at the other end, the ratio. */
export type Row = readonly [what: string, who: string, speed: string, own: string, other: string, ratio: string];

const head: Row = ['', '', 'median', 'CPU each', 'generator', 'ratio'];

/** Where a run says what it is doing. */
export interface Progress {
  /** What is going on now; replaced by the next. */
  show(text: string): void;
  /** What stays to be read. */
  say(text: string): void;
}

/** Progress on standard error, shown only to a person. */
export function openProgress(): Progress {
  const isShown = process.stderr.isTTY;
  const clear = isShown ? '\r\x1b[K' : '';
  return {
    show: (text) => void (isShown && process.stderr.write(clear + text)),
    say: (text) => void process.stderr.write(`${clear}${text}\n`),
  };
}

/** The middle of the values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? upper)) / 2;
}

/** The table, numbers to the right. */
export function formatTable(rows: readonly Row[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: Row) =>
    row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ');
  return `${all.map((row) => line(row).trimEnd()).join('\n')}\n`;
}
