import { parseArgs } from 'node:util';
import { growthMebibytesMax, growthOf, type Occupied, ownMebibytes } from './growth.ts';
import { parserTargets } from './parser-targets.ts';
import { Coverage, certifiedTargets, serverTargets } from './server-targets.ts';
import type { Target } from './target.ts';

const help = `Throws inputs that others might send, or write into files, at every part that reads them, for as long as you like.

  npm run test:fuzz
  npm run test:fuzz -- --minutes 60
  npm run test:fuzz -- --target commands --seed 7

Options:
  --minutes M     how long in all (default 5), shared equally by the targets; one that seems to grow
                  goes on, up to 4 times as long
  --seed N        the seed of the first batch (default: the time); every later one has the next number
  --target NAME   only the targets whose name has this in it
  --coverage      how often each command was reached, and what came of it
  --help          this text

What is found is shown with the command that repeats it, and the status is 1.
`;

/** More than a server occupies that was fuzzed for an hour. */
const residentMebibytesMax = 700;

interface Figures {
  readonly name: string;
  readonly inputs: number;
  readonly seconds: number;
  readonly memory: readonly Occupied[];
  readonly found: string | undefined;
}

function parseOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      target: { type: 'string', default: '' },
      coverage: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes > 0)) throw new Error(`--minutes is a positive number (got ${values.minutes}).`);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed is a whole number (got ${values.seed}).`);
  return { ...values, minutes, seed };
}

/** How many times as long a target is looked at before what grows is said to. */
const longerTimes = 4;

async function fuzz({ name, open }: Target, firstSeed: number, seconds: number): Promise<Figures> {
  const target = await open();
  const since = performance.now();
  const memory: Occupied[] = [];
  let inputs = 0;
  let seed = firstSeed;
  let found: string | undefined;
  try {
    const isOver = (times: number) => performance.now() - since >= times * seconds * 1000;
    const grows = () => (growthOf(memory) ?? 0) > growthMebibytesMax;
    // What still warms up in the second third of a short run looks like growth, and is let go on: a leak does not end.
    for (; !isOver(1) || (grows() && !isOver(longerTimes)); seed = (seed + 1) | 0) {
      inputs += await target.run(seed);
      const mebibytes = target.server ? target.server.residentMebibytes() : ownMebibytes();
      if (mebibytes === undefined) continue;
      memory.push({ inputs, mebibytes });
      if (mebibytes > residentMebibytesMax) throw new Error(`${Math.round(mebibytes)} MiB are occupied.`);
    }
    const growth = growthOf(memory) ?? 0;
    if (growth > growthMebibytesMax) throw new Error(`It grows by ${growth.toFixed(1)} MiB for each 1,000 inputs.`);
  } catch (error) {
    found = `${error instanceof Error ? error.message : error}\nTo repeat it: npm run test:fuzz -- --target '${name}' --seed ${seed}`;
  }
  await target.close();
  return { name, inputs, seconds: (performance.now() - since) / 1000, memory, found };
}

function formatRow({ name, inputs, seconds, memory, found }: Figures): string {
  const growth = growthOf(memory);
  const occupied = [memory[0], memory.at(-1)].map((one) => (one ? Math.round(one.mebibytes) : '?')).join(' → ');
  const judged = growth === undefined ? 'not judged' : growth.toFixed(1);
  const cells = [
    String(inputs).padStart(10),
    (inputs / seconds).toFixed(0).padStart(10),
    seconds.toFixed(0).padStart(8),
  ];
  return `${name.padEnd(34)}${cells.join('')}  ${occupied.padEnd(14)}${judged.padEnd(14)}${found ? 'FOUND SOMETHING' : 'nothing'}`;
}

async function main(): Promise<number> {
  const { minutes, seed, target, coverage: isCoverageWanted, help: isHelpWanted } = parseOptions();
  if (isHelpWanted) {
    process.stdout.write(help);
    return 0;
  }
  const coverage = new Coverage();
  const certified = (['mutual', 'both'] as const).flatMap(certifiedTargets);
  const all = [...parserTargets, ...serverTargets(coverage), ...certified];
  const targets = all.filter(({ name }) => name.includes(target));
  if (targets.length === 0) throw new Error(`There is no target with "${target}" in its name.`);
  process.stdout.write(`Seed ${seed}, ${minutes} min for ${targets.length} targets.\n`);
  const shown: Figures[] = [];
  for (const one of targets) {
    const figures = await fuzz(one, seed, (minutes * 60) / targets.length);
    shown.push(figures);
    process.stdout.write(`${formatRow(figures)}\n`);
    if (figures.found !== undefined) process.stdout.write(`${figures.found}\n`);
  }
  if (isCoverageWanted) process.stdout.write(`\n${coverage.lines.join('\n')}\n`);
  const heading = `${'TARGET'.padEnd(34)}${'INPUTS'.padStart(10)}${'PER SECOND'.padStart(11)}${'SECONDS'.padStart(8)}`;
  process.stdout.write(`\n${heading}  MEMORY (MiB)  MiB PER 1,000 FOUND\n${shown.map(formatRow).join('\n')}\n`);
  return shown.some(({ found }) => found !== undefined) ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
process.exitCode = await main();
