import { afterAll, beforeAll } from 'vitest';
import { startServer, type TestServer, type TestServerOptions } from './server.ts';
import { enrollAdministrator, WireClient } from './wire-client.ts';

/** A server for all tests of a file, and what its administrator was granted. */
export interface SharedServer extends TestServer {
  readonly grant: Record<string, string>;
}

/** Starts a server before the first test of the file and stops it after the last. */
export function shareServer(options: TestServerOptions = {}): () => SharedServer {
  const cleanings: (() => unknown)[] = [];
  const whenDone = (clean: () => unknown) => void cleanings.unshift(clean);
  let shared: SharedServer | undefined;
  beforeAll(async () => {
    const server = await startServer({ ...options, whenDone });
    const grant = await enrollAdministrator(server, await WireClient.open(server, {}, whenDone));
    shared = Object.assign(server, { grant });
  });
  afterAll(async () => {
    for (const clean of cleanings) await clean();
  });
  return () => {
    if (!shared) throw new Error('The shared server is there only while tests run.');
    return shared;
  };
}
