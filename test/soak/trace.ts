import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadedServer, Machine } from '../load/loaded-server.ts';
import type { Commuter } from './commuter.ts';
import { type Disturbance, disturbances } from './disturbance.ts';

/** Who can see whether something has come about. */
export interface Witnesses {
  readonly auditor: Machine;
  readonly commuters: readonly Commuter[];
}

type Trace = (server: LoadedServer, witnesses: Witnesses) => unknown;

/** What is another after each disturbance. */
const traces: Readonly<Record<Disturbance, Trace>> = {
  reload: (server, { auditor }) =>
    server.converse(async (client) => {
      await client.ask('authenticate', { token: auditor.token });
      return (await client.ask('server.status'))?.result?.['config'];
    }),
  'new keys': (_server, { commuters }) => commuters.map(({ key }) => key).join(' '),
  'new certificate': (server) => server.converse(async ({ socket }) => socket.getPeerCertificate().serialNumber),
  'kill -9': (server) => server.process.pid,
};

const effectMillisecondsMax = 20_000;
const lookMilliseconds = 100;

/** Disturbs a server, and tells what is wrong when nothing came of it. */
export async function disturb(
  server: LoadedServer,
  what: Disturbance,
  turn: number,
  witnesses: Witnesses,
): Promise<readonly string[]> {
  const trace = traces[what];
  const before = await trace(server, witnesses);
  await disturbances[what](server, turn);
  const since = performance.now();
  while ((await trace(server, witnesses)) === before) {
    if (performance.now() - since > effectMillisecondsMax) return [`Nothing came of: ${what}.`];
    await sleep(lookMilliseconds);
  }
  return [];
}
