import { setTimeout as sleep } from 'node:timers/promises';
import type { Movement } from '../fault/history.ts';
import type { Load } from '../fault/load.ts';
import type { LoadedServer, Machine } from '../load/loaded-server.ts';
import type { WireClient, WireReply } from '../support/wire-client.ts';

const paceMilliseconds = 50;
const questions = [
  ['view', { limit: 100 }],
  ['history', { limit: 100 }],
  ['whoami', {}],
  ['view', { items: ['Item 1'] }],
] as const;

/**
 * Comes anew whenever a connection ends, as clients do when a server is killed, and asks for this and that. What is seen of
 * all the stock goes to the judge.
 */
export async function readOn(
  server: LoadedServer,
  load: () => Load,
  { token }: Machine,
  goesOn: () => boolean,
  complaints: string[],
): Promise<void> {
  while (goesOn()) {
    await connected(server, async (client) => {
      let reply = await client.ask('authenticate', { token });
      for (let turn = 0; reply && goesOn(); turn++) {
        const [method, params] = questions[turn % questions.length] ?? questions[0];
        const judged = load();
        const look = method === 'view' && !('items' in params) ? judged.nextLook({ token }) : undefined;
        reply = await client.ask(method, params);
        if (look !== undefined && reply?.result) judged.seen(look, reply.result, { token });
        // There is no Item 1 before somebody has added it.
        if (reply && !reply.result && reply.error?.data.code !== 'not-found') {
          complaints.push(`${method} was refused: ${JSON.stringify(reply.error)}`);
        }
        if (turn % 20 === 19) return;
        await sleep(paceMilliseconds);
      }
    });
  }
}

/** Somebody who watches everything, whatever becomes of the connection: each movement once, in its order. */
export class Audience {
  readonly problems: string[] = [];
  readonly #pushed = new Map<number, string>();
  #seq = 0;

  /** The last movement that was pushed. */
  get seq(): number {
    return this.#seq;
  }

  async watch(server: LoadedServer, { token }: Machine, goesOn: () => boolean, complaints: string[]): Promise<void> {
    while (goesOn() && this.problems.length === 0) {
      await connected(server, async (client) => {
        const stop = setInterval(() => goesOn() || client.socket.destroy(), 100);
        try {
          await client.ask('authenticate', { token });
          const begun = await client.ask('watch', { after: this.#seq });
          if (begun && !begun.result) complaints.push(`watch was refused: ${JSON.stringify(begun.error)}`);
          for (let reply = await client.reply(); reply; reply = await client.reply()) this.#take(reply);
        } finally {
          clearInterval(stop);
        }
      });
    }
  }

  /** Whether everything up to a movement is pushed within the time. */
  async reaches(seq: number, milliseconds: number): Promise<boolean> {
    const late = performance.now() + milliseconds;
    while (this.#seq < seq && performance.now() < late) await sleep(10);
    return this.#seq >= seq;
  }

  /** Whether what was pushed is what the ledger has, which is then forgotten. */
  judge(ledger: readonly Movement[]): readonly string[] {
    const wrong = ledger.filter((movement) => this.#pushed.get(movement.seq) !== essence(movement));
    for (const { seq } of ledger) this.#pushed.delete(seq);
    return wrong.slice(0, 10).map(({ seq }) => `Movement ${seq} was not pushed as the ledger has it.`);
  }

  #take({ params: pushed }: WireReply & { readonly params?: Movement }): void {
    if (!pushed) return; // Going away, or a reply.
    const { seq } = pushed;
    this.#pushed.set(seq, essence(pushed));
    if (seq !== this.#seq + 1) this.problems.push(`Movement ${seq} was pushed after ${this.#seq}.`);
    this.#seq = seq;
  }
}

function essence({ operation, item, delta }: Movement): string {
  return `${operation} ${delta} ${item}`;
}

/** Talks to a server that may just be killed. */
export async function connected(server: LoadedServer, use: (client: WireClient) => Promise<void>): Promise<void> {
  try {
    await server.converse(use);
  } catch {
    await sleep(20); // Nobody listens at the moment.
  }
}
