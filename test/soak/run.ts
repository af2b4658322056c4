import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { judgeGrowth } from './growth.ts';
import { drawSoak } from './picture.ts';
import { type Sample, soak } from './soak.ts';

const help = `Lets users work on a server for long, which is killed, reloaded, given new keys and certificates, and beset by slow peers.

  npm run test:soak
  npm run test:soak -- --minutes 30 --picture soak.svg

Options:
  --minutes M      how long (default 5); memory and descriptors are judged of the last two thirds, without kills
  --kills N        how often it is killed in the first third (default: once a minute of that, at least once)
  --picture FILE   an SVG of the times of changes, memory and descriptors (default: soak.svg in the temporary folder)
  --seed S         of what is changed, and of the pauses between (default: another one each time)
  --help           this text

The status is 1 when anything that was acknowledged is lost or there twice, anybody saw what never was, a watcher missed
something, an honest request was refused, or memory or descriptors grow.
`;

const samples = 120;
const headings = [
  'SECONDS',
  'CHANGES',
  'MEDIAN (ms)',
  'P99 (ms)',
  'MEMORY (MiB)',
  'HEAP (MiB)',
  'DESCRIPTORS',
  'CONNECTIONS',
];

function parseOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      kills: { type: 'string' },
      picture: { type: 'string', default: join(tmpdir(), 'soak.svg') },
      seed: { type: 'string', default: String(randomInt(1, 10_000)) },
      help: { type: 'boolean', default: false },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes is a positive number (got ${values.minutes}).`);
  const kills = values.kills === undefined ? Math.max(1, Math.round(minutes / 3)) : Number(values.kills);
  if (!Number.isSafeInteger(kills) || kills < 0) throw new Error(`--kills is a whole number (got ${values.kills}).`);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed is a whole number (got ${values.seed}).`);
  return { ...values, minutes, kills, seed };
}

function formatRow(cells: readonly (string | number | undefined)[]): string {
  return `${cells.map((cell) => String(cell ?? '').padStart(14)).join('')}\n`;
}

function rowOf({ at, changes, median, p99, resident, heap, descriptors, connections }: Sample): string {
  const [times, memory] = [[median, p99].map((one) => one.toFixed(1)), [resident?.toFixed(0), heap?.toFixed(1)]];
  return formatRow([at.toFixed(0), changes, ...times, ...memory, descriptors, connections]);
}

async function main(): Promise<number> {
  const { minutes, kills, seed, picture, help: isHelpWanted } = parseOptions();
  if (isHelpWanted) {
    process.stdout.write(help);
    return 0;
  }
  process.stdout.write(formatRow(headings));
  let taken = 0;
  const soaked = await soak({ seconds: minutes * 60, samples, kills, seed }, (sample) => {
    if (++taken % 6 === 0) process.stdout.write(rowOf(sample));
  });
  await writeFile(picture, drawSoak(soaked));
  const { settledAt } = soaked;
  const growth = judgeGrowth(
    soaked.samples.filter(({ at }) => at > settledAt),
    settledAt,
  );
  const problems = [...soaked.problems, ...growth.problems];
  const { acknowledged, repeated, refused, looks, watched, disturbed } = soaked;
  const load = loadavg().map((one) => one.toFixed(1));
  process.stdout.write(
    `${acknowledged} changes acknowledged, ${repeated} repeated, ${refused} refused by the stock, ${looks} looks judged, ` +
      `${watched} movements watched, ${disturbed.length} disturbances.\n` +
      `Node.js ${process.versions.node}, load ${load.join(' ')}. Seed ${seed}. Picture: ${picture}\n${[...growth.unjudged, ...problems].map((sentence) => `${sentence}\n`).join('')}`,
  );
  return problems.length === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
process.exitCode = await main();
