import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedServer } from '../load/loaded-server.ts';
import { connectedPeers, openDescriptors, residentMebibytes } from '../support/process-figures.ts';

/** What a server occupies; undefined what the system does not say, or the server did not when it was asked. */
export interface Figures {
  /** MiB of the whole process. */
  readonly resident: number | undefined;
  /** MiB that its JavaScript holds after a full collection, as of the measurement before. */
  readonly heap: number | undefined;
  readonly descriptors: number | undefined;
  /** Those of them at whose other end there is a peer, be it one that never shakes hands. */
  readonly connections: number | undefined;
}

/** The environment in which a server can be asked for its heap. */
export const probed: NodeJS.ProcessEnv = {
  ...process.env,
  NODE_OPTIONS: `--import ${new URL('./heap-probe.ts', import.meta.url).href}`,
};

/** Measures a server that was started in that environment. */
export function measure({ process: { pid, port, signal }, folder }: LoadedServer): Figures {
  const [resident, descriptors, connections] = [residentMebibytes(pid), openDescriptors(pid), connectedPeers(port)];
  const heap = readHeap(folder);
  signal('SIGUSR2');
  return { resident, heap, descriptors, connections };
}

function readHeap(folder: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, 'heap'), 'utf8')) / 1024 / 1024 || undefined;
  } catch {
    return undefined; // It was not asked yet.
  }
}
