import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Clock, describeDivergence } from '../../src/ops/clock.ts';
import { startProcess } from '../fault/server-process.ts';
import { freePort, getPage, readMetric } from '../support/ops-port.ts';
import { startServer, temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, testPassword, WireClient } from '../support/wire-client.ts';

const second = 1000;

describe("a running server's time", () => {
  const machine = { wall: 1_000_000, monotonic: 5 };
  const newClock = () =>
    new Clock(
      () => machine.wall,
      () => machine.monotonic,
    );

  test.for([3600, -3600])('goes on as before when the machine’s clock is set by %i s', (seconds) => {
    const clock = newClock();
    const before = clock.now();
    machine.wall += seconds * second;
    machine.monotonic += 250;
    expect(clock.now()).toBe(before + 250);
    expect(Math.sign(clock.divergence)).toBe(Math.sign(seconds));
  });

  test('follows the machine’s clock when it is asked to', () => {
    const clock = newClock();
    machine.wall += 3600 * second;
    clock.follow();
    expect([clock.now(), clock.divergence]).toEqual([machine.wall, 0]);
  });

  test.for([
    [30_000, undefined],
    [-30_000, undefined],
    [31_000, /^The machine's clock is 31 s ahead of the server's time: .*secure-inv server reload$/],
    [-90_000, /90 s behind/],
  ] as const)('that differs by %i ms from the machine’s is told of past 30 s', ([milliseconds, said]) => {
    const sentence = describeDivergence(milliseconds);
    if (said) expect(sentence).toMatch(said);
    else expect(sentence).toBeUndefined();
  });

  test('is said once to differ, and once to agree again', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const clock = newClock();
    const told: [number, boolean][] = [];
    const stop = clock.watch((divergence, agrees) => told.push([divergence, agrees]));
    const look = () => vi.advanceTimersByTime(30 * second);
    look();
    machine.wall += 40 * second;
    look();
    look();
    clock.follow();
    look();
    stop();
    machine.wall += 40 * second;
    look();
    expect(told).toEqual([
      [40 * second, false],
      [0, true],
    ]);
  });
});

describe('a server whose machine’s clock is set', () => {
  async function startSteppable() {
    const port = await freePort();
    const server = await startServer({ flags: { 'ops.port': String(port) } });
    const administrator = await WireClient.open(server);
    const grant = await enrollAdministrator(server, administrator);
    return { port, server, administrator, grant };
  }

  test.for([90, -90] as const)(
    'by %i minutes logs nobody out, extends no token, and says so until a reload',
    async (minutes) => {
      const { server, administrator, grant, port } = await startSteppable();
      server.setMachineClock(minutes * 60 * second);
      const whoami = (await administrator.ask('whoami'))?.result;
      expect(whoami).toMatchObject({ user: 'admin', expiresAt: expect.any(String) });
      expect(Date.parse(String(whoami?.['expiresAt']))).toBe(Date.parse(String(grant['expiresAt'])));
      const warnings = async () => (await administrator.ask('server.status'))?.result?.['warnings'];
      const side = minutes > 0 ? 'ahead of' : 'behind';
      expect(await warnings()).toEqual([
        expect.stringContaining(`The machine's clock is 5400 s ${side} the server's time`),
      ]);
      const other = await WireClient.open(server);
      const login = await other.ask('login', { user: 'admin', password: testPassword });
      expect(login?.result?.['notices']).toEqual(await warnings());
      const divergence = readMetric((await getPage(port, '/metrics')).text, 'secure_inv_clock_divergence_seconds');
      expect(divergence).toBeCloseTo(minutes * 60, 0);
      expect((await getPage(port, '/readyz')).status).toBe(200);
      if (minutes > 0) return; // After a reload the token has ended: the machine's clock counts again.
      expect((await administrator.ask('server.reload'))?.result?.['warnings']).toEqual([]);
      expect(await warnings()).toEqual([]);
    },
  );

  test('ahead, and is then told to follow it, counts by it: tokens that have ended are refused', async () => {
    const { server, administrator } = await startSteppable();
    server.setMachineClock(3600 * second);
    expect((await administrator.ask('server.reload'))?.result).toBeDefined();
    expect((await administrator.ask('whoami'))?.error?.data.code).toBe('session-expired');
  });
});

const library = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', process.env['LIBFAKETIME'] ?? ''].find(
  existsSync,
);
const reason = library ? '' : ' (skipped: libfaketime is not installed; LIBFAKETIME names it elsewhere)';

test.skipIf(!library)(`a server process logs that the clock of its machine was set${reason}`, async () => {
  const folder = await temporaryFolder();
  const timestamp = join(folder, 'time');
  await writeFile(timestamp, '+0');
  let log = '';
  const env = {
    ...process.env,
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: timestamp,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
  const running = await startProcess(folder, true, { logLevel: 'info', onLog: (text) => (log += text), env });
  onTestFinished(() => running.kill());
  await writeFile(timestamp, '+2h');
  await expect.poll(() => log, { timeout: 15_000 }).toContain("the machine's clock was stepped");
  expect(log).toMatch(/"seconds":7[12]\d\d,/);
  running.signal('SIGHUP');
  await expect.poll(() => log, { timeout: 15_000 }).toContain('agree again');
  running.signal('SIGTERM');
  expect(await running.ended).toBe(0);
});
