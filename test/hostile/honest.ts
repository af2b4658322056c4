import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadedServer, Machine } from '../load/loaded-server.ts';
import { logIn, type Person } from '../load/person.ts';
import type { WireClient } from '../support/wire-client.ts';

/** How honest clients were served: milliseconds of each request, and what went wrong. */
export interface Service {
  readonly adds: number[];
  readonly views: number[];
  /** From the first byte of a new connection to its first answer after it has shown who it is. */
  readonly arrivals: number[];
  /** From the first byte of a new connection to the answer to a password, on a device that is known. */
  readonly logins: number[];
  readonly complaints: string[];
}

/** Who works honestly: members with API tokens all the time, of whom the first comes anew as well, and a person who logs in. */
export interface Cast {
  readonly members: readonly Machine[];
  readonly person?: Person;
  readonly chance: () => number;
}

const answerMillisecondsMax = 10_000;
const items = 20;
const arrivalMilliseconds = 25;
/** Rarer than a user may (`ownChangesPerMinuteMax`). */
const loginMilliseconds = 700;

/**
 * Works for so long, and once at the least, as people and their machines do: each member adds one thing, waits for the answer and a moment
 * longer, and looks at it; now and then somebody comes anew.
 */
export async function serveHonestly(
  server: LoadedServer,
  { members, person, chance }: Cast,
  seconds: number,
): Promise<Service> {
  const service: Service = { adds: [], views: [], arrivals: [], logins: [], complaints: [] };
  const end = performance.now() + seconds * 1000;
  const goesOn = () => performance.now() < end && service.complaints.length === 0;
  const [newcomer] = members;
  const working = members.map((member, at) => work(server, member, at, service, goesOn, chance));
  const arrive = ({ token }: Machine) => server.converse((client) => ask(client, 'authenticate', { token }));
  const coming = newcomer
    ? [repeat(() => arrive(newcomer), service.arrivals, arrivalMilliseconds, service, goesOn)]
    : [];
  const logging = person
    ? [repeat(() => logIn(server, person), service.logins, loginMilliseconds, service, goesOn)]
    : [];
  await Promise.all([...working, ...coming, ...logging]);
  return service;
}

async function work(
  server: LoadedServer,
  { token }: Machine,
  at: number,
  service: Service,
  goesOn: () => boolean,
  chance: () => number,
): Promise<void> {
  const moment = () => sleep(2 + chance() * 10);
  await complaining(service, () =>
    server.converse(async (client) => {
      await ask(client, 'authenticate', { token });
      let turn = at;
      do {
        const item = `Item ${turn % items}`;
        service.adds.push(await ask(client, 'add', { item, quantity: 1, operation: randomUUID() }));
        await moment();
        service.views.push(await ask(client, 'view', { items: [item] }));
        await moment();
        turn++;
      } while (goesOn());
    }),
  );
}

/** Does it again and again, and puts down how long each time took. */
async function repeat(
  work: () => Promise<unknown>,
  times: number[],
  pauseMilliseconds: number,
  service: Service,
  goesOn: () => boolean,
): Promise<void> {
  do {
    await complaining(service, async () => {
      const since = performance.now();
      await work();
      times.push(performance.now() - since);
    });
    await sleep(pauseMilliseconds);
  } while (goesOn());
}

/** Asks, demands a result, and tells how long it took. */
async function ask(client: WireClient, method: string, params: object): Promise<number> {
  const since = performance.now();
  const late = sleep(answerMillisecondsMax, 'late' as const, { ref: false });
  const reply = await Promise.race([client.ask(method, params), late]);
  if (reply === 'late') throw new Error(`${method} took longer than ${answerMillisecondsMax} ms`);
  if (!reply?.result) throw new Error(`${method} was refused: ${JSON.stringify(reply?.error ?? 'closed')}`);
  return performance.now() - since;
}

async function complaining(service: Service, what: () => Promise<unknown>): Promise<void> {
  try {
    await what();
  } catch (error) {
    service.complaints.push(error instanceof Error ? error.message : String(error));
  }
}
