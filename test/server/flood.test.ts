import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { connectionsBeforeLoginMax, lineBytesMaxBeforeLogin, loginSecondsMax } from '../../src/model/limits.ts';
import { type ServerProcess, startProcess } from '../fault/server-process.ts';
import { residentMebibytes } from '../support/process-figures.ts';
import { temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, line, openAs, WireClient } from '../support/wire-client.ts';

// The server is a process of its own, so that its memory can be told from that of the crowd.

let server: ServerProcess;
let grant: Record<string, string>;

beforeAll(async () => {
  const cleanings: (() => unknown)[] = [];
  const folder = await temporaryFolder((clean) => cleanings.push(clean));
  server = await startProcess(folder, true);
  const { link } = server;
  const first = await WireClient.open(server, {}, (clean) => cleanings.push(clean));
  grant = await enrollAdministrator({ ...server, link: () => link ?? expect.fail('there is no link') }, first);
  return async () => {
    await server.kill();
    for (const clean of cleanings) await clean();
  };
});

/** What the server may need for 256 strangers who do their worst: half a megabyte each, most of it OpenSSL's. */
const bytesMax = 128 * 1024 * 1024;

/** Resident memory of the server, in bytes. */
function memory(): number {
  return (residentMebibytes(server.pid) ?? Number.NaN) * 1024 * 1024;
}

async function openCrowd(size: number): Promise<WireClient[]> {
  const crowd: WireClient[] = [];
  while (crowd.length < size) {
    crowd.push(...(await Promise.all(Array.from({ length: 10 }, () => WireClient.open(server)))));
  }
  return crowd;
}

/** Logs in on new connections until it is told to stop: each must be served, and soon. Returns how many were. */
function serveHonestly(): () => Promise<number> {
  let stopped = false;
  const served = (async () => {
    for (let count = 0; ; count++) {
      if (stopped && count > 2) return count;
      const started = performance.now();
      const client = await openAs(server, grant['accessToken']);
      expect(await client.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
      expect(performance.now() - started).toBeLessThan(3000);
      client.socket.destroy();
    }
  })();
  served.catch(() => undefined); // Awaited below, where it counts.
  return () => {
    stopped = true;
    return served;
  };
}

test('300 connections that send nothing, or a byte now and then, keep no honest client out', async () => {
  const before = memory();
  const member = await openAs(server, grant['accessToken']);
  const crowd = await openCrowd(300);
  const drip = setInterval(() => {
    for (const [at, { socket }] of crowd.entries()) if (at % 2 === 0 && !socket.destroyed) socket.write(' ');
  }, 100);
  onTestFinished(() => clearInterval(drip));
  const stop = serveHonestly();
  const newcomers = await Promise.all(
    Array.from({ length: 32 }, () => openAs(server, grant['accessToken']).then((one) => one.ask('whoami'))),
  );
  for (const reply of newcomers) expect(reply).toMatchObject({ result: { user: 'admin' } });
  expect(await member.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
  expect(await stop()).toBeGreaterThan(0);
  const refused = crowd.filter(({ socket }) => socket.destroyed || socket.readableEnded);
  expect(refused.length).toBeGreaterThanOrEqual(300 - connectionsBeforeLoginMax);
  for (const one of refused.slice(0, 20)) {
    expect(await one.replies(2)).toMatchObject([
      { id: null, error: { code: 1008, data: { code: 'busy', retryAfter: 10 } } },
    ]);
  }
  expect(memory() - before).toBeLessThan(bytesMax);
});

const floods: readonly (readonly [string, string | Buffer])[] = [
  ['a line of 5 KiB', `${'x'.repeat(5 * 1024)}\n`],
  [
    'a line of 5 KiB that is JSON',
    `${line(1, 'ping')
      .trimEnd()
      .padEnd(5 * 1024)}\n`,
  ],
  ['a line without an end', 'x'.repeat(2 * lineBytesMaxBeforeLogin)],
  ['1,000 lines of nothing', '\n'.repeat(1000)],
  ['1,000 lines that are no JSON', '{\n'.repeat(1000)],
  ['4,000 levels of lists', `${'['.repeat(4000)}\n`],
  ['800 levels of objects', `${'{"a":'.repeat(800)}\n`],
  ['levels inside a request', `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(3000)}}}\n`],
  ['a megabyte of zeros', Buffer.alloc(1024 * 1024)],
  ['a number of 4,000 digits', `{"jsonrpc":"2.0","id":${'9'.repeat(4000)},"method":"ping"}\n`],
];

test.each(floods)('%s from 60 strangers at once: one refusal each, and everybody else is served', async (_, bytes) => {
  const before = memory();
  const crowd = await openCrowd(60);
  const stop = serveHonestly();
  for (const one of crowd) one.write(bytes);
  for (const one of crowd) {
    const replies = await one.replies(2);
    expect(replies).toMatchObject([
      { id: null, error: { data: { code: expect.stringMatching(/^bad-(frame|request)$/) } } },
    ]);
    await one.closed;
  }
  expect(await stop()).toBeGreaterThan(0);
  expect(memory() - before).toBeLessThan(bytesMax);
});

test('1,000 good lines at once from 60 strangers are answered one by one, and soon for everybody else', async () => {
  const before = memory();
  const crowd = await openCrowd(60);
  const stop = serveHonestly();
  const ids = Array.from({ length: 1000 }, (_, id) => id);
  for (const one of crowd) one.write(ids.map((id) => line(id, 'ping')).join(''));
  for (const one of crowd) expect((await one.replies(1000)).map(({ id }) => id)).toEqual(ids);
  expect(await stop()).toBeGreaterThan(0);
  expect(memory() - before).toBeLessThan(bytesMax);
});

test('strangers who ask without end and read nothing are cut off long before their time to log in is over', async () => {
  const before = memory();
  const crowd = await Promise.all(Array.from({ length: 4 }, () => WireClient.open(server)));
  const stop = serveHonestly();
  const started = performance.now();
  const hellos = line(1, 'hello').repeat(150_000);
  for (const { socket } of crowd) {
    socket.pause();
    socket.write(hellos);
  }
  // They learn of it by what they are still writing.
  await Promise.all(crowd.map(({ closed }) => closed));
  expect(performance.now() - started).toBeLessThan((loginSecondsMax - 1) * 1000);
  expect(await stop()).toBeGreaterThan(0);
  expect(memory() - before).toBeLessThan(bytesMax);
});
