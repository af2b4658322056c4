import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';
import { type Add, addUntilDone, type Load } from './adder.ts';
import { type ServerProcess, startProcess } from './server-process.ts';

interface Movement {
  readonly operation: string;
  readonly item: string;
  readonly delta: number;
  readonly seq: number;
}

/** What is left in the end, beside what the clients were told. */
export interface Aftermath {
  readonly acknowledged: readonly (Add & { readonly seq: number })[];
  readonly repeated: number;
  readonly movements: readonly Movement[];
  readonly balances: ReadonlyMap<string, number>;
}

type WhenDone = (clean: () => Promise<void>) => void;

const clients = 8;
const items = 5;
const loadMillisecondsMax = 300;

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Kills a server this often at any moment while 8 clients add to it, and tells what is left. */
export async function killUnderLoad(kills: number, seed: number, whenDone: WhenDone): Promise<Aftermath> {
  const chance = random(seed);
  const folder = await temporaryFolder(whenDone);
  let server = await startProcess(folder, true);
  whenDone(() => server.kill());
  const token = await enroll(server);
  let left = kills;
  const load: Load = {
    server: () => server,
    token,
    goesOn: () => left > 0,
    next: () => ({
      operation: randomUUID(),
      item: `Item ${Math.floor(chance() * items)}`,
      quantity: 1 + Math.floor(chance() * 100),
    }),
  };
  const running = Promise.all(Array.from({ length: clients }, () => addUntilDone(load)));
  running.catch(() => undefined); // Told below, when the kills are over.
  for (; left > 0; left--) {
    await sleep(chance() * loadMillisecondsMax);
    await server.kill();
    server = await startProcess(folder);
  }
  const outcomes = await running;
  return {
    acknowledged: outcomes.flatMap(({ acknowledged }) => acknowledged),
    repeated: outcomes.reduce((sum, { repeated }) => sum + repeated, 0),
    ...(await look(server, token)),
  };
}

async function enroll(server: ServerProcess): Promise<string> {
  const { link } = server;
  if (!link) throw new Error('The server printed no link.');
  const grant = await open(server, (client) => enrollAdministrator({ ...server, link: () => link }, client));
  return grant['accessToken'] ?? '';
}

/** All that a server has, as whoever has this token sees it. */
export async function look(server: ServerProcess, token: string): Promise<Pick<Aftermath, 'movements' | 'balances'>> {
  return open(server, async (client) => {
    await client.ask('authenticate', { token });
    const movements: Movement[] = [];
    for (let cursor: unknown; ; ) {
      const page = await client.ask('history', { limit: 1000, ...(cursor === undefined ? {} : { cursor }) });
      const rows = page?.result?.['movements'] as Movement[]; // As src/wire/README.md has it.
      movements.push(...rows);
      cursor = page?.result?.['cursor'];
      if (cursor === undefined) break;
    }
    const viewed = await client.ask('view');
    const stock = viewed?.result?.['items'] as { item: string; quantity: number }[]; // As above.
    return { movements, balances: new Map(stock.map(({ item, quantity }) => [item, quantity])) };
  });
}

async function open<T>(server: ServerProcess, use: (client: WireClient) => Promise<T>): Promise<T> {
  const cleanings: (() => void)[] = [];
  try {
    return await use(await WireClient.open(server, {}, (clean) => cleanings.push(clean)));
  } finally {
    for (const clean of cleanings) clean();
  }
}
