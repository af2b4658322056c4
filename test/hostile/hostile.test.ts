import { randomUUID } from 'node:crypto';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { median } from '../../scripts/bench/measurement.ts';
import { sharedWorkMax } from '../../src/model/limits.ts';
import { random } from '../fault/random.ts';
import { LoadedServer, type Machine } from '../load/loaded-server.ts';
import { enrollPerson, type Person } from '../load/person.ts';
import { attack } from './attackers.ts';
import { measureRound, type Round, type Scenario } from './scenario.ts';

// `npm run test:hostile` measures for long what this only holds to be served; test/server/flood.test.ts has the strangers.

let server: LoadedServer;
let [hostile, honest]: Machine[] = [];
let person: Person;

beforeAll(async () => {
  server = await LoadedServer.open();
  [hostile, honest] = await server.populate(['mallory', 'ann'], 'manager');
  person = await enrollPerson(server, 'ben');
  return () => server.close();
});

/** The honest are looked at when as many of the attackers are there as are to be. */
async function roundOf(scenario: Scenario, seconds: number): Promise<Round> {
  if (!hostile || !honest) return expect.fail('There are no users.');
  const cast = { honest: { members: [honest], person, chance: random(1) }, hostile };
  const round = await measureRound(server, scenario, cast, seconds);
  expect([...round.quiet.complaints, ...round.hostile.complaints]).toEqual([]);
  for (const kind of ['adds', 'views', 'arrivals', 'logins'] as const) {
    expect(round.hostile[kind].length).toBeGreaterThan(0);
  }
  expect((round.most ?? 0) - (round.before ?? 0)).toBeLessThan(scenario.growthMebibytesMax);
  return round;
}

test('honest clients are served, old and new, while one user floods over 8 connections', async () => {
  const order: Scenario['order'] = (token) => ({ kind: 'flood', connections: 8, depth: 256, what: 'add', token });
  const atLeast = { most: 8 };
  const { tally } = await roundOf({ name: 'flood', order, atLeast, gatherSeconds: 0, growthMebibytesMax: 256 }, 0.3);
  expect(tally).toMatchObject({ connections: 8, reached: 8 });
});

test('honest clients are served while passwords are guessed, also who logs in by theirs on a known device', async () => {
  const order = () => ({ kind: 'logins', perSecond: 200 }) as const;
  const atLeast = { reached: 50 };
  const { tally } = await roundOf({ name: 'logins', order, atLeast, gatherSeconds: 0, growthMebibytesMax: 128 }, 0.8);
  expect(tally.reached).toBeGreaterThanOrEqual(50);
});

test('honest clients are served while 20 readers never read', async () => {
  const order: Scenario['order'] = (token) => ({ kind: 'unread', connections: 20, token });
  const atLeast = { most: 20 };
  // Without a bound 20 times 256 pages would wait, 1.3 GB. What V8 has not collected yet counts, too, on a busy machine.
  const { tally } = await roundOf({ name: 'unread', order, atLeast, gatherSeconds: 0, growthMebibytesMax: 512 }, 0.5);
  expect(tally.most).toBeGreaterThanOrEqual(20);
});

test('between two adds of somebody who does not wait, a flood of 2,048 adds gets a share and no more', async () => {
  if (!hostile || !honest) return expect.fail('There are no users.');
  const { token } = honest;
  const { port, ca } = server.process;
  const attackers = attack({ kind: 'flood', connections: 8, depth: 256, what: 'add', token: hostile.token, port, ca });
  onTestFinished(() => attackers.end());
  await expect.poll(() => attackers.tally.done, { timeout: 10_000 }).toBeGreaterThan(500);
  const numbers = await server.converse(async (client) => {
    await client.ask('authenticate', { token });
    const told: number[] = [];
    for (let turn = 0; turn < 300; turn++) {
      const added = await client.ask('add', { item: 'Item', quantity: 1, operation: randomUUID() });
      told.push(Number(added?.result?.['seq']));
    }
    return told;
  });
  const between = numbers.slice(1).map((seq, at) => seq - (numbers[at] ?? 0) - 1);
  const flooded = between.filter((count) => count > 0); // The flood's own process may have had to wait for the machine.
  expect(flooded.length).toBeGreaterThan(5);
  expect(median(flooded)).toBeLessThanOrEqual(4 * sharedWorkMax);
});
