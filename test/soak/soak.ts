import { setTimeout as sleep } from 'node:timers/promises';
import type { Manner } from '../fault/clerk.ts';
import type { Login } from '../fault/load.ts';
import { random } from '../fault/random.ts';
import { type Attackers, attack } from '../hostile/attackers.ts';
import { quantile } from '../load/latency.ts';
import { LoadedServer } from '../load/loaded-server.ts';
import { enrollPerson } from '../load/person.ts';
import { Commuter } from './commuter.ts';
import { type Disturbance, type Disturbed, disturbances } from './disturbance.ts';
import { type Figures, measure, probed } from './gauge.ts';
import { Audience, readOn } from './reader.ts';
import { Shifts } from './shifts.ts';
import { disturb } from './trace.ts';

/** How it went for some seconds. */
export interface Sample extends Figures {
  /** Seconds from the start. */
  readonly at: number;
  readonly changes: number;
  /** Milliseconds; NaN when nothing was answered. */
  readonly median: number;
  readonly p99: number;
}

/** What a run showed. */
export interface Soaked {
  readonly samples: readonly Sample[];
  readonly disturbed: readonly Disturbed[];
  /** When the process that served to the end began, in seconds from the start: only of one process can it be told whether it grows. */
  readonly settledAt: number;
  readonly acknowledged: number;
  readonly repeated: number;
  /** What the stock did not allow, which the judge found to be so. */
  readonly refused: number;
  /** How often somebody saw all of the stock, which the judge found to be right. */
  readonly looks: number;
  readonly movements: number;
  readonly watched: number;
  /** Empty when nothing that was acknowledged is lost, nothing was counted twice, seen wrong, or refused without a reason. */
  readonly problems: readonly string[];
}

/** How it is to go. */
export interface SoakOptions {
  readonly seconds: number;
  readonly samples: number;
  readonly kills: number;
  /** Of what is changed, and of the pauses between changes. */
  readonly seed: number;
  /** It goes on for longer until so many are acknowledged: a busy machine does not make a test of nothing. */
  readonly changesMin?: number;
}

const clerks = 6;
const paceMilliseconds = 25;
/** Strangers who say nothing or drip, and readers that never read: fewer than would be told to come back. */
const slowPeers = 60;
const deafReaders = 2;
/** After so long what was seen is judged and forgotten. */
const shiftSeconds = 60;

/**
 * Lets users work for so many seconds while the server is disturbed: in the first third it is killed as well, and from
 * then on one process has to stand everything.
 */
export async function soak(
  { seconds, samples: count, kills, seed, changesMin = 0 }: SoakOptions,
  onSample: (sample: Sample) => void = () => undefined,
): Promise<Soaked> {
  const complaints: string[] = [];
  const server = await LoadedServer.open({
    onLog: (text) => complaints.push(`The server complains: ${text.trim()}`),
    env: probed,
  });
  let slow: readonly Attackers[] = [];
  let shifts: Shifts | undefined;
  try {
    const names = Array.from({ length: clerks - 1 }, (_, at) => `clerk-${at}`);
    const managers = await server.populate(names, 'manager'); // Who may count, too.
    const [reader, deaf, limited] = await server.populate(['reader', 'deaf', 'limited']);
    const [auditor] = await server.populate(['auditor'], 'auditor');
    if (!reader || !deaf || !limited || !auditor) throw new Error('There are no users.');
    await server.furnish({ cellar: limited.user });
    const commuters: Commuter[] = [];
    for (const user of ['eve', 'fay']) commuters.push(new Commuter(await enrollPerson(server, user)));
    const since = performance.now();
    const elapsed = () => (performance.now() - since) / 1000;
    let answered = 0;
    let isDisturbed = false;
    const goesOn = () => elapsed() < seconds || (answered < changesMin && problemsOf().length === 0) || !isDisturbed;
    const problemsOf = () => [...complaints, ...clerking.problems];
    const chance = random(seed);
    const clerking = new Shifts(server, reader, chance);
    shifts = clerking;
    const annoy = () => {
      const { port, ca } = server.process;
      return [
        attack({ kind: 'silent', connections: slowPeers, port, ca }),
        attack({ kind: 'unread', connections: deafReaders, token: deaf.token, port, ca }),
      ];
    };
    slow = annoy();

    const latencies: number[] = [];
    const manner: Manner = {
      changesMax: 1,
      looksMax: 0, // The reader looks.
      unsettled: new Set(), // There is no reason to send anybody away.
      pause: () => sleep(chance() * 2 * paceMilliseconds),
      answered: (milliseconds) => {
        answered++;
        latencies.push(milliseconds);
      },
    };
    const logins: readonly Login[] = [...managers, { ...limited, location: 'cellar' }];
    const audience = new Audience();
    const working = clerking
      .work(logins, manner, audience, { goesOn, seconds: Math.min(shiftSeconds, seconds / 2) })
      .catch((error: unknown) => void complaints.push(String(error)));
    const commuting = commuters.map((commuter) => commuter.commute(server, goesOn, complaints));
    const reading = readOn(server, () => clerking.load, reader, goesOn, complaints);
    let isWatched = true;
    const watching = audience.watch(server, reader, () => isWatched, complaints);

    const disturbed: Disturbed[] = [];
    let settledAt = 0;
    const disturbing = (async () => {
      const plan = planOf(seconds, kills);
      for (const [turn, { what, at }] of plan.entries()) {
        await sleep(Math.max(0, (at - elapsed()) * 1000));
        disturbed.push({ what, at: elapsed() });
        if (what === 'kill -9') await endAll(slow);
        complaints.push(...(await disturb(server, what, turn, { auditor, commuters })));
        if (what !== 'kill -9') continue;
        slow = annoy();
        settledAt = elapsed();
      }
      isDisturbed = true;
    })();

    const samples: Sample[] = [];
    while (goesOn()) {
      await sleep((seconds / count) * 1000);
      const taken = latencies.splice(0);
      const sample = {
        at: elapsed(),
        changes: taken.length,
        median: quantile(taken, 0.5),
        p99: quantile(taken, 0.99),
        ...(await measure(server, auditor)),
      };
      samples.push(sample);
      onSample(sample);
    }
    await Promise.all([working, reading, disturbing, ...commuting]);
    isWatched = false;
    await watching;
    const problems = [...problemsOf(), ...audience.problems];
    return {
      samples,
      disturbed,
      settledAt,
      ...clerking.sums,
      watched: audience.seq,
      problems,
    };
  } finally {
    shifts?.abandon();
    await endAll(slow);
    await server.close();
  }
}

/** Kills in the first third; everything else all the time, in turn. */
function planOf(seconds: number, kills: number): readonly Disturbed[] {
  const others = Object.keys(disturbances).filter((what): what is Disturbance => what !== 'kill -9');
  const count = Math.max(others.length, Math.min(3 * others.length * 10, Math.floor(seconds / 10)));
  const plan = Array.from({ length: count }, (_, at): Disturbed => {
    return { what: others[at % others.length] ?? 'reload', at: ((at + 0.5) * seconds) / count };
  });
  for (let kill = 1; kill <= kills; kill++) plan.push({ what: 'kill -9', at: (kill * seconds) / 3 / kills });
  return plan.sort((a, b) => a.at - b.at);
}

async function endAll(attackers: readonly Attackers[]): Promise<void> {
  for (const one of attackers) await one.end();
}
