import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../load/latency.ts';
import type { LoadedServer, Machine } from '../load/loaded-server.ts';
import { residentMebibytes } from '../support/process-figures.ts';
import type { Attack, Tally } from './attack.ts';
import { type Attackers, attack } from './attackers.ts';
import { type Cast, type Service, serveHonestly } from './honest.ts';

type Addressless<A> = A extends Attack ? Omit<A, 'port' | 'ca'> : never;

/** What the honest do, and how long each time takes. */
export type Kind = 'adds' | 'views' | 'arrivals';

/** Something that the hostile do while the honest work, and what may come of it. */
export interface Scenario {
  readonly name: string;
  /** What the attackers do, with the token of a user who turns hostile, or with those of several, that one among them. */
  order(token: string, tokens: readonly string[]): Addressless<Attack>;
  /** How long it goes on at the least, in seconds. */
  readonly seconds?: number;
  /** How long the attackers gather before the honest are looked at. */
  readonly gatherSeconds?: number;
  /** By so much the server may grow, from before the attack, in MiB. */
  readonly growthMebibytesMax: number;
  /** How many times as long as in quiet the p99 of these may be; what is not here is only told. */
  readonly slowerMax?: Readonly<Partial<Record<Kind, number>>>;
  /** What the attackers must have done at the least, or nothing was shown. */
  readonly atLeast?: {
    /** Sockets that reached the server, and those of them that were there at once. */
    readonly reached?: number;
    readonly most?: number;
    /** Sockets dialed in each second. */
    readonly dialedPerSecond?: number;
  };
}

/** The honest in quiet and during an attack, once. */
export interface Round {
  readonly quiet: Service;
  readonly hostile: Service;
  /** MiB; undefined where the system does not say. */
  readonly before: number | undefined;
  readonly most: number | undefined;
  /** What the attackers did from their start on, and in each second in which the honest were looked at. */
  readonly tally: Tally;
  readonly donePerSecond: number;
  readonly dialedPerSecond: number;
}

const lookMilliseconds = 100;
const gatherSecondsMax = 60;

/** Serves the honest in quiet and then during the attack. */
export async function measureRound(
  server: LoadedServer,
  { order, gatherSeconds = 0.5, seconds: secondsMin = 0, atLeast = {} }: Scenario,
  { honest, hostile, accomplices = [] }: { honest: Cast; hostile: Machine; accomplices?: readonly Machine[] },
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
  const tokens = [hostile, ...accomplices].map(({ token }) => token);
  const attackers = attack({ port, ca, ...order(hostile.token, tokens) });
  try {
    await gathered(attackers, gatherSeconds, atLeast);
    const [first, since] = [attackers.tally, performance.now()];
    const served = await serveHonestly(server, honest, Math.max(seconds, secondsMin));
    const { tally } = attackers;
    const took = (performance.now() - since) / 1000;
    const [donePerSecond, dialedPerSecond] = [(tally.done - first.done) / took, (tally.dialed - first.dialed) / took];
    return { quiet, hostile: served, before, most, tally, donePerSecond, dialedPerSecond };
  } finally {
    clearInterval(look);
    await attackers.end();
  }
}

/** So many as there are to be may need longer to come on a busy machine; if they do not come at all, that is told later. */
async function gathered(
  attackers: Attackers,
  seconds: number,
  { reached = 0, most = 0 }: NonNullable<Scenario['atLeast']>,
) {
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const areThere = () => attackers.tally.reached >= reached && attackers.tally.most >= most;
  while (elapsed() < seconds || (elapsed() < gatherSecondsMax && !areThere())) await sleep(lookMilliseconds);
}

/** How many times as long as in quiet the p99 of these took. */
export function slowdown({ quiet, hostile }: Round, kind: Kind): number {
  return quantile(hostile[kind], 0.99) / quantile(quiet[kind], 0.99);
}
