import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rotateKeys } from '../../src/auth/key-rotation.ts';
import { renewServer } from '../../src/pki/renewal.ts';
import type { LoadedServer } from '../load/loaded-server.ts';

/** What an operator, or bad luck, does to a server that is at work. */
export const disturbances = {
  // Each time another value, and never the default.
  reload: async (server: LoadedServer, turn: number) => {
    await writeFile(join(server.folder, 'server.jsonc'), `{ "audit": { "days": ${401 + turn} } }`);
    server.process.signal('SIGHUP');
  },
  'new keys': (server: LoadedServer) => rotateKeys(join(server.folder, 'data', 'token-keys.json')),
  // With its key: two new files are, for a moment, a pair that does not fit, and the log says so.
  'new certificate': (server: LoadedServer) => renewServer(server.certs),
  'kill -9': (server: LoadedServer) => server.killAndStart(),
} as const satisfies Readonly<Record<string, (server: LoadedServer, turn: number) => Promise<unknown>>>;

export type Disturbance = keyof typeof disturbances;

/** Something that was done, and when: seconds from the start. */
export interface Disturbed {
  readonly what: Disturbance;
  readonly at: number;
}
