/** How much there was after a movement. */
export interface Level {
  /** RFC 3339. */
  readonly at: string;
  readonly level: number;
}

/** Where a chart is drawn. */
export interface ChartScreen {
  readonly columns: number;
  readonly rows: number;
  /** Whether the terminal knows characters other than ASCII. */
  readonly isUnicode: boolean;
  readonly paint: (text: string) => string;
}

const chartColumnsMin = 10;
const eighths = ' ▁▂▃▄▅▆▇█';
const asciiEighths = '    .:###';

/**
 * A level over time, oldest on the left: each column is its level at the end of a stretch of time, and one that had less than
 * a level before the first movement begins there. Lines without a final newline. There is at least one level.
 */
export function renderChart(levels: readonly Level[], screen: ChartScreen): string {
  const most = Math.max(...levels.map(({ level }) => level));
  const labels = [`${most}`, '0'];
  const labelColumns = Math.max(...labels.map((label) => label.length));
  const columns = Math.max(chartColumnsMin, screen.columns - labelColumns - 2);
  const heights = sample(levels, columns).map((level) => (most > 0 ? (level / most) * screen.rows : 0));
  const [axis, floor, corner] = screen.isUnicode ? ['│', '─', '└'] : ['|', '-', '+'];
  const lines = Array.from({ length: screen.rows }, (_, line) => {
    const below = screen.rows - line - 1;
    const bars = heights.map((height) => block(height - below, below === 0 && height > 0, screen.isUnicode)).join('');
    return `${(line === 0 ? `${most}` : '').padStart(labelColumns)} ${axis}${screen.paint(bars.trimEnd())}`;
  });
  const from = minute(levels[0]?.at);
  const to = minute(levels.at(-1)?.at);
  const dates = columns > from.length + to.length ? from + to.padStart(columns - from.length) : to;
  return [
    ...lines,
    `${'0'.padStart(labelColumns)} ${corner}${floor.repeat(columns)}`,
    `${' '.repeat(labelColumns + 2)}${dates}`,
  ].join('\n');
}

/** One character of a bar of which so much (0 to 1) stands in it. What there is any of is seen. */
function block(filled: number, isSeen: boolean, isUnicode: boolean): string {
  const least = isSeen ? 1 : 0;
  const eighth = Math.max(least, Math.min(8, Math.round(filled * 8)));
  const character = (isUnicode ? eighths : asciiEighths)[eighth] ?? ' ';
  return isSeen && character === ' ' ? '.' : character;
}

/** The level at the end of each of so many stretches of the time between the first and the last. */
function sample(levels: readonly Level[], columns: number): number[] {
  const times = levels.map(({ at }) => Date.parse(at));
  const first = times[0] ?? 0;
  const span = (times.at(-1) ?? 0) - first;
  let next = 0;
  let level = levels[0]?.level ?? 0;
  return Array.from({ length: columns }, (_, column) => {
    // The last stretch ends with the last movement, whatever rounding does.
    const end = column === columns - 1 ? Number.POSITIVE_INFINITY : first + (span * (column + 1)) / columns;
    for (; next < levels.length && (times[next] ?? 0) <= end; next++) level = levels[next]?.level ?? level;
    return level;
  });
}

function minute(time = ''): string {
  return time.slice(0, 16).replace('T', ' ');
}
