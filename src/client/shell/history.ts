import { history } from '../../command/history.ts';
import { view } from '../../command/view.ts';
import { Failure } from '../../model/failure.ts';
import { chartMovementsMax, pageRowsMax } from '../../model/limits.ts';
import type { ClientSession } from '../call.ts';
import { openScreen } from '../terminal.ts';
import { type Level, renderChart } from './chart.ts';
import { addRemote, run } from './remote.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell } from './shell.ts';

/** Off a terminal there is no width: that of an ordinary one. */
const defaultColumns = 80;
const chartRows = 10;

/** `history`, which can also draw how much there was of an item. */
export function addHistory(shell: Shell): void {
  addRemote(shell, history, async (params, { chart }) => {
    if (!chart) return run(shell, history, params);
    assertCanBeDrawn(params);
    await withSession(shell, (session) => draw(shell, session, params));
  })
    ?.option('--chart', `draw how much there was of the item, over its last ${chartMovementsMax} movements at most`)
    .addHelpText('after', examplesText(['secure-inv history Maggi --chart']).replace('\nExamples:\n', ''));
}

/** A level follows from all movements up to now. Failures: `bad-params` for a question that leaves some out. */
function assertCanBeDrawn(params: Readonly<Record<string, unknown>>): void {
  const other = Object.keys(params).find((name) => !['item', 'location', 'since'].includes(name));
  if (params['item'] !== undefined && other === undefined) return;
  throw new Failure('bad-params', '--chart draws one item, and goes with --at and --since only.', {
    hint: 'Try: secure-inv history Maggi --chart',
  });
}

interface Drawn {
  readonly item: string;
  readonly unit: string;
  readonly now: number;
  readonly levels: readonly (Level & { readonly seq: number })[];
  readonly movements: number;
  readonly isComplete: boolean;
}

async function draw(shell: Shell, session: ClientSession, params: Readonly<Record<string, unknown>>): Promise<void> {
  const { json, isUnicode = false } = shell.options();
  const { item, unit, now, levels, movements, isComplete } = await readLevels(session, params);
  if (json) {
    process.stdout.write(`${JSON.stringify({ item, unit, levels, complete: isComplete })}\n`);
    return;
  }
  if (levels.length === 0) {
    process.stdout.write(`${item}: ${now} ${unit} now; no movement that fits has changed it.\n`);
    return;
  }
  const { columns, dim } = openScreen();
  const width = Number.isFinite(columns) ? columns : defaultColumns;
  const count = movements === 1 ? '1 movement' : `${movements} movements`;
  const what = `${item}: ${now} ${unit} now; ${count}${isComplete ? '' : ', older ones left out'}.`;
  const chart = renderChart(levels, { columns: width, rows: chartRows, isUnicode, paint: dim });
  process.stdout.write(`${what}\n${chart}\n`);
}

/**
 * The item's level after each operation that moved it lately, oldest first: what there is now, less what came after. Between
 * the two legs of a move it never was less. What happens between the two questions is in neither.
 */
async function readLevels(session: ClientSession, params: Readonly<Record<string, unknown>>): Promise<Drawn> {
  const { item, location, since } = params;
  const { items, seq } = await session.call(view, { items: [item], ...(location === undefined ? {} : { location }) });
  const [stock] = items;
  const movements = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(pageRowsMax, chartMovementsMax);
    const page = await session.call(history, { ...params, limit, ...(cursor === undefined ? {} : { cursor }) });
    movements.push(...page.movements.filter((movement) => movement.seq <= seq && movement.delta !== 0));
    cursor = page.cursor;
  } while (cursor !== undefined && movements.length < chartMovementsMax);
  const drawn = movements.slice(0, chartMovementsMax);
  const now = stock?.quantity ?? 0;
  let level = Math.round(now * 1000); // In thousandths, because fractions do not add up.
  const levels = [];
  for (const [place, { seq, at, delta, operation }] of drawn.entries()) {
    // The latest movement of an operation comes first.
    if (operation !== drawn[place - 1]?.operation) levels.push({ seq, at, level: level / 1000 });
    level -= Math.round(delta * 1000);
  }
  const isComplete = cursor === undefined && drawn.length === movements.length && since === undefined;
  const shown = { item: stock?.item ?? String(item), unit: stock?.unit ?? '', now };
  return { ...shown, levels: levels.reverse(), movements: drawn.length, isComplete };
}
