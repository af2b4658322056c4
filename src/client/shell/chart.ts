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
/** From the least to the most of a stretch. */
const range = '░';
const asciiRange = '|';
const rangeMeaning = 'least to most';

/**
 * A level over time, oldest on the left: each column is a stretch of time, solid up to the least that its movements left, and
 * light from there to the most, so that no peak and no gap is lost; without movements it is as before. Times are UTC. Lines
 * without a final newline. There is at least one level.
 */
export function renderChart(levels: readonly Level[], screen: ChartScreen): string {
  const most = Math.max(...levels.map(({ level }) => level));
  const labels = [`${most}`, '0'];
  const labelColumns = Math.max(...labels.map((label) => label.length));
  const columns = Math.max(chartColumnsMin, screen.columns - labelColumns - 2);
  const height = (level: number) => (most > 0 ? (level / most) * screen.rows : 0);
  const bars = stretchesOf(levels, columns).map(({ least, most }) => ({ solid: height(least), top: height(most) }));
  const [axis, floor, corner, light] = screen.isUnicode ? ['│', '─', '└', range] : ['|', '-', '+', asciiRange];
  const lines = Array.from({ length: screen.rows }, (_, line) => {
    const below = screen.rows - line - 1;
    const cells = bars.map(({ solid, top }) => {
      const cell = block(solid - below, below === 0 && solid > 0, screen.isUnicode);
      const isRange = block(top - below, below === 0 && top > 0, screen.isUnicode) !== ' ';
      return cell === ' ' && isRange ? light : cell;
    });
    return `${(line === 0 ? `${most}` : '').padStart(labelColumns)} ${axis}${screen.paint(cells.join('').trimEnd())}`;
  });
  const from = minute(levels[0]?.at);
  const to = `${minute(levels.at(-1)?.at)} UTC`;
  const dates = columns > from.length + to.length ? from + to.padStart(columns - from.length) : to;
  const legend = bars.some(({ solid, top }) => solid < top)
    ? [`${' '.repeat(labelColumns + 2)}${light} ${rangeMeaning}`]
    : [];
  return [
    ...lines,
    `${'0'.padStart(labelColumns)} ${corner}${floor.repeat(columns)}`,
    `${' '.repeat(labelColumns + 2)}${dates}`,
    ...legend,
  ].join('\n');
}

/** One character of a bar of which so much (0 to 1) stands in it. What there is any of is seen. */
function block(filled: number, isSeen: boolean, isUnicode: boolean): string {
  const least = isSeen ? 1 : 0;
  const eighth = Math.max(least, Math.min(8, Math.round(filled * 8)));
  const character = (isUnicode ? eighths : asciiEighths)[eighth] ?? ' ';
  return isSeen && character === ' ' ? '.' : character;
}

interface Stretch {
  readonly least: number;
  readonly most: number;
}

/** The time between the first and the last level in so many stretches. */
function stretchesOf(levels: readonly Level[], columns: number): readonly Stretch[] {
  const times = levels.map(({ at }) => Date.parse(at));
  const first = times[0] ?? 0;
  const span = (times.at(-1) ?? 0) - first;
  let next = 0;
  let level = levels[0]?.level ?? 0;
  return Array.from({ length: columns }, (_, column) => {
    // The last stretch ends with the last movement, whatever rounding does.
    const end = column === columns - 1 ? Number.POSITIVE_INFINITY : first + (span * (column + 1)) / columns;
    let stretch: Stretch | undefined;
    for (; next < levels.length && (times[next] ?? 0) <= end; next++) {
      level = levels[next]?.level ?? level;
      stretch = { least: Math.min(level, stretch?.least ?? level), most: Math.max(level, stretch?.most ?? level) };
    }
    return stretch ?? { least: level, most: level };
  });
}

function minute(time = ''): string {
  return time.slice(0, 16).replace('T', ' ');
}
