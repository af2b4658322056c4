import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { type ServerProcess, startProcess } from '../fault/server-process.ts';
import { residentMebibytes } from '../support/process-figures.ts';
import { temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, openAs, WireClient } from '../support/wire-client.ts';

// The server is a process of its own, so that its memory can be told from that of those who watch. Its ledger is longer
// than all that the sockets of one watcher hold.

const pages = 40;
const linesOfPage = 1000;
const size = pages * linesOfPage;
/** 600 bytes in UTF-8. */
const note = '箱'.repeat(200);

let server: ServerProcess;
let grant: Record<string, string>;
let seq = size;
let log = '';

beforeAll(async () => {
  const cleanings: (() => unknown)[] = [];
  const folder = await temporaryFolder((clean) => cleanings.push(clean));
  server = await startProcess(folder, true, { logLevel: 'info', onLog: (text) => (log += text) });
  const { link } = server;
  const first = await WireClient.open(server, {}, (clean) => cleanings.push(clean));
  grant = await enrollAdministrator({ ...server, link: () => link ?? expect.fail('there is no link') }, first);
  const lines = Array.from({ length: linesOfPage }, (_, at) => ({ item: `Item ${at % 100}`, quantity: 1 }));
  for (let page = 0; page < pages; page++) await first.ask('add', { lines, note, operation: randomUUID() });
  return async () => {
    await server.kill();
    for (const clean of cleanings) await clean();
  };
}, 60_000);

const open = () => openAs(server, grant['accessToken']);

/** Resident memory of the server, in bytes. */
function memory(): number {
  return (residentMebibytes(server.pid) ?? Number.NaN) * 1024 * 1024;
}

/** Counts the movements that arrive, and keeps the last line. */
function readAll({ socket }: WireClient): { movements: number; end: string } {
  const read = { movements: 0, end: '' };
  let rest = '';
  socket.removeAllListeners('data');
  socket.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    read.movements += lines.filter((line) => line.includes('"method":"movement"')).length;
    read.end = lines.at(-1) ?? read.end;
  });
  return read;
}

test('watchers who read nothing cost little, are cut, and find the reason behind what they had not read', async () => {
  await open().then((one) => one.ask('view')); // What the first request costs is no watcher's.
  const before = memory();
  const crowd = await Promise.all(Array.from({ length: 10 }, open));
  for (const one of crowd) {
    expect(await one.ask('watch', { after: 0 })).toHaveProperty('result');
    one.socket.pause();
  }
  const writer = await open();
  while (log.split('"watcher cut off: it does not read"').length <= crowd.length) {
    expect(await writer.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() })).toHaveProperty('result');
    seq++;
    await sleep(20);
  }
  expect(memory() - before).toBeLessThan(64 * 1024 * 1024);
  const reading = crowd.map((one) => ({ one, read: readAll(one) }));
  for (const { one } of reading) one.socket.resume();
  for (const { one, read } of reading) {
    await one.closed;
    expect(read.movements).toBeLessThan(size);
    expect(JSON.parse(read.end)).toMatchObject({
      id: null,
      error: { message: 'Movements were not read for 10 s.', data: { code: 'going-away' } },
    });
  }
}, 90_000);

test('whoever reads all of it, however slowly, is not cut, and everybody else is served meanwhile', async () => {
  const [watcher, writer] = [await open(), await open()];
  const read = readAll(watcher);
  watcher.write('{"jsonrpc":"2.0","id":1,"method":"watch","params":{"after":0}}\n');
  let added = 0;
  while (read.movements < seq) {
    expect(await writer.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() })).toHaveProperty('result');
    added++;
    seq++;
    watcher.socket.pause();
    await sleep(1);
    watcher.socket.resume();
    if (added > 20) await sleep(5);
  }
  expect(added).toBeGreaterThan(20);
}, 60_000);
