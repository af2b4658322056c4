import { execFile } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { compiledPrograms } from '../support/programs.ts';
import { startServer } from '../support/server.ts';
import { Terminal } from '../support/terminal.ts';
import { enrollAdministrator, openAs, type WireClient } from '../support/wire-client.ts';

const { client: program } = await compiledPrograms();
const rows = 10_000;

/** A server with an administrator, and the words and surroundings of whoever uses it. */
async function openServer() {
  const server = await startServer();
  const { accessToken = '' } = await enrollAdministrator(server);
  await writeFile(join(server.folder, 'ca.pem'), server.ca);
  const env = { PATH: process.env['PATH'] ?? '', HOME: server.folder, SECURE_INV_TOKEN: accessToken };
  const words = [program, '--server', `127.0.0.1:${server.port}`, '--ca', 'ca.pem', 'import'];
  const write = (name: string, lines: readonly string[]) =>
    writeFile(join(server.folder, name), `item,quantity,unit\n${lines.join('\n')}\n`);
  return { words, at: { cwd: server.folder, env }, write, client: await openAs(server, accessToken) };
}

const itemsOf = async (client: WireClient) => (await client.ask('view', { limit: 1000 }))?.result?.['items'];

test('on a terminal a bar shows how far a long import is, and nothing of it is left', async () => {
  const { words, at, write, client } = await openServer();
  await write(
    'long.csv',
    Array.from({ length: rows }, (_, row) => `Item ${row % 100},1,`),
  );
  const terminal = new Terminal(process.execPath, [...words, 'long.csv'], at);
  await terminal.shows(/[█░]{30} \d+ % [\d,]+ of 10,000 rows sent/);
  await terminal.shows(/[█░]{30} \d+ % [\d,]+ of 10,000 rows checked/);
  await terminal.shows(/[█░]{30} \d+ % [\d,]+ of 10,000 rows counted/);
  expect(await terminal.ended).toBe(0);
  expect(terminal.output.endsWith('\r\u001b[KImported 10,000 rows of long.csv (import 1).\r\n')).toBe(true);
  const items = await itemsOf(client);
  expect(items).toHaveLength(100);
  expect(items).toEqual(expect.arrayContaining([expect.objectContaining({ item: 'Item 99', quantity: rows / 100 })]));

  // Ctrl-C leaves nothing of it either, and people read how things stand.
  await write(
    'other.csv',
    Array.from({ length: rows }, (_, row) => `Item ${row % 100},2,`),
  );
  const stopped = new Terminal(process.execPath, [...words, 'other.csv'], at);
  await stopped.shows(/[█░]{30} \d+ % [\d,]+ of 10,000 rows sent/);
  stopped.press('c');
  expect(await stopped.ended).toBe(130);
  const last = stopped.output.split('\r\u001b[K').at(-1);
  expect(last).toMatch(/^Nothing was imported: [\d,]+ of 10,000 rows had been sent\.\r\n$/);
  expect(await itemsOf(client)).toEqual(items);
}, 60_000);

test('those who import at once do so one after the other, and each row is counted', async () => {
  const { words, at, write, client } = await openServer();
  const names = ['a.csv', 'b.csv', 'c.csv'];
  for (const [file, name] of names.entries()) {
    await write(
      name,
      Array.from({ length: 2000 }, (_, row) => `Item ${row % 100},${file + 1},kg`),
    );
  }
  const told = await Promise.all(names.map((name) => promisify(execFile)(process.execPath, [...words, name], at)));
  expect(told.map(({ stdout }) => stdout.replace(/import \d/, 'import N'))).toEqual(
    names.map((name) => `Imported 2,000 rows of ${name} (import N).\n`),
  );
  const sums = Array.from({ length: 100 }, () => expect.objectContaining({ quantity: 20 * (1 + 2 + 3), unit: 'kg' }));
  expect(await itemsOf(client)).toEqual(sums);
}, 60_000);

test('a file of 1 GiB is refused at once, standard input without end as soon as it is too much, in bounded memory', async () => {
  const server = await startServer();
  const large = await open(join(server.folder, 'large.csv'), 'w');
  await large.truncate(1024 ** 3);
  await large.close();
  const most = "process.on('exit', () => console.error('KiB:', process.resourceUsage().maxRSS))";
  const node = `"${process.execPath}" --import 'data:text/javascript,${encodeURIComponent(most).replaceAll("'", '%27')}' "${program}"`;
  const refusalOf = async (command: string): Promise<string> => {
    const options = { cwd: server.folder, env: { PATH: process.env['PATH'], HOME: server.folder } };
    const failed = await promisify(execFile)('bash', ['-c', command], options).catch(
      (error: { stderr: string }) => error,
    );
    return failed.stderr;
  };
  const idle = Number(/KiB: (\d+)/.exec(await refusalOf(`${node} import missing.csv`))?.[1]);
  for (const [command, name, moreMebibytes] of [
    [`${node} import large.csv`, 'large.csv has 1024', 8],
    // The 64 MiB that a file may have, and what was read with them.
    [`yes 'Soap,1' | ${node} import -`, 'Standard input has 65', 128],
  ] as const) {
    const told = await refusalOf(command);
    expect(told).toContain(`secure-inv: ${name} MiB or more; a file may have at most 64 MiB.`);
    expect(Number(/KiB: (\d+)/.exec(told)?.[1]) - idle, command).toBeLessThan(moreMebibytes * 1024);
  }
}, 30_000);
