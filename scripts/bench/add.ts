import { once } from 'node:events';
import { median, type Progress, type Row } from './measurement.ts';
import type { LoadJob, LoadNews, Peer } from './peer.ts';
import { processorTime } from './processor-time.ts';
import { findRedis, openRedis } from './redis-peer.ts';
import { openSecureInv } from './secure-inv-peer.ts';
import { end, type Workspace } from './workspace.ts';

const connections = 64;
const depths = [1, 16];
const warmUpSeconds = 1;

interface Round {
  readonly perSecond: number;
  /** Microseconds of processor time for each add. */
  readonly server: number;
  readonly generator: number;
}

/** Durable, exactly-once adds of hot items on many connections: here and on Redis in turn. */
export async function measureAdd(
  workspace: Workspace,
  certs: string,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  progress: Progress,
): Promise<readonly Row[]> {
  const version = findRedis();
  if (version === undefined) progress.say('redis-server was not found: nothing to compare add with.');
  const peers: Peer[] = [await openSecureInv(workspace, certs, 'add')];
  if (version !== undefined) peers.push(await openRedis(workspace, certs, version));

  const rows: Row[] = [];
  for (const depth of depths) {
    const measured = peers.map((): Round[] => []);
    for (let round = 1; round <= rounds; round++) {
      for (const [at, peer] of peers.entries()) {
        progress.show(`add, ${depth} in flight, round ${round} of ${rounds}: ${peer.name}`);
        const job = { target: peer.target, connections, depth, warmUpSeconds, seconds };
        measured[at]?.push(await measureRound(workspace, peer, job));
      }
    }
    const speeds = measured.map((all) => median(all.map(({ perSecond }) => perSecond)));
    for (const [at, peer] of peers.entries()) {
      const all = measured[at] ?? [];
      rows.push([
        `add, ${connections} connections, ${depth} in flight`,
        peer.name,
        `${Math.round(speeds[at] ?? 0).toLocaleString('en')}/s`,
        `${median(all.map(({ server }) => server)).toFixed(1)} µs`,
        `${median(all.map(({ generator }) => generator)).toFixed(1)} µs`,
        at === 0 && peers.length > 1 ? `${((speeds[0] ?? 0) / (speeds[1] ?? 0)).toFixed(2)} ×` : '',
      ]);
    }
  }
  return rows;
}

/** One round of adds. Throws when the peer did not count all that it acknowledged. */
export async function measureRound(workspace: Workspace, peer: Peer, job: LoadJob): Promise<Round> {
  const countedBefore = await peer.counted();
  const load = workspace.fork(new URL('./load.ts', import.meta.url));
  const failed = once(load, 'exit').then(() => {
    throw new Error(`The load generator gave up on ${peer.name}.`);
  });
  const news = async (): Promise<LoadNews> => (await Promise.race([once(load, 'message'), failed]))[0];
  load.send(job);
  await news();
  const before = processorTime(peer.pid);
  const counted = await news();
  const after = processorTime(peer.pid);
  failed.catch(() => undefined); // From here on it is meant to end.
  await end(load);
  if (counted === 'counting') throw new Error('The load generator said twice that it begins to count.');
  if ((await peer.counted()) - countedBefore < counted.adds) throw new Error(`${peer.name} lost adds.`);
  return {
    perSecond: counted.adds / counted.seconds,
    server: (after - before) / counted.adds,
    generator: counted.processorTime / counted.adds,
  };
}
