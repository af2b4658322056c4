import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parseCsv, unguard } from '../../src/client/csv.ts';
import { connect } from '../../src/index.ts';
import { compiledPrograms } from '../support/programs.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { Terminal } from '../support/terminal.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';

const { client: program } = await compiledPrograms();

/** A server with an administrator, and `secure-inv` as they would type it. */
async function open() {
  const server = await startServer();
  const client = await WireClient.open(server);
  const { accessToken = '' } = await enrollAdministrator(server, client);
  const ca = join(server.certs, 'server-ca.pem');
  return { server, client, ca, token: accessToken, run: runnerFor(server, accessToken) };
}

function runnerFor(server: TestServer, token: string) {
  const ca = join(server.certs, 'server-ca.pem');
  const env = { PATH: process.env['PATH'], HOME: server.folder, SECURE_INV_TOKEN: token };
  const target = ['--server', `127.0.0.1:${server.port}`, '--ca', ca];
  return async (...words: readonly string[]) => {
    const options = { env, cwd: server.folder, maxBuffer: 1 << 26 };
    return (await promisify(execFile)(process.execPath, [program, ...target, ...words], options)).stdout;
  };
}

test('an export of many pages has each row once, and what is imported elsewhere is the same stock', async () => {
  const from = await open();
  await from.client.ask('location.add', { location: 'cellar' });
  const names = Array.from({ length: 2500 }, (_, at) => `${'=+-@;",'[at % 7]} item "${at}"`);
  for (const location of ['main', 'cellar']) {
    for (let at = 0; at < names.length; at += 500) {
      const lines = names.slice(at, at + 500).map((item, index) => ({ item, quantity: index + 1, location }));
      await from.client.ask('add', { lines, operation: randomUUID() });
    }
  }
  await from.client.ask('take', { item: names[0], quantity: 1, operation: randomUUID() });
  const stock = await from.run('export');
  const rows = [...parseCsv(stock, ',')].slice(1).map(({ cells }) => cells.map(unguard));
  expect(rows).toHaveLength(2 * names.length - 1);
  expect(new Set(rows.map(([item]) => item))).toEqual(new Set(names));
  const history = [...parseCsv(await from.run('export', 'history'), ',')].slice(1);
  expect(history.map(({ cells }) => Number(cells[0]))).toEqual(
    Array.from({ length: 2 * names.length + 1 }, (_, at) => 2 * names.length + 1 - at),
  );

  // Whoever reads no further than the first of several pages ends it.
  const target = `--server 127.0.0.1:${from.server.port} --ca ${from.ca}`;
  const env = { PATH: process.env['PATH'], HOME: from.server.folder, SECURE_INV_TOKEN: from.token };
  const piped = `'${process.execPath}' '${program}' ${target} export history | head -1`;
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', piped], { env, timeout: 20_000 });
  expect([stdout.split(',')[0], stderr]).toEqual(['seq', '']);

  // On a terminal the rows show how far it is: a line about that would stand where one of theirs does.
  const terminal = new Terminal(process.execPath, [program, ...target.split(' '), 'export', '--format', 'json'], {
    cwd: from.server.folder,
    env: { HOME: from.server.folder, SECURE_INV_TOKEN: from.token },
  });
  expect(await terminal.ended).toBe(0);
  expect(terminal.text).toMatch(/"precision":0\}\n\]\n$/);
  expect(terminal.text).not.toMatch(/\d rows/);
  await expect(from.run('export', '--output', '/dev/null')).rejects.toThrow('/dev/null is no ordinary file');

  const inventory = await connect({ server: `127.0.0.1:${from.server.port}`, ca: from.ca, token: from.token });
  const typed: string[] = [];
  for await (const { item, location, quantity } of inventory.export()) typed.push(`${item} ${location} ${quantity}`);
  await inventory.close();
  expect(typed).toEqual(rows.map((cells) => cells.slice(0, 3).join(' ')));

  const to = await open();
  await to.client.ask('location.add', { location: 'cellar' });
  // As some spreadsheets save it: with a byte order mark.
  await writeFile(join(to.server.folder, 'stock.csv'), `\ufeff${stock}`);
  expect(await to.run('import', 'stock.csv')).toBe('Imported 4,999 rows of stock.csv (import 1).\n');
  expect(await to.run('export')).toBe(stock);
  const json = JSON.parse(await to.run('export', 'items', '--format', 'json')) as { item: string }[]; // As columns say.
  expect(json.map(({ item }) => item).sort()).toEqual([...names].sort());
}, 90_000);
