import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Supervisor } from '../../src/ops/supervisor.ts';
import { type ServerProcess, startProcess } from '../fault/server-process.ts';
import { temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, line, WireClient } from '../support/wire-client.ts';

/** Programs are started, on a machine that may be busy. */
const patience = { timeout: 15_000 };

let folder = '';

beforeEach(async () => {
  folder = await temporaryFolder();
});

const has = (program: string) => spawnSync(program, ['--version']).status === 0;
const canListen = has('systemd-notify') && has('python3');
const reason = canListen ? '' : ' (skipped: systemd-notify or python3 is not installed)';

/** What systemd would hear, a message a line, on a socket that Node.js cannot make. */
const listener = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    print(repr(s.recv(4096).decode()), flush=True)
`;

/** Every word that a stand-in for systemd-notify was called with, a call a line. */
async function makeStandIn(seconds = 0): Promise<{ env: NodeJS.ProcessEnv; calls: () => Promise<string[]> }> {
  const calls = join(folder, 'calls');
  await writeFile(calls, '');
  const program = `#!/bin/sh\nsleep ${seconds}\necho "$NOTIFY_SOCKET $*" >> '${calls}'\n`;
  await writeFile(join(folder, 'systemd-notify'), program, { mode: 0o755 });
  const env = {
    ...process.env,
    PATH: [folder, process.env['PATH']].join(delimiter),
    NOTIFY_SOCKET: '/run/nobody-listens',
  };
  return { env, calls: async () => (await readFile(calls, 'utf8')).trim().split('\n') };
}

async function start(
  env: NodeJS.ProcessEnv = process.env,
  onLog: (text: string) => void = () => undefined,
): Promise<ServerProcess> {
  const running = await startProcess(folder, true, { env, logLevel: 'info', onLog });
  onTestFinished(() => running.kill());
  return running;
}

