import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { serverOptions } from '../../scripts/programs.ts';
import { LoadedServer } from '../load/loaded-server.ts';
import { openDescriptors, residentMebibytes } from '../support/process-figures.ts';
import { attack } from './attackers.ts';

const connections = 5000;
const ratioMax = 1.3;
/** Both are looked at when what was needed for the handshakes alone had time to be given back. */
const settleSeconds = 5;
const users = 20;

/** What holds connections, and how many MiB it needed for them. */
interface Holding {
  readonly held: number;
  readonly before: number;
  readonly after: number;
}

/** What 5,000 idle connections that are logged in occupy here, and what they do in a bare TLS server. */
export async function measureIdle(): Promise<{ text: string; problems: readonly string[] }> {
  const server = await LoadedServer.open({ onLog: () => undefined });
  try {
    const machines = await server.populate(Array.from({ length: users }, (_, at) => `idle-${at}`));
    const { pid, port, ca } = server.process;
    const ours = await hold(
      pid,
      port,
      ca,
      machines.map(({ token }) => token),
    );
    const bare = await holdBare(server);
    const ratio = ours.after / bare.after;
    const each = ({ held, before, after }: Holding) => `${(((after - before) * 1024) / held).toFixed(1)} KiB each`;
    const tell = (one: Holding) => `${one.before.toFixed(0)} → ${one.after.toFixed(0)} MiB, ${each(one)}`;
    const text = `${connections} idle connections: ${tell(ours)}; bare TLS server: ${tell(bare)}; ${ratio.toFixed(2)} ×`;
    const problems = [
      ...(ours.held < connections ? [`  only ${ours.held} idle connections were kept`] : []),
      ...(ratio > ratioMax ? [`  idle connections need more than ${ratioMax} × a bare server's memory`] : []),
    ];
    return { text, problems };
  } finally {
    await server.close();
  }
}

async function holdBare({ certs, process: { ca } }: LoadedServer): Promise<Holding> {
  const module = fileURLToPath(new URL('./bare-server.ts', import.meta.url));
  const bare: ChildProcess = fork(module, [certs], { execArgv: [...serverOptions] });
  try {
    const [{ port }]: [AddressInfo] = (await once(bare, 'message')) as [AddressInfo]; // All that it says.
    return await hold(bare.pid ?? 0, port, ca, ['any']);
  } finally {
    bare.kill('SIGKILL');
  }
}

async function hold(pid: number, port: number, ca: string, tokens: readonly string[]): Promise<Holding> {
  await sleep(1000);
  const before = residentMebibytes(pid) ?? Number.NaN;
  const openBefore = openDescriptors(pid) ?? 0;
  const attackers = attack({ kind: 'idle', connections, port, ca, tokens });
  while (attackers.tally.done < connections) await sleep(100);
  await sleep(settleSeconds * 1000);
  const [after, open] = [residentMebibytes(pid) ?? Number.NaN, openDescriptors(pid) ?? 0];
  await attackers.end();
  return { held: open - openBefore, before, after };
}
