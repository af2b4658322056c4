import { randomInt } from 'node:crypto';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median } from '../../scripts/bench/measurement.ts';
import { random } from '../fault/random.ts';
import { quantile } from '../load/latency.ts';
import { LoadedServer } from '../load/loaded-server.ts';
import { enrollPerson } from '../load/person.ts';
import { measureIdle } from './idle.ts';
import { type Kind, measureRound, type Round, type Scenario, slowdown } from './scenario.ts';
import { scenarios } from './scenarios.ts';

const help = `Serves honest clients while others do their worst, in turn with quiet, and tells what that cost the honest.

  npm run test:hostile
  npm run test:hostile -- --only floods --rounds 5

Options:
  --rounds N     how often each is measured; medians count (default 3)
  --seconds N    how long the honest work in each round, in quiet and in each attack (default 5)
  --seed S       of the pauses that the honest make (default: another one each time)
  --only NAME    only what has this in its name ("idle" is one)
  --help         this text

The status is 1 when an honest request failed, memory grew beyond its bound, a bar was missed, or the attackers did less than
they were to. Times are those of the honest: p50/p99 in ms, of an add, of a view, and of coming anew with a token, in quiet,
in the attack, and the ratio of p99. The honest share the machine with the attackers.
`;

/** What of an attack lingers may not be taken for quiet. */
const calmSeconds = 2;
/** So many that each has fewer than 1,000 of 2,000 connections. */
const hostileNames = ['mallory', 'morgan', 'mercer'];
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
      seed: { type: 'string', default: String(1 + randomInt(9999)) },
      only: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'rounds' | 'seconds' | 'seed') => whole(name, values[name]);
  return { ...values, rounds: number('rounds'), seconds: number('seconds'), seed: number('seed') };
}

function times(of: 'quiet' | 'hostile', kind: Kind, rounds: readonly Round[]): string {
  const at = (share: number) => median(rounds.map((round) => quantile(round[of][kind], share))).toFixed(1);
  return `${at(0.5)}/${at(0.99)}`;
}

const columns = [38, 11, 12, 8, 12, 12, 8, 12, 12, 8, 12, 10];
const kinds = { adds: 'ADD', views: 'VIEW', arrivals: 'NEW' } as const satisfies Readonly<Record<Kind, string>>;
const kindNames = ['adds', 'views', 'arrivals'] as const satisfies readonly Kind[];

function formatRow(cells: readonly string[]): string {
  return cells
    .map((cell, at) => (at === 0 ? cell.padEnd(columns[at] ?? 0) : cell.padStart(columns[at] ?? 0)))
    .join(' ');
}

/** What the attackers did, and how often somebody logged in by password beside it. */
function describe(rounds: readonly Round[]): string {
  const of = (value: (round: Round) => number) => Math.round(median(rounds.map(value))).toLocaleString('en');
  const cut = of(({ tally }) => tally.reached - tally.connections);
  const logins = (['quiet', 'hostile'] as const).map((when) => {
    const took = rounds.flatMap((round) => round[when].logins);
    return `${quantile(took, 0.5).toFixed(0)}/${quantile(took, 0.99).toFixed(0)} (${took.length})`;
  });
  return [
    `  ${of(({ tally }) => tally.dialed)} sockets dialed (${of((round) => round.dialedPerSecond)}/s)`,
    `${of(({ tally }) => tally.reached)} reached the server, ${of(({ tally }) => tally.most)} at once, ${cut} cut`,
    `${of(({ donePerSecond }) => donePerSecond)}/s answered; logins by password ${logins.join(' → ')}`,
  ].join('; ');
}

/** What the attackers did not do, so that whatever the honest saw shows nothing. */
function shortcomings({ atLeast = {} }: Scenario, rounds: readonly Round[]): readonly string[] {
  const made = {
    reached: Math.min(...rounds.map(({ tally }) => tally.reached)),
    most: Math.min(...rounds.map(({ tally }) => tally.most)),
    dialedPerSecond: Math.min(...rounds.map(({ dialedPerSecond }) => dialedPerSecond)),
  };
  return (['reached', 'most', 'dialedPerSecond'] as const).flatMap((what) => {
    const [least = 0, done] = [atLeast[what], made[what]];
    return done < least ? [`the attackers made ${done.toFixed(0)} (${what}), which is less than ${least}`] : [];
  });
}

