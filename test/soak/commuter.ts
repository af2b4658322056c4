import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadedServer } from '../load/loaded-server.ts';
import { type Person, readGrant } from '../load/person.ts';
import { connected } from './reader.ts';

const staySteps = 4;
const stepMilliseconds = 250;

/** Somebody with a login, who comes with an access token, stays a moment, exchanges the tokens, and comes anew with those. */
export class Commuter {
  #grant: Person;

  constructor(enrolled: Person) {
    this.#grant = enrolled;
  }

  /** Which key has signed the access token. */
  get key(): string {
    const [head = ''] = this.#grant.accessToken.split('.');
    return Buffer.from(head, 'base64url').toString();
  }

  async commute(server: LoadedServer, goesOn: () => boolean, complaints: string[]): Promise<void> {
    while (goesOn()) {
      await connected(server, async (client) => {
        const ask = async (method: string, params: object = {}) => {
          const reply = await client.ask(method, params);
          if (reply && !reply.result) complaints.push(`${method} was refused: ${JSON.stringify(reply.error)}`);
          return reply?.result && reply;
        };
        await ask('authenticate', { token: this.#grant.accessToken });
        for (let step = 0; step < staySteps && goesOn(); step++) {
          await ask('whoami');
          await sleep(stepMilliseconds);
        }
        // Whoever gets no answer exchanges the same token again, and gets that answer.
        const refreshed = await ask('refresh', { refreshToken: this.#grant.refreshToken });
        if (refreshed) this.#grant = readGrant(refreshed);
      });
    }
  }
}
