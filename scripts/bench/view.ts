import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, type Progress, type Row } from './measurement.ts';
import { childrenProcessorTime } from './processor-time.ts';
import { openSecureInv, programs } from './secure-inv-peer.ts';
import type { Workspace } from './workspace.ts';

const runsMin = 15;
const items = 20;

interface Program {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

interface Run {
  readonly milliseconds: number;
  readonly processorMilliseconds: number;
}

/** `secure-inv view` from start to end, and in turn a script that does no more than send the same request over TLS. */
export async function measureView(
  workspace: Workspace,
  certs: string,
  { rounds }: { readonly rounds: number },
  progress: Progress,
): Promise<readonly Row[]> {
  const peer = await openSecureInv(workspace, certs, 'view');
  const lines = Array.from({ length: items }, (_, at) => ({ item: `Item ${at}`, quantity: 1 + at }));
  await peer.ask('add', { lines, operation: randomUUID() });
  const token = join(workspace.folder, 'token');
  await writeFile(token, peer.target.secret);
  const bare = fileURLToPath(new URL('./bare-view.js', import.meta.url));
  const programsInTurn: readonly Program[] = [
    { name: 'secure-inv view', argv: [programs.client, 'view'], env: peer.env },
    { name: 'bare script', argv: [bare, `${peer.target.port}`, join(certs, 'server-ca.pem'), token], env: peer.env },
  ];
  const measured = programsInTurn.map((): Run[] => []);
  const runs = Math.max(runsMin, rounds);
  for (let run = 0; run <= runs; run++) {
    progress.show(`view as a whole process, run ${run} of ${runs}`);
    for (const [at, program] of programsInTurn.entries()) {
      const result = await runOnce(workspace, program);
      if (run > 0) measured[at]?.push(result); // The first fills the caches, of files and of compiled code.
    }
  }
  const walls = measured.map((all) => median(all.map(({ milliseconds }) => milliseconds)));
  return programsInTurn.map(({ name }, at) => {
    // The clock of processor time ticks too rarely for a median of single runs.
    const used = (measured[at] ?? []).reduce((sum, run) => sum + run.processorMilliseconds, 0) / runs;
    return [
      'view as a whole process',
      name,
      `${(walls[at] ?? 0).toFixed(1)} ms`,
      `${used.toFixed(1)} ms`,
      '',
      at === 0 ? `${((walls[0] ?? 0) / (walls[1] ?? 0)).toFixed(2)} ×` : '',
    ];
  });
}

async function runOnce(workspace: Workspace, { name, argv, env }: Program): Promise<Run> {
  const usedBefore = childrenProcessorTime();
  const since = performance.now();
  const child = workspace.spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  const [status] = await once(child, 'exit');
  const milliseconds = performance.now() - since;
  if (status !== 0 || !text.includes(`Item ${items - 1}`)) throw new Error(`${name} ended with ${status}:\n${text}`);
  return { milliseconds, processorMilliseconds: (childrenProcessorTime() - usedBefore) / 1000 };
}
