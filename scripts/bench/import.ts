import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientConnection } from '../../src/client/connect.ts';
import { median, type Progress, type Row } from './measurement.ts';
import type { LoadTarget } from './peer.ts';
import { openSecureInv, programs, type SecureInvPeer } from './secure-inv-peer.ts';
import type { Workspace } from './workspace.ts';

const connections = 8;
const rows = 100_000;
const lookMilliseconds = 20;

/** What the clients are told that others' imports may delay. */
export interface LatencyJob {
  readonly target: LoadTarget;
  readonly connections: number;
}

/** How long they waited for their answers, in milliseconds. */
export interface Latency {
  readonly adds: number;
  readonly median: number;
  readonly p99: number;
}

/** The states that an import goes through, each with what the others waited meanwhile. */
const phases = ['quiet', 'staged', 'accepted'] as const;
type Round = Readonly<Record<(typeof phases)[number], Latency & { readonly seconds: number }>>;

/** How long eight others wait for their adds while a file of 100,000 new items comes in, and while it does not. */
export async function measureImport(
  workspace: Workspace,
  certs: string,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  progress: Progress,
): Promise<readonly Row[]> {
  const peer = await openSecureInv(workspace, certs, 'import');
  const load = workspace.fork(new URL('./add-latency.ts', import.meta.url));
  const take = async (): Promise<Latency> => {
    load.send('take');
    return (await once(load, 'message'))[0];
  };
  load.send({ target: peer.target, connections } satisfies LatencyJob);
  await sleep(1000);
  const measured: Round[] = [];
  for (let round = 1; round <= rounds; round++) {
    progress.show(`import, round ${round} of ${rounds}`);
    measured.push(await measureRound(workspace, peer, round, seconds, take));
  }
  return phases.map((phase) => {
    const p99 = median(measured.map((round) => round[phase].p99));
    const ratio = median(measured.map((round) => round[phase].p99 / round.quiet.p99));
    const took = median(measured.map((round) => round[phase].seconds));
    return [
      `p99 of add by ${connections}, import ${phase === 'quiet' ? 'none' : phase} (${took.toFixed(1)} s)`,
      peer.name,
      `${p99.toFixed(2)} ms`,
      '',
      '',
      phase === 'quiet' ? '' : `${ratio.toFixed(2)} ×`,
    ];
  });
}

async function measureRound(
  workspace: Workspace,
  peer: SecureInvPeer,
  round: number,
  seconds: number,
  take: () => Promise<Latency>,
): Promise<Round> {
  const file = join(workspace.folder, `import-${round}.csv`);
  const lines = Array.from({ length: rows }, (_, at) => `Imported ${round} ${at},${(at % 500) + 1},kg`);
  await writeFile(file, `item,quantity,unit\n${lines.join('\n')}\n`);
  const { port, ca, secret } = peer.target;
  const connection = await ClientConnection.open({ host: '127.0.0.1', port, ca });
  await connection.request('authenticate', { token: secret });
  /** Resolves when the import is in this state, which it is last when it is done. */
  const reached = async (state: string) => {
    for (;;) {
      const status = await connection.request('import.status', { import: round }).catch(() => undefined);
      if (Object(status).state === state || Object(status).state === 'done') return;
      await sleep(lookMilliseconds);
    }
  };
  const timed = async (until: Promise<unknown>) => {
    const begun = performance.now();
    await take();
    await until;
    return { ...(await take()), seconds: (performance.now() - begun) / 1000 };
  };
  const quiet = await timed(sleep(seconds * 1000));
  workspace.spawn(process.execPath, [programs.client, 'import', file], { env: peer.env, stdio: 'ignore' });
  await reached('staged');
  const staged = await timed(reached('accepted'));
  const accepted = await timed(reached('done'));
  connection.close();
  return { quiet, staged, accepted };
}
