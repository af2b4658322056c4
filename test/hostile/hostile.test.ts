import { expect, onTestFinished, test } from 'vitest';
import { LoadedServer } from '../load/loaded-server.ts';
import { measureRound, type Scenario } from './scenario.ts';

// `npm run test:hostile` measures for long what this only holds to be served; test/server/flood.test.ts has the strangers.

test('honest clients are served, old and new, while one user floods over 8 connections', async () => {
  const server = await LoadedServer.open();
  onTestFinished(() => server.close());
  const [hostile, honest] = await server.populate(['mallory', 'ann']);
  if (!hostile || !honest) return expect.fail('There are no users.');
  const scenario: Scenario = {
    name: 'flood',
    order: (token) => ({ kind: 'flood', connections: 8, depth: 256, what: 'add', token }),
    growthMebibytesMax: 256,
  };
  const round = await measureRound(server, scenario, { honest: [honest], hostile }, 0.5);
  expect([...round.quiet.complaints, ...round.hostile.complaints]).toEqual([]);
  expect(round.hostile.adds.length).toBeGreaterThan(0);
  expect(round.hostile.arrivals.length).toBeGreaterThan(0);
  expect(round.connections).toBe(8);
  expect((round.most ?? 0) - (round.before ?? 0)).toBeLessThan(scenario.growthMebibytesMax);
});
