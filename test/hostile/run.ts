import { existsSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { median } from '../../scripts/bench/measurement.ts';
import { programs } from '../../scripts/bench/secure-inv-peer.ts';
import { quantile } from '../load/latency.ts';
import { LoadedServer } from '../load/loaded-server.ts';
import { measureIdle } from './idle.ts';
import { measureRound, type Round, type Scenario, slowdown } from './scenario.ts';
import { scenarios } from './scenarios.ts';

const help = `Serves honest clients while others do their worst, in turn with quiet, and tells what that cost the honest.

  npm run test:hostile
  npm run test:hostile -- --only floods --rounds 5

Options:
  --rounds N     how often each is measured; medians count (default 3)
  --seconds N    how long the honest work in each round, in quiet and in each attack (default 5)
  --only NAME    only what has this in its name ("idle" is one)
  --help         this text

The status is 1 when an honest request failed, memory grew beyond its bound, or a bar was missed. Times are those of the
honest: p50/p99 in ms, of an add, and of coming anew. The honest share the machine with the attackers.
`;

/** Without a build, its source is run, which occupies more: the compiler of Node.js is there, too. */
const program = existsSync(programs.server) ? programs.server : undefined;
const honestNames = ['ann', 'ben', 'cid', 'dot'];

function whole(name: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--${name} is a whole number from 1 to 9999 (got ${text}).`);
  return Number(text);
}

function parseOptions() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  return { ...values, rounds: whole('rounds', values.rounds), seconds: whole('seconds', values.seconds) };
}

function times(values: (round: Round) => readonly number[], rounds: readonly Round[]): string {
  const of = (share: number) => median(rounds.map((round) => quantile(values(round), share))).toFixed(1);
  return `${of(0.5)}/${of(0.99)}`;
}

const columns = [36, 11, 11, 7, 13, 13, 12, 14, 10];

function formatRow(cells: readonly string[]): string {
  return cells.map((cell, at) => (at === 0 ? cell.padEnd(columns[at] ?? 0) : cell.padStart(columns[at] ?? 0))).join('');
}

/** A row of the table, and what of it is not as it should be. */
function judge({ name, growthMebibytesMax, slowerMax }: Scenario, rounds: readonly Round[]) {
  const slower = median(rounds.map(slowdown));
  const growth = Math.max(...rounds.map(({ before = 0, most = 0 }) => most - before));
  const complaints = rounds.flatMap(({ quiet, hostile }) => [...quiet.complaints, ...hostile.complaints]);
  const problems = [
    ...complaints.slice(0, 3),
    ...(growth > growthMebibytesMax ? [`memory grew by ${growth.toFixed(0)} MiB`] : []),
    ...(slowerMax !== undefined && slower > slowerMax ? [`p99 of add is beyond ${slowerMax} × quiet`] : []),
  ];
  const row = formatRow([
    name,
    times(({ quiet }) => quiet.adds, rounds),
    times(({ hostile }) => hostile.adds, rounds),
    `${slower.toFixed(1)} ×`,
    times(({ quiet }) => quiet.arrivals, rounds),
    times(({ hostile }) => hostile.arrivals, rounds),
    `${median(rounds.map(({ done }) => done)).toFixed(0)}/s`,
    `${median(rounds.map(({ before = Number.NaN }) => before)).toFixed(0)} → ${median(rounds.map(({ most = Number.NaN }) => most)).toFixed(0)}`,
    problems.length === 0 ? 'well' : 'NOT WELL',
  ]);
  return { row, problems: problems.map((problem) => `  ${name}: ${problem}`) };
}

async function measure(scenario: Scenario, rounds: number, seconds: number) {
  const server = await LoadedServer.open({ onLog: () => undefined, program });
  try {
    const [hostile, ...honest] = await server.populate(['mallory', ...honestNames]);
    if (!hostile) throw new Error('There is nobody hostile.');
    const cast = { honest, hostile };
    await measureRound(server, scenario, cast, 1); // Warms up.
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round++) measured.push(await measureRound(server, scenario, cast, seconds));
    return judge(scenario, measured);
  } finally {
    await server.close();
  }
}

async function main(): Promise<number> {
  const { rounds, seconds, only, help: isHelpWanted } = parseOptions();
  if (isHelpWanted) {
    process.stdout.write(help);
    return 0;
  }
  const chosen = scenarios.filter(({ name }) => name.includes(only));
  const isIdleChosen = 'idle connections'.includes(only);
  if (chosen.length === 0 && !isIdleChosen) throw new Error(`There is nothing with "${only}" in its name.`);
  const heading = ['', 'ADD, QUIET', 'HOSTILE', '', 'NEW, QUIET', 'HOSTILE', 'ATTACK', 'MEMORY (MiB)', ''];
  process.stdout.write(`${formatRow(heading)}\n`);
  const problems: string[] = [];
  for (const scenario of chosen) {
    const judged = await measure(scenario, rounds, seconds);
    problems.push(...judged.problems);
    process.stdout.write(`${judged.row}\n`);
  }
  if (isIdleChosen) {
    const idle = await measureIdle(program);
    problems.push(...idle.problems);
    process.stdout.write(`${idle.text}\n`);
  }
  const load = loadavg().map((one) => one.toFixed(1));
  process.stdout.write(
    `Node.js ${process.versions.node}, ${program ? 'compiled' : 'from source'}, load ${load.join(' ')}.\n${problems.join('\n')}\n`,
  );
  return problems.length === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
process.exitCode = await main();
