import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { verifyStore } from '../../src/store/files.ts';
import { temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, enrollUser } from '../support/wire-client.ts';
import { workOnTheWire } from './clerk.ts';
import type { Movement } from './history.ts';
import { judge, type Verdict } from './judge.ts';
import { isLong } from './length.ts';
import { workWithLibrary } from './library-clerk.ts';
import { Load, type Login, type Way } from './load.ts';
import { locations } from './next-change.ts';
import { converse, readRemains } from './remains.ts';
import { drawChances } from './seed.ts';
import { type LogOptions, type ServerProcess, startProcess } from './server-process.ts';
import { buildShim, type Shim } from './shim.ts';

/** What a test does its harm with, while clients work. */
export interface Stage {
  readonly folder: string;
  readonly load: Load;
  readonly server: ServerProcess;
  /** Kills the server if it still runs, and starts one in its place, which is `server` from then on. */
  restart(): Promise<ServerProcess>;
}

export interface TrialOptions extends LogOptions {
  /** Clients that know only the wire. */
  readonly clerks?: number;
  /** Clients that use our library. They need a way whose port stays. */
  readonly libraries?: number;
  /** Leads the clients elsewhere, such as through a bad network. */
  readonly route?: (server: () => Way) => Promise<() => Way>;
  /** Makes the folder as it is to be, before the server is started there with this environment. */
  readonly prepare?: (folder: string) => NodeJS.ProcessEnv | Promise<NodeJS.ProcessEnv>;
}

/** The verdict, and what is left of it all. */
export interface Outcome extends Verdict {
  readonly ledger: readonly Movement[];
  /** How many connections the clients made in all. */
  readonly connections: number;
}

/**
 * Lets clients work on a real server process while `harm` is done to it, brings everything that was begun to its end,
 * and judges what the clients saw by what is left, in the server and in its files.
 */
export async function tryUnder(harm: (stage: Stage) => Promise<void>, options: TrialOptions = {}): Promise<Outcome> {
  const { clerks = 8, libraries = 0, route, prepare, ...log } = options;
  const folder = await temporaryFolder();
  const settings = prepare ? { ...log, env: await prepare(folder) } : log;
  let server = await startProcess(folder, true, settings);
  let isFinished = false;
  onTestFinished(() => {
    isFinished = true;
    return server.kill();
  });
  const [administrator, limited] = await enroll(server);
  const { token } = administrator;
  const direct = () => server;
  const load = new Load(token, route ? await route(direct) : direct, drawChances());
  onTestFinished(() => load.abandon());
  const authority = join(folder, 'certs', 'server-ca.pem');
  const loginOf = (clerk: number) => (clerk % 3 === 2 ? limited : administrator);
  const working = Promise.all([
    ...Array.from({ length: clerks }, (_, at) => workOnTheWire(load, loginOf(at))),
    ...Array.from({ length: libraries }, (_, at) => workWithLibrary(load, loginOf(at), authority)),
  ]);
  const stage: Stage = {
    folder,
    load,
    get server() {
      return server;
    },
    async restart() {
      await server.kill();
      server = await startProcess(folder, false, settings);
      if (isFinished) await server.kill(); // The test had no more time for it.
      return server;
    },
  };
  try {
    await Promise.race([harm(stage), working]); // A client that fails ends the test at once.
  } finally {
    load.end();
  }
  await working;
  const remains = await readRemains(server, token);
  await server.kill();
  await verifyStore(`sqlite:${join(folder, 'data', 'inventory.db')}`, () => undefined);
  const verdict = judge(load.history, remains);
  if (isLong) console.info(`${expect.getState().currentTestName}: ${JSON.stringify(verdict)}`);
  return { ...verdict, ledger: remains.ledger, connections: load.connections };
}

/** The same with a shim below the server, whose folder `data` can fail. */
export function tryWithShim(
  harm: (stage: Stage, shim: Shim) => Promise<void>,
  options: Omit<TrialOptions, 'prepare'> = {},
): Promise<Outcome> {
  let shim: Shim | undefined;
  const prepare = (folder: string) => {
    shim = buildShim(folder, join(folder, 'data'));
    return shim.env;
  };
  return tryUnder(async (stage) => shim && harm(stage, shim), { ...options, prepare });
}

/** Makes the places, the first administrator, and a clerk for whom there is only the last of the places. */
async function enroll(server: ServerProcess): Promise<readonly [administrator: Login, limited: Login]> {
  const { link } = server;
  if (!link) throw new Error('The server printed no link.');
  return converse(server, async (client) => {
    const { accessToken: token = '' } = await enrollAdministrator({ ...server, link: () => link }, client);
    for (const location of locations) if (location !== 'main') await client.ask('location.add', { location });
    const clerk = await enrollUser(server, client, 'clara', 'clerk');
    clerk.client.socket.destroy();
    const location = locations[1];
    await client.ask('user.limit', { user: 'clara', locations: [location] });
    return [{ token }, { token: clerk.grant['accessToken'] ?? '', location }];
  });
}

/** What the server warns its operator of. */
export function warningsOf({ way, token }: Load): Promise<unknown> {
  return converse(way(), async (client) => {
    await client.ask('authenticate', { token });
    return (await client.ask('server.status'))?.result?.['warnings'];
  });
}
