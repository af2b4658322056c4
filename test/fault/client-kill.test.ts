import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { globSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { formatEnrolmentLink } from '../../src/model/enrolment-link.ts';
import { startServer } from '../support/server.ts';
import { shareClone } from '../support/shared-clone.ts';
import { testPassword } from '../support/wire-client.ts';
import { times } from './length.ts';
import { drawChances } from './seed.ts';

const clone = shareClone();
const rounds = times(15, 200);
const roundsMax = 600;
/** So many kills must have fallen where they could do harm; else nothing was tested. */
const wanted = times(2, 3);

/** Runs a client, killed with -9 when that is said, and tells what it said. */
async function run(words: readonly string[], killAt?: () => Promise<unknown>, input = '') {
  const env = clone().environment('hasty');
  mkdirSync(env['HOME'] ?? '', { recursive: true });
  const child = spawn(join(clone().folder, 'bin', 'secure-inv'), words, {
    cwd: clone().folder,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  child.stdin.on('error', () => undefined); // It may be dead before it has read.
  child.stdin.end(input);
  const ended = once(child, 'close');
  if (killAt) await Promise.race([killAt(), ended]);
  if (killAt) child.kill('SIGKILL');
  const [status] = await ended;
  return { status, stdout, stderr };
}

async function startLoggedIn() {
  const server = await startServer();
  const enrolled = await run(
    ['enroll', formatEnrolmentLink(server.link()), '--password-stdin'],
    undefined,
    testPassword,
  );
  expect(enrolled.status).toBe(0);
  return server;
}

/** The ids of the operations that are on disk now, whoever was killed a moment ago. */
function stored(): string[] {
  const files = globSync('.local/state/secure-inv/queue/*/*.json', { cwd: clone().environment('hasty')['HOME'] ?? '' });
  return files.map((file) => file.slice(-41, -5));
}

/** A moment between an operation's being stored and a little after its answer. */
async function storedFor(operation: string, milliseconds: number): Promise<void> {
  const giveUpAt = performance.now() + 5_000;
  while (!stored().includes(operation) && performance.now() < giveUpAt) await sleep(1);
  await sleep(milliseconds);
}

/** The ids of all operations that were counted, in order. */
async function counted(): Promise<string[]> {
  const { movements } = JSON.parse((await run(['history', '--limit', '1000', '--json'])).stdout);
  return movements.map(({ operation }: { operation: string }) => operation).reverse();
}

test(
  `of ${rounds} queued adds, each killed -9 at any moment, what was stored is counted once and in order`,
  async () => {
    const chance = drawChances();
    await startLoggedIn();
    const startedAt = performance.now();
    await run(['add', 'Soap', '1', '--queue']);
    const usual = performance.now() - startedAt;
    const given: string[] = [];
    const told: string[] = [];
    const seen = new Set<string>();
    let [unconfirmed, early] = [0, 0];
    // On a busy machine it takes more kills until some fall between an operation's being stored and being answered.
    for (let round = 0; round < rounds || (Math.min(unconfirmed, early) < wanted && round < roundsMax); round++) {
      const operation = randomUUID();
      const isLeftAlone = chance() < 0.1;
      const { stdout } = await run(
        ['add', 'Soap', '1', '--queue', '--operation', operation],
        isLeftAlone ? undefined : () => sleep(usual * (0.4 + 0.7 * chance())),
      );
      given.push(operation);
      if (/^(Added|Queued)/m.test(stdout)) told.push(operation);
      for (const one of stored()) seen.add(one);
      if (!told.includes(operation) && stored().includes(operation)) unconfirmed++;
      if (!told.includes(operation) && !stored().includes(operation)) early++;
    }
    expect(await run(['queue', 'send', '--json'])).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse((await run(['queue', '--json'])).stdout).operations).toEqual([]);

    const all = await counted();
    const ours = all.filter((operation) => given.includes(operation));
    // Some were killed before they were stored, some between that and the answer; else this would have tested nothing.
    expect(ours.length).toBeLessThan(given.length);
    expect(unconfirmed).toBeGreaterThanOrEqual(wanted);
    expect([...seen, ...told].filter((operation) => !ours.includes(operation))).toEqual([]);
    expect(ours).toEqual(given.filter((operation) => ours.includes(operation)));
    expect(all.length).toBe(ours.length + 1);
  },
  times(90_000, 900_000),
);

test(
  'plain adds that are killed -9 leave their ids, and sending those counts each once',
  async () => {
    const chance = drawChances();
    await startLoggedIn();
    for (let round = 0; round < rounds / 3 || (stored().length < wanted && round < roundsMax); round++) {
      const operation = randomUUID();
      await run(['add', 'Soap', '1', '--operation', operation], () => storedFor(operation, 12 * chance()));
    }
    const before = await counted();
    const kept: string[] = JSON.parse((await run(['queue', '--json'])).stdout).operations.map(
      ({ operation, state }: { operation: string; state: string }) => {
        expect(state).toBe('unconfirmed');
        return operation;
      },
    );
    expect(kept.length).toBeGreaterThanOrEqual(wanted);
    expect(await run(['queue', 'send', '--json'])).toMatchObject({ status: 0 });
    const after = await counted();
    expect(new Set(after).size).toBe(after.length);
    expect(new Set(after)).toEqual(new Set([...before, ...kept]));
  },
  times(90_000, 900_000),
);

test('shells that queue at once count all, each once, also when one that held the queue was killed', async () => {
  await startLoggedIn();
  const startedAt = performance.now();
  await run(['add', 'Soap', '1', '--queue']);
  const usual = performance.now() - startedAt;
  const operations: readonly string[] = Array.from({ length: 6 }, () => randomUUID());
  const answers = await Promise.all(
    operations.map((operation, at) =>
      run(['add', 'Soap', '1', '--queue', '--operation', operation], at === 0 ? () => sleep(usual * 2) : undefined),
    ),
  );
  for (const { status, stdout } of answers.slice(1)) {
    expect(status).toBe(0);
    expect(stdout).toMatch(/^(Added 1 Soap|Queued: add 1 Soap\. Another shell has sent)/);
  }
  await run(['queue', 'send']);
  const all = (await counted()).filter((operation) => operations.includes(operation));
  expect(new Set(all).size).toBe(all.length);
  expect(all).toEqual(expect.arrayContaining(operations.slice(1)));
}, 60_000);