/** Rows of the table, and what of it is not as it should be. */
function judge(scenario: Scenario, rounds: readonly Round[]) {
  const { name, growthMebibytesMax, slowerMax = {} } = scenario;
  const growth = Math.max(...rounds.map(({ before = 0, most = 0 }) => most - before));
  const complaints = rounds.flatMap(({ quiet, hostile }) => [...quiet.complaints, ...hostile.complaints]);
  const slower = (kind: Kind) => median(rounds.map((round) => slowdown(round, kind)));
  const tooSlow = kindNames.flatMap((kind) => {
    const max = slowerMax[kind];
    return max !== undefined && !(slower(kind) <= max) ? [`p99 of ${kind} is beyond ${max} × quiet`] : [];
  });
  const problems = [
    ...complaints.slice(0, 3),
    ...(growth > growthMebibytesMax ? [`memory grew by ${growth.toFixed(0)} MiB`] : []),
    ...tooSlow,
    ...shortcomings(scenario, rounds),
  ];
  const memory = ({ before = Number.NaN, most = Number.NaN }: Round) => [before, most] as const;
  const row = formatRow([
    name,
    ...kindNames.flatMap((kind) => [
      times('quiet', kind, rounds),
      times('hostile', kind, rounds),
      `${slower(kind).toFixed(1)} ×`,
    ]),
    ([0, 1] as const).map((at) => median(rounds.map((round) => memory(round)[at])).toFixed(0)).join(' → '),
    problems.length === 0 ? 'well' : 'NOT WELL',
  ]);
  return { row: `${row}\n${describe(rounds)}`, problems: problems.map((problem) => `  ${name}: ${problem}`) };
}

async function measure(scenario: Scenario, { rounds, seconds, seed }: ReturnType<typeof parseOptions>) {
  const server = await LoadedServer.open({ onLog: () => undefined });
  try {
    const [hostile, ...accomplices] = await server.populate(hostileNames, 'manager');
    const members = await server.populate(honestNames, 'manager');
    if (!hostile) throw new Error('There is nobody hostile.');
    const honest = { members, person: await enrollPerson(server, 'eve'), chance: random(seed) };
    const cast = { honest, hostile, accomplices };
    await measureRound(server, scenario, cast, 1); // Warms up.
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      await sleep(calmSeconds * 1000);
      measured.push(await measureRound(server, scenario, cast, seconds));
    }
    return judge(scenario, measured);
  } finally {
    await server.close();
  }
}

async function main(): Promise<number> {
  const options = parseOptions();
  const { only, seed, help: isHelpWanted } = options;
  if (isHelpWanted) {
    process.stdout.write(help);
    return 0;
  }
  const chosen = scenarios.filter(({ name }) => name.includes(only));
  const isIdleChosen = 'idle connections'.includes(only);
  if (chosen.length === 0 && !isIdleChosen) throw new Error(`There is nothing with "${only}" in its name.`);
  const heading = ['', ...kindNames.flatMap((kind) => [`${kinds[kind]}, QUIET`, 'HOSTILE', '']), 'MIB', ''];
  process.stdout.write(`${formatRow(heading)}\n`);
  const problems: string[] = [];
  for (const scenario of chosen) {
    const judged = await measure(scenario, options);
    problems.push(...judged.problems);
    process.stdout.write(`${judged.row}\n`);
  }
  if (isIdleChosen) {
    const idle = await measureIdle();
    problems.push(...idle.problems);
    process.stdout.write(`${idle.text}\n`);
  }
  const load = loadavg().map((one) => one.toFixed(1));
  process.stdout.write(
    `Node.js ${process.versions.node}, load ${load.join(' ')}, seed ${seed}.\n${problems.join('\n')}\n`,
  );
  return problems.length === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
process.exitCode = await main();
