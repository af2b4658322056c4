import { setTimeout as sleep } from 'node:timers/promises';
import { line, WireClient, type WireReply } from '../support/wire-client.ts';
import type { Change } from './history.ts';
import { type Load, type Login, parseRefusal, unsettled } from './load.ts';
import { requestOf } from './request.ts';

const changesMax = 16;
const looksMax = 2;
/** A change that could not be made now is sent again after so long. */
const patienceMilliseconds = 10;

/** What a client has asked for on a connection and has no answer to: by request id, the look's number or the change. */
type Open = Map<string, number | Change>;

/**
 * A client that knows nothing of ours but the wire: it adds, takes, moves, counts, undoes and looks, much at once, and sends each
 * change that was not answered again on the next connection, until everything that it ever sent has its answer.
 */
export async function workOnTheWire(load: Load, login: Login): Promise<void> {
  let unanswered: readonly Change[] = [];
  while (!load.isAbandoned && (load.goesOn || unanswered.length > 0)) {
    const cleanings: (() => void)[] = [];
    const opening = WireClient.open(load.way(), {}, (clean) => cleanings.push(clean));
    const client = await opening.catch(() => undefined);
    if (client) unanswered = await converse(client, load, login, unanswered);
    for (const clean of cleanings) clean();
    if (unanswered.length > 0) await sleep(patienceMilliseconds); // Nobody listens at the moment.
  }
}

/** Works on a connection until it is lost or all is done; returns the changes that were not answered. */
async function converse(
  client: WireClient,
  load: Load,
  { token, location }: Login,
  unanswered: readonly Change[],
): Promise<readonly Change[]> {
  load.connections++;
  const open: Open = new Map();
  const change = (next: Change) => {
    if (client.socket.destroyed) return;
    load.asked(next);
    client.write(line(next.operation, next.kind, requestOf(next)));
  };
  const changes = () => [...open.values()].filter((asked) => typeof asked !== 'number');
  client.write(line('authenticate', 'authenticate', { token }));
  for (const again of unanswered) {
    open.set(again.operation, again);
    change(again);
  }
  for (;;) {
    const waiting = changes().length;
    for (let more = waiting; load.goesOn && more < changesMax; more++) {
      const next = load.nextChange(location);
      open.set(next.operation, next);
      change(next);
    }
    for (let more = open.size - changes().length; load.goesOn && more < looksMax; more++) {
      const look = load.nextLook(location);
      open.set(`look ${look}`, look);
      client.write(line(`look ${look}`, 'view'));
    }
    if (open.size === 0) return [];
    const reply = await client.reply();
    if (!reply || reply.id === null) return changes();
    const again = settle(reply, load, open, location);
    if (again) setTimeout(() => change(again), patienceMilliseconds);
  }
}

/** Returns a change that is to be sent again. */
function settle(reply: WireReply, load: Load, open: Open, location: string | undefined): Change | undefined {
  const [id, code] = [String(reply.id), reply.error?.data.code];
  const [asked, refusal] = [open.get(id), parseRefusal(code)];
  if (typeof asked === 'object' && code !== undefined && unsettled.has(code)) return asked;
  open.delete(id);
  if (typeof asked === 'number' && reply.result) load.seen(asked, reply.result, location);
  else if (typeof asked === 'object' && reply.result) load.acknowledged(asked, reply.result, location);
  else if (typeof asked === 'object' && refusal) load.refused(id, refusal);
  else if (id !== 'authenticate' || code) throw new Error(`${id} was answered by ${JSON.stringify(reply)}`);
  return undefined;
}
