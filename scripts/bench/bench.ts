import { existsSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { measureAdd } from './add.ts';
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
  --help         this text

Ratios are ours to the peer's. For adds a higher one is better, for view a lower one.
`;

interface Order {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: string | undefined;
}

function parseOrder(): Order | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { rounds: text, seconds: text, only: text, help: { type: 'boolean' } },
  });
  if (values.help) return undefined;
  const { only } = values;
  if (only !== undefined && only !== 'add' && only !== 'view') throw new Error(`--only is add or view (got ${only}).`);
  return { rounds: positive('rounds', values.rounds, 5), seconds: positive('seconds', values.seconds, 3), only };
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
  if (order.only !== 'view') rows.push(...(await measureAdd(workspace, certs, order, progress)));
  if (order.only !== 'add') rows.push(...(await measureView(workspace, certs, order, progress)));
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
