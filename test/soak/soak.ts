import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { random } from '../fault/random.ts';
import { type Attackers, attack } from '../hostile/attackers.ts';
import { quantile } from '../load/latency.ts';
import { LoadedServer, type Machine } from '../load/loaded-server.ts';
import { enrollPerson } from '../load/person.ts';
import { type Add, addUntilDone, type Load, type Outcome } from './adder.ts';
import { Commuter } from './commuter.ts';
import { type Disturbance, type Disturbed, disturbances } from './disturbance.ts';
import { type Figures, measure, probed } from './gauge.ts';
import { look, type Movement } from './look.ts';
import { Audience, readOn } from './reader.ts';
import { disturb } from './trace.ts';

/** How it went for some seconds. */
export interface Sample extends Figures {
  /** Seconds from the start. */
  readonly at: number;
  readonly adds: number;
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
  readonly watched: number;
  /** Empty when nothing that was acknowledged is lost, nothing was counted twice and nobody was refused. */
  readonly problems: readonly string[];
}

/** How it is to go. */
export interface SoakOptions {
  readonly seconds: number;
  readonly samples: number;
  readonly kills: number;
  /** Of the pauses between adds. */
  readonly seed: number;
  /** It goes on for longer until so many are acknowledged: a busy machine does not make a test of nothing. */
  readonly addsMin?: number;
}

const adders = 6;
const items = 20;
const paceMilliseconds = 25;
/** Strangers who say nothing or drip, and readers that never read: fewer than would be told to come back. */
const slowPeers = 60;
const deafReaders = 2;
/** A watcher who reads is never so far behind. */
const catchUpMilliseconds = 10_000;

/**
 * Lets users work for so many seconds while the server is disturbed: in the first third it is killed as well, and from
 * then on one process has to stand everything.
 */
export async function soak(
  { seconds, samples: count, kills, seed, addsMin = 0 }: SoakOptions,
  onSample: (sample: Sample) => void = () => undefined,
): Promise<Soaked> {
  const complaints: string[] = [];
  const server = await LoadedServer.open({
    onLog: (text) => complaints.push(`The server complains: ${text.trim()}`),
    env: probed,
  });
  let slow: readonly Attackers[] = [];
  try {
    const names = Array.from({ length: adders }, (_, at) => `adder-${at}`);
    const [reader, deaf, ...machines] = await server.populate(['reader', 'deaf', ...names]);
    const [auditor] = await server.populate(['auditor'], 'auditor');
    if (!reader || !deaf || !auditor) throw new Error('There are no users.');
    const commuters: Commuter[] = [];
    for (const user of ['eve', 'fay']) commuters.push(new Commuter(await enrollPerson(server, user)));
    const since = performance.now();
    const elapsed = () => (performance.now() - since) / 1000;
    let answered = 0;
    let isDisturbed = false;
    const goesOn = () => elapsed() < seconds || answered < addsMin || !isDisturbed;
    const chance = random(seed);
    const annoy = () => {
      const { port, ca } = server.process;
      return [
        attack({ kind: 'silent', connections: slowPeers, port, ca }),
        attack({ kind: 'unread', connections: deafReaders, token: deaf.token, port, ca }),
      ];
    };
    slow = annoy();

    const latencies: number[] = [];
    const shared = {
      goesOn,
      pace: () => sleep(chance() * 2 * paceMilliseconds),
      answered: (milliseconds: number) => {
        answered++;
        latencies.push(milliseconds);
      },
    };
    const working = machines.map((machine) => addUntilDone(loadOf(server, machine, shared)));
    const audience = new Audience();
    const commuting = commuters.map((commuter) => commuter.commute(server, goesOn, complaints));
    const reading = readOn(server, reader, goesOn, complaints);
    let watchedUntil = Number.POSITIVE_INFINITY;
    const watching = audience.watch(server, reader, () => audience.seq < watchedUntil, complaints);

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
        adds: taken.length,
        median: quantile(taken, 0.5),
        p99: quantile(taken, 0.99),
        ...(await measure(server, auditor)),
      };
      samples.push(sample);
      onSample(sample);
    }
    const [outcomes] = await Promise.all([Promise.all(working), reading, disturbing, ...commuting]);
    const { movements, balances } = await look(server.process, reader.token);
    const problems = [...complaints, ...judgeHistory(movements, balances, outcomes)];
    const acknowledged = outcomes.flatMap((outcome) => outcome.acknowledged);
    watchedUntil = acknowledged.length;
    await Promise.race([watching, sleep(catchUpMilliseconds, undefined, { ref: false })]);
    if (audience.seq < watchedUntil) problems.push(`A watcher has ${audience.seq} of ${watchedUntil} movements.`);
    problems.push(...audience.problems, ...audience.judge(movements));
    watchedUntil = 0;
    await watching;
    return {
      samples,
      disturbed,
      settledAt,
      acknowledged: acknowledged.length,
      repeated: outcomes.reduce((sum, { repeated }) => sum + repeated, 0),
      watched: audience.seq,
      problems,
    };
  } finally {
    await endAll(slow);
    await server.close();
  }
}

function loadOf(server: LoadedServer, { token }: Machine, shared: Pick<Load, 'goesOn' | 'pace' | 'answered'>): Load {
  let added = 0;
  return {
    server: () => server.process,
    token,
    ...shared,
    next: (): Add => ({ operation: randomUUID(), item: `Item ${added++ % items}`, quantity: 1 + (added % 9) }),
  };
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

/** What is wrong with the history, measured against what the adders were told. */
function judgeHistory(
  movements: readonly Movement[],
  balances: ReadonlyMap<string, number>,
  outcomes: readonly Outcome[],
): readonly string[] {
  const told = new Map(
    outcomes.flatMap(({ acknowledged }) => acknowledged.map((add) => [add.operation, add] as const)),
  );
  const problems: string[] = [];
  const sums = new Map<string, number>();
  for (const { operation, item, delta, seq } of movements) {
    const add = told.get(operation);
    if (!add) problems.push(`Movement ${seq} was never acknowledged, or is there twice.`);
    else if (add.item !== item || add.quantity !== delta || add.seq !== seq) {
      problems.push(`Movement ${seq} is another than was acknowledged.`);
    }
    told.delete(operation);
    sums.set(item, (sums.get(item) ?? 0) + delta);
  }
  for (const { seq } of told.values()) problems.push(`Movement ${seq} was acknowledged and is lost.`);
  for (const [item, sum] of sums) if (balances.get(item) !== sum) problems.push(`The balance of ${item} is no sum.`);
  return problems.slice(0, 10);
}
