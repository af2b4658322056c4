import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from '../fault/server-process.ts';
import { line, WireClient, type WireReply } from '../support/wire-client.ts';

/** An add that a client means to have counted once, whatever happens. */
export interface Add {
  readonly operation: string;
  readonly item: string;
  readonly quantity: number;
}

/** What every client shares: who serves now, as whom to ask, whether to begin new adds, and what there is to add. */
export interface Load {
  server(): ServerProcess;
  readonly token: string;
  goesOn(): boolean;
  next(): Add;
  /** Waited for before each new add, of which there is one at a time then; without it, as many as may be are in flight. */
  pace?(): Promise<unknown>;
  /** Told of each add that was answered on the connection on which it was first sent: how long that took. */
  answered?(milliseconds: number): void;
}

/** What one client saw. */
export interface Outcome {
  readonly acknowledged: readonly (Add & { readonly seq: number })[];
  /** How often an add was sent again because its answer had been lost. */
  readonly repeated: number;
}

const inFlightMax = 16;

/**
 * A client that adds with operation ids, many in flight, and sends what was not answered again on the next connection,
 * until everything it ever sent was acknowledged.
 */
export async function addUntilDone(load: Load): Promise<Outcome> {
  const acknowledged: (Add & { seq: number })[] = [];
  const open = new Map<string, Add>();
  let repeated = 0;
  while (load.goesOn() || open.size > 0) {
    const cleanings: (() => void)[] = [];
    const opening = WireClient.open(load.server(), {}, (clean) => cleanings.push(clean));
    const client = await opening.catch(() => undefined);
    if (client) {
      client.write(line('authenticate', 'authenticate', { token: load.token }));
      for (const add of open.values()) client.write(line(add.operation, 'add', add));
      repeated += open.size;
      await converse(client, load, open, acknowledged);
    } else {
      await sleep(10); // Nobody listens at the moment.
    }
    for (const clean of cleanings) clean();
  }
  return { acknowledged, repeated };
}

async function converse(
  client: WireClient,
  load: Load,
  open: Map<string, Add>,
  acknowledged: (Add & { seq: number })[],
): Promise<void> {
  const sentAt = new Map<string, number>();
  for (;;) {
    while (load.goesOn() && open.size < (load.pace ? 1 : inFlightMax)) {
      await load.pace?.();
      const add = load.next();
      open.set(add.operation, add);
      if (load.answered) sentAt.set(add.operation, performance.now());
      client.write(line(add.operation, 'add', add));
    }
    if (open.size === 0) return;
    const reply = await client.reply();
    if (!reply) return;
    settle(reply, open, acknowledged);
    const sent = sentAt.get(String(reply.id));
    if (sent !== undefined) load.answered?.(performance.now() - sent);
    sentAt.delete(String(reply.id));
  }
}

function settle(reply: WireReply, open: Map<string, Add>, acknowledged: (Add & { seq: number })[]): void {
  const add = open.get(String(reply.id));
  if (!add) return; // Of authenticate.
  if (!reply.result) throw new Error(`An add was refused: ${JSON.stringify(reply.error)}`);
  open.delete(add.operation);
  acknowledged.push({ ...add, seq: Number(reply.result['seq']) });
}