describe('a signal', () => {
  test.for(['SIGTERM', 'SIGINT'] as const)(
    '%s ends the server with status 0, and says so to who is connected',
    async (signal) => {
      const running = await start();
      const client = await WireClient.open(running);
      await client.ask('hello');
      running.signal(signal);
      expect((await client.reply())?.error?.data).toMatchObject({ code: 'going-away', retryAfter: 2 });
      await client.closed;
      expect(await running.ended).toBe(0);
    },
  );

  test('lets what is in flight be answered first, and what was answered is there after a restart', async () => {
    const running = await start();
    const { link } = running;
    if (!link) throw new Error('No link.');
    const client = await WireClient.open(running);
    await enrollAdministrator({ ...running, link: () => link }, client);
    const operation = (at: number) => `0192f0c1-7b5e-7000-8000-${String(at).padStart(12, '0')}`;
    const add = (at: number) => line(at, 'add', { item: 'Soap', quantity: 1, operation: operation(at) });
    client.write(Array.from({ length: 200 }, (_, at) => add(at)).join(''));
    const first = await client.reply();
    running.signal('SIGTERM');
    const others = await client.replies(250);
    expect(await running.ended).toBe(0);
    const done = [first, ...others].filter((reply) => reply?.result !== undefined).length;
    expect(others.at(-1)?.error?.data.code).toBe('going-away');
    expect(done).toBeGreaterThan(0);
    const again = await startProcess(folder);
    onTestFinished(() => again.kill());
    const { DatabaseSync } = await import('node:sqlite');
    const store = new DatabaseSync(join(folder, 'data', 'inventory.db'), { readOnly: true });
    onTestFinished(() => store.close());
    expect(store.prepare('SELECT count(*) AS kept FROM movement').get()).toEqual({ kept: done });
  });

  test('a second one counts only after a second: then the server goes at once, with status 1', async () => {
    const running = await start();
    const client = await WireClient.open(running);
    await client.ask('hello');
    // Somebody who does not read, and a store that cannot be written, hold the drain up.
    client.socket.pause();
    const { DatabaseSync } = await import('node:sqlite');
    const other = new DatabaseSync(join(folder, 'data', 'inventory.db'));
    onTestFinished(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    await (await WireClient.open(running)).ask('login', { user: 'nobody', password: 'no-such-password' });
    const since = performance.now();
    running.signal('SIGTERM');
    running.signal('SIGTERM');
    const impatient = setTimeout(() => running.signal('SIGTERM'), 1200);
    expect(await running.ended).toBe(1);
    clearTimeout(impatient);
    expect(performance.now() - since).toBeGreaterThan(1000);
  });

  test('SIGHUP off a terminal reloads, says what became of each, also where nothing changed, and ends nothing', async () => {
    const { env, calls } = await makeStandIn();
    let log = '';
    const running = await start(env, (text) => {
      log += text;
    });
    const client = await WireClient.open(running);
    running.signal('SIGHUP');
    await expect.poll(async () => (await calls()).length, patience).toBe(3);
    expect((await client.ask('hello'))?.result).toBeDefined();
    expect(log).toContain('reloaded: nothing has changed');
    await writeFile(join(folder, 'server.jsonc'), '{ "audit": { "days": 5 } }');
    await writeFile(join(folder, 'data', 'token-keys.json'), 'damaged');
    running.signal('SIGHUP');
    await expect
      .poll(() => log, patience)
      .toMatch(/"keys":"[^"]*token-keys\.json[^"]*","settings":"audit\.days",.*reloaded, but for what is wrong/);
    // What the store's thread warns of is a line as well.
    await rename(join(folder, 'data'), join(folder, 'away'));
    await expect.poll(() => log, patience).toMatch(/^\{"level":60,.*The store was moved.* put it back/m);
  });
});

describe('systemd is told', () => {
  test('in this order that the server is ready, reloads, is ready again and stops', async () => {
    const { env, calls } = await makeStandIn();
    const running = await start(env);
    await expect.poll(async () => (await calls())[0], patience).toContain('READY=1');
    running.signal('SIGHUP');
    await expect.poll(async () => (await calls()).length, patience).toBe(3);
    running.signal('SIGTERM');
    expect(await running.ended).toBe(0);
    await expect
      .poll(calls)
      .toEqual([
        '/run/nobody-listens READY=1 STATUS=Serving.',
        expect.stringMatching(/^\/run\/nobody-listens RELOADING=1 MONOTONIC_USEC=\d+ STATUS=Reloading\.$/),
        '/run/nobody-listens READY=1 STATUS=Serving.',
        '/run/nobody-listens STOPPING=1 STATUS=Finishing what is in flight.',
      ]);
  });

  test('nothing when it did not start the server', async () => {
    const { env, calls } = await makeStandIn();
    const { NOTIFY_SOCKET: _, ...without } = env;
    const running = await start(without);
    running.signal('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(await calls()).toEqual(['']);
  });

  test('and that it cannot be told is logged once, and harms nothing', async () => {
    let log = '';
    const env = { ...process.env, PATH: folder, NOTIFY_SOCKET: '/run/nobody-listens' };
    const running = await start(env, (text) => {
      log += text;
    });
    running.signal('SIGHUP');
    await expect.poll(() => log, patience).toContain('cannot tell systemd how the server is');
    running.signal('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(log.match(/cannot tell systemd/g)).toHaveLength(1);
  });

  test.skipIf(!canListen)(
    `through its own program, and that the server lives, as often as it asks${reason}`,
    async () => {
      const socket = join(folder, 'notify');
      const hearing: ChildProcess = spawn('python3', ['-c', listener, socket], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(() => void hearing.kill());
      if (!hearing.stdout) throw new Error('No output.');
      const heard: string[] = [];
      createInterface({ input: hearing.stdout }).on('line', (text) => heard.push(text));
      await expect.poll(() => heard, patience).toContain('listening');
      const running = await start({ ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '900000' });
      const all = () => heard.join('\n');
      await expect.poll(all, patience).toContain('READY=1');
      await expect.poll(() => heard.filter((text) => text.includes('WATCHDOG=1')).length, patience).toBeGreaterThan(2);
      running.signal('SIGHUP');
      await expect.poll(all, patience).toContain('RELOADING=1');
      running.signal('SIGTERM');
      expect(await running.ended).toBe(0);
      await expect.poll(all, patience).toContain('STOPPING=1');
    },
  );

  test('nothing of its life when the store does not answer, or another process is the one that is watched', async () => {
    const { env, calls } = await makeStandIn();
    const problems: unknown[] = [];
    const watch = (more: NodeJS.ProcessEnv, isAlive: boolean) => {
      const supervisor = new Supervisor({ ...env, ...more }, (problem) => problems.push(problem));
      onTestFinished(() => supervisor.close());
      supervisor.watch(async () => isAlive);
    };
    watch({ WATCHDOG_USEC: '30000' }, false);
    watch({ WATCHDOG_USEC: '30000', WATCHDOG_PID: '1' }, true);
    watch({ WATCHDOG_USEC: 'soon' }, true);
    await sleep(300); // Ten times the time after which one would have come.
    expect([await calls(), problems]).toEqual([[''], []]);
    watch({ WATCHDOG_USEC: '30000', WATCHDOG_PID: String(process.pid) }, true);
    await expect.poll(async () => (await calls())[0], patience).toBe('/run/nobody-listens WATCHDOG=1');
  });

  test('of its life only when nothing else waits to be told', async () => {
    const { env, calls } = await makeStandIn(0.2);
    const supervisor = new Supervisor({ ...env, WATCHDOG_USEC: '30000' }, () => undefined);
    onTestFinished(() => supervisor.close());
    supervisor.watch(async () => true);
    await expect.poll(async () => (await calls())[0], patience).toContain('WATCHDOG=1');
    const before = (await calls()).length;
    await supervisor.tell('stopping');
    // The one that was being told, and one that began after the look.
    const told = (await calls()).slice(before);
    expect(told.length).toBeLessThanOrEqual(3);
    expect(told.at(-1)).toContain('STOPPING=1');
  });
});
