import { setTimeout as sleep } from 'node:timers/promises';
import { line, WireClient, type WireReply } from '../support/wire-client.ts';
import type { Change } from './history.ts';
import { type Load, type Login, parseRefusal, unsettled } from './load.ts';
import { requestOf } from './request.ts';

/** How a client works. */
export interface Manner {
  /** How many changes it waits for at a time, and how many looks. */
  readonly changesMax: number;
  readonly looksMax: number;
  /** Answers after which it sends the same again; any other that is no verdict ends the test. */
  readonly unsettled: ReadonlySet<string>;
  /** Waited for before each new change. */
  pause?(): Promise<unknown>;
  /** Told of each change that was answered on the connection on which it was first sent: how long that took. */
  answered?(milliseconds: number): void;
}

const hasty: Manner = { changesMax: 16, looksMax: 2, unsettled };
/** A change that could not be made now is sent again after so long. */
const patienceMilliseconds = 10;

/** What a client has asked for on a connection and has no answer to: by request id, the look's number or the change. */
type Open = Map<string, number | Change>;

/**
 * A client that knows nothing of ours but the wire: it adds, takes, moves, counts, undoes and looks, much at once, and sends each
 * change that was not answered again on the next connection, until everything that it ever sent has its answer.
 */
export async function workOnTheWire(load: Load, login: Login, manner: Manner = hasty): Promise<void> {
  let unanswered: readonly Change[] = [];
  while (!load.isAbandoned && (load.goesOn || unanswered.length > 0)) {
    const cleanings: (() => void)[] = [];
    const opening = WireClient.open(load.way(), {}, (clean) => cleanings.push(clean));
    const client = await opening.catch(() => undefined);
    if (client) unanswered = await converse(client, load, login, manner, unanswered);
    for (const clean of cleanings) clean();
    if (!client || unanswered.length > 0) await sleep(patienceMilliseconds); // Nobody listens at the moment.
  }
}

/** Works on a connection until it is lost or all is done; returns the changes that were not answered. */
async function converse(
  client: WireClient,
  load: Load,
  login: Login,
  manner: Manner,
  unanswered: readonly Change[],
): Promise<readonly Change[]> {
  load.connections++;
  const open: Open = new Map();
  const sentAt = new Map<string, number>();
  const change = (next: Change) => {
    if (client.socket.destroyed) return;
    load.asked(next);
    client.write(line(next.operation, next.kind, requestOf(next)));
  };
  const changes = () => [...open.values()].filter((asked) => typeof asked !== 'number');
  client.write(line('authenticate', 'authenticate', { token: login.token }));
  for (const again of unanswered) {
    open.set(again.operation, again);
    change(again);
  }
  for (;;) {
    const waiting = changes().length;
    for (let more = waiting; load.goesOn && more < manner.changesMax; more++) {
      if (manner.pause) await manner.pause();
      const next = load.nextChange(login);
      open.set(next.operation, next);
      sentAt.set(next.operation, performance.now());
      change(next);
    }
    for (let more = open.size - changes().length; load.goesOn && more < manner.looksMax; more++) {
      const look = load.nextLook(login);
      open.set(`look ${look}`, look);
      client.write(line(`look ${look}`, 'view'));
    }
    if (open.size === 0) return [];
    const reply = await client.reply();
    if (!reply || reply.id === null) return changes();
    const again = settle(reply, load, login, manner, open);
    if (again) {
      setTimeout(() => change(again), patienceMilliseconds);
      continue;
    }
    const sent = sentAt.get(String(reply.id));
    if (sent !== undefined) manner.answered?.(performance.now() - sent);
    sentAt.delete(String(reply.id));
  }
}

/** Returns a change that is to be sent again. */
function settle(reply: WireReply, load: Load, login: Login, manner: Manner, open: Open): Change | undefined {
  const [id, code] = [String(reply.id), reply.error?.data.code];
  const [asked, refusal] = [open.get(id), parseRefusal(code)];
  if (typeof asked === 'object' && code !== undefined && manner.unsettled.has(code)) return asked;
  open.delete(id);
  if (typeof asked === 'number' && reply.result) load.seen(asked, reply.result, login);
  else if (typeof asked === 'object' && reply.result) load.acknowledged(asked, reply.result, login);
  else if (typeof asked === 'object' && refusal) load.refused(id, refusal);
  else if (id !== 'authenticate' || code) throw new Error(`${id} was answered by ${JSON.stringify(reply)}`);
  return undefined;
}
