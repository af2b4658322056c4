import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedServer, Machine } from '../load/loaded-server.ts';
import { connectedPeers, openDescriptors, residentMebibytes } from '../support/process-figures.ts';
import type { Division } from './heap-probe.ts';

const mebibyte = 1024 * 1024;

/** What a server occupies; undefined what the system does not say, or the server did not when it was asked. */
export interface Figures {
  /** MiB of the whole process. */
  readonly resident: number | undefined;
  /** MiB as of the measurement before, divided as in `Division`. */
  readonly heap: number | undefined;
  readonly threads: number | undefined;
  readonly beside: number | undefined;
  readonly descriptors: number | undefined;
  /** Those of them behind which there is a connection that has shaken hands. */
  readonly connections: number | undefined;
  /** And those at whose other end there is a peer, be it one that never shakes hands. */
  readonly peers: number | undefined;
}

/** The environment in which a server can be asked for its heap. */
export const probed: NodeJS.ProcessEnv = {
  ...process.env,
  NODE_OPTIONS: `--import ${new URL('./heap-probe.ts', import.meta.url).href}`,
};

/** Measures a server that was started in that environment; an auditor may ask for what only the server knows. */
export async function measure(server: LoadedServer, { token }: Machine): Promise<Figures> {
  const { pid, port } = server.process;
  const [resident, descriptors, peers] = [residentMebibytes(pid), openDescriptors(pid), connectedPeers(port)];
  const { live: heap, threads, beside } = readDivision(server.folder);
  server.process.signal('SIGUSR2');
  const asking = server.converse(async (client) => {
    await client.ask('authenticate', { token });
    return (await client.ask('server.status'))?.result?.['connections'];
  });
  const asked = await asking.catch(() => undefined); // It is being killed.
  // The one that asked came after the descriptors were counted.
  const connections = asked === undefined ? undefined : Number(asked) - 1;
  return { resident, heap, threads, beside, descriptors, connections, peers };
}

/** In MiB. */
function readDivision(folder: string): Partial<Division> {
  try {
    // heap-probe.ts has written it.
    const { live, threads, beside } = JSON.parse(readFileSync(join(folder, 'heap'), 'utf8')) as Division;
    return { live: live / mebibyte, threads: threads / mebibyte, beside: beside / mebibyte };
  } catch {
    return {}; // It was not asked yet, or is writing.
  }
}
