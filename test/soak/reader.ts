import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadedServer, Machine } from '../load/loaded-server.ts';
import type { WireClient, WireReply } from '../support/wire-client.ts';
import type { Movement } from './look.ts';

const paceMilliseconds = 50;
const questions = [
  ['view', { limit: 100 }],
  ['history', { limit: 100 }],
  ['whoami', {}],
  ['view', { items: ['Item 1'] }],
] as const;

/** Comes anew whenever a connection ends, as clients do when a server is killed, and asks for this and that. */
export async function readOn(
  server: LoadedServer,
  { token }: Machine,
  goesOn: () => boolean,
  complaints: string[],
): Promise<void> {
  while (goesOn()) {
    await connected(server, async (client) => {
      let reply = await client.ask('authenticate', { token });
      for (let turn = 0; reply && goesOn(); turn++) {
        const [method, params] = questions[turn % questions.length] ?? questions[0];
        reply = await client.ask(method, params);
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

  /** Whether what was pushed is what the ledger has. */
  judge(ledger: readonly Movement[]): readonly string[] {
    const wrong = ledger.filter((movement) => this.#pushed.get(movement.seq) !== essence(movement));
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
