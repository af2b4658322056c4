import { mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure } from '../src/model/failure.ts';
import { openProgress } from './bench/measurement.ts';
import { makeStore } from './made-store/make.ts';

const help = `Makes a store as large as you like, with users, locations, items and a ledger, to try the server on.

  npm run make-store -- FOLDER
  npm run make-store -- --items 1000 --movements 5000 FOLDER

Options:
  --items N       how many items (default 1000000)
  --movements N   how many movements, at least two for each item (default 5000000)
  --help          this text

A million items and five million movements take less than two minutes, 2.3 GB of disk and as much memory.
`;

const barCharacters = 30;

function parseOrder() {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    options: { items: text, movements: text, help: { type: 'boolean' } },
    allowPositionals: true,
  });
  if (values.help) return undefined;
  const [folder, ...more] = positionals;
  if (folder === undefined || more.length > 0) throw new Failure('bad-params', 'Name one folder for the store.');
  const items = count('items', values.items, 1_000_000);
  const movements = count('movements', values.movements, Math.max(5 * items, 2));
  if (movements < 2 * items) {
    throw new Failure('bad-params', `--movements is at least ${2 * items}, two for each item (got ${movements}).`);
  }
  return { folder: resolve(folder), items, movements };
}

function count(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,7}$/.test(text)) {
    throw new Failure('bad-params', `--${name} is a whole number from 1 to 99999999 (got ${text}).`);
  }
  return Number(text);
}

function formatBar(done: number, all: number, since: number): string {
  const full = Math.round((done / all) * barCharacters);
  const seconds = (performance.now() - since) / 1000;
  const left = Math.ceil((seconds / done) * (all - done));
  const bar = '#'.repeat(full).padEnd(barCharacters, '.');
  return `[${bar}] ${Math.floor((100 * done) / all)} %, ${done.toLocaleString('en')} movements, ${left} s left`;
}

try {
  const order = parseOrder();
  if (!order) process.stdout.write(help);
  else {
    const { folder, items, movements } = order;
    const progress = openProgress();
    const since = performance.now();
    const path = join(folder, 'secure-inv.db');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    makeStore(path, { items, movements, until: Date.now() }, (done) =>
      progress.show(formatBar(done, movements, since)),
    );
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    const size = (statSync(path).size / 1e9).toFixed(2);
    progress.say(
      `Made ${items.toLocaleString('en')} items and ${movements.toLocaleString('en')} movements in ${seconds} s: ${size} GB.`,
    );
    process.stdout.write(`Next: npm start -- --store sqlite:${path}\n`);
  }
} catch (error) {
  process.stderr.write(`make-store: ${error instanceof Error ? error.message : error}\n`);
  if (error instanceof Failure && error.details.hint) process.stderr.write(`hint: ${error.details.hint}\n`);
  process.exitCode = 1;
}
