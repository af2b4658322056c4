import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../load/latency.ts';
import type { LoadedServer, Machine } from '../load/loaded-server.ts';
import { residentMebibytes } from '../support/process-figures.ts';
import type { Attack } from './attack.ts';
import { attack } from './attackers.ts';
import { type Service, serveHonestly } from './honest.ts';

type Addressless<A> = A extends Attack ? Omit<A, 'port' | 'ca'> : never;

/** Something that the hostile do while the honest work, and what may come of it. */
export interface Scenario {
  readonly name: string;
  /** The attackers at work side by side; a token is put into those that need the one of a user who turns hostile. */
  order(token: string): Addressless<Attack>;
  /** How long it goes on at the least, in seconds. */
  readonly seconds?: number;
  /** How long the attackers gather before the honest are looked at. */
  readonly gatherSeconds?: number;
  /** By so much the server may grow, from before the attack, in MiB. */
  readonly growthMebibytesMax: number;
  /** How many times as long as in quiet the p99 of an add may be; without it, it is only told. */
  readonly slowerMax?: number;
}

/** The honest in quiet and during an attack, once. */
export interface Round {
  readonly quiet: Service;
  readonly hostile: Service;
  /** MiB; undefined where the system does not say. */
  readonly before: number | undefined;
  readonly most: number | undefined;
  /** Requests of the attackers that were answered in a second, and their connections in the end. */
  readonly done: number;
  readonly connections: number;
}

/** What of an attack lingers may not be taken for quiet. */
const calmSeconds = 2;
const lookMilliseconds = 100;

/** Serves the honest in quiet and then during the attack. */
export async function measureRound(
  server: LoadedServer,
  { order, gatherSeconds = 0.5, seconds: secondsMin = 0 }: Scenario,
  { honest, hostile }: { readonly honest: readonly Machine[]; readonly hostile: Machine },
  seconds: number,
): Promise<Round> {
  const { pid, port, ca } = server.process;
  const quiet = await serveHonestly(server, honest, seconds);
  const before = residentMebibytes(pid);
  let most = before;
  const look = setInterval(() => {
    const now = residentMebibytes(pid);
    if (now !== undefined) most = Math.max(most ?? 0, now);
  }, lookMilliseconds);
  const attackers = attack({ port, ca, ...order(hostile.token) });
  try {
    await sleep(gatherSeconds * 1000);
    const [doneBefore, since] = [attackers.tally.done, performance.now()];
    const served = await serveHonestly(server, honest, Math.max(seconds, secondsMin));
    const { done, connections } = attackers.tally;
    const took = (performance.now() - since) / 1000;
    return { quiet, hostile: served, before, most, done: (done - doneBefore) / took, connections };
  } finally {
    clearInterval(look);
    await attackers.end();
    await sleep(calmSeconds * 1000);
  }
}

/** How many times as long as in quiet the p99 of an add took. */
export function slowdown({ quiet, hostile }: Round): number {
  return quantile(hostile.adds, 0.99) / quantile(quiet.adds, 0.99);
}
