import { existsSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { measureAdd } from './add.ts';
import { measureGrowth } from './growth.ts';
import { measureImport } from './import.ts';
import { formatTable, openProgress, type Row } from './measurement.ts';
import { programs } from './secure-inv-peer.ts';
import { measureView } from './view.ts';
import { Workspace } from './workspace.ts';

const help = `Measures the compiled programs against their peers, both in turn, and prints one table.

  npm run bench
  npm run bench -- --only add --rounds 7 --seconds 5

Options:
  --rounds N     how often each is measured; the median counts (default 5; whole processes: at least 15)
  --seconds N    how long a round of adds lasts (default 3)
  --only WHAT    add: durable adds over TLS, against Redis if redis-server is installed
                 view: secure-inv view as a whole process, against a bare script
                 import: how long adds of others take while 100,000 rows come in, against quiet
                 growth: a store of 1,000,000 items and 5,000,000 movements, against one of 1,000 and 5,000;
                 only if it is asked for: it takes some minutes and 6 GB in the folder for temporary files
  --made FOLDER  growth: the large store, as make-store has made it, instead of a new one; it is copied
  --help         this text

Ratios are ours to the peer's, or the large store's to the small one's. For adds a higher one is better, for the rest a
lower one.
`;

interface Order {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: string | undefined;
  readonly made: string | undefined;
}

const parts = ['add', 'view', 'import', 'growth'];

function parseOrder(): Order | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { rounds: text, seconds: text, only: text, made: text, help: { type: 'boolean' } },
  });
  if (values.help) return undefined;
  const { only, made } = values;
  if (only !== undefined && !parts.includes(only)) throw new Error(`--only is ${parts.join(' or ')} (got ${only}).`);
  const rounds = positive('rounds', values.rounds, 5);
  return { rounds, seconds: positive('seconds', values.seconds, 3), only, made: made && resolve(made) };
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--${name} is a whole number from 1 to 9999 (got ${text}).`);
  return Number(text);
}

async function measure(workspace: Workspace, order: Order): Promise<void> {
  const progress = openProgress();
  const certs = join(workspace.folder, 'certs');
  await makeServerCertificates(certs, { hosts: [] });
  const rows: Row[] = [];
  const { only = 'add, view and import' } = order;
  if (only.includes('add')) rows.push(...(await measureAdd(workspace, certs, order, progress)));
  if (only.includes('view')) rows.push(...(await measureView(workspace, certs, order, progress)));
  if (only.includes('import')) rows.push(...(await measureImport(workspace, certs, order, progress)));
  if (only === 'growth') rows.push(...(await measureGrowth(workspace, certs, order, progress)));
  progress.say(`Node.js ${process.versions.node}, ${availableParallelism()} cores.`);
  process.stdout.write(formatTable(rows));
}

async function run(order: Order): Promise<void> {
  if (!existsSync(programs.server)) throw new Error(`${programs.server} is missing. Run: npm run prepare`);
  const workspace = await Workspace.open();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      void workspace.close().finally(() => process.exit(128 + constants.signals[signal]));
    });
  }
  try {
    await measure(workspace, order);
  } catch (error) {
    // What breaks because everything is being stopped is no news.
    if (!workspace.isClosing) throw error;
  } finally {
    await workspace.close();
  }
}

try {
  const order = parseOrder();
  if (order) await run(order);
  else process.stdout.write(help);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
