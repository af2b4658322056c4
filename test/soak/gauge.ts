import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedServer, Machine } from '../load/loaded-server.ts';
import { openDescriptors, residentMebibytes } from '../support/process-figures.ts';

/** What a server occupies; undefined what the system does not say, or the server did not when it was asked. */
export interface Figures {
  /** MiB of the whole process. */
  readonly resident: number | undefined;
  /** MiB that its JavaScript holds after a full collection, as of the measurement before. */
  readonly heap: number | undefined;
  readonly descriptors: number | undefined;
  /** Those of them behind which there is a connection that has shaken hands. */
  readonly connections: number | undefined;
}

/** The environment in which a server can be asked for its heap. */
export const probed: NodeJS.ProcessEnv = {
  ...process.env,
  NODE_OPTIONS: `--import ${new URL('./heap-probe.ts', import.meta.url).href}`,
};

/** Measures a server that was started in that environment; an auditor may ask for what only the server knows. */
export async function measure(server: LoadedServer, { token }: Machine): Promise<Figures> {
  const { pid } = server.process;
  const [resident, descriptors, heap] = [residentMebibytes(pid), openDescriptors(pid), readHeap(server.folder)];
  server.process.signal('SIGUSR2');
  const asking = server.converse(async (client) => {
    await client.ask('authenticate', { token });
    return (await client.ask('server.status'))?.result?.['connections'];
  });
  const connections = await asking.catch(() => undefined); // It is being killed.
  // The one that asked came after the descriptors were counted.
  return { resident, heap, descriptors, connections: connections === undefined ? undefined : Number(connections) - 1 };
}

function readHeap(folder: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, 'heap'), 'utf8')) / 1024 / 1024 || undefined;
  } catch {
    return undefined; // It was not asked yet.
  }
}
