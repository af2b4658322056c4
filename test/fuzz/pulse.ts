import { line } from '../support/wire-client.ts';
import type { Peer } from './peer.ts';
import { hangMilliseconds } from './slow.ts';

/** So often somebody else asks. */
const beatMilliseconds = 100;

/** A connection of somebody who is logged in and asks all the time whether the server is there, whatever others send. */
export class Pulse {
  readonly #peer: Peer;
  #asked = 0;
  #underWay: Promise<void> | undefined;
  #longest = 0;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /**
   * The longest that an answer took meanwhile, or right afterwards: what the server does only when an input is over is
   * this input's, too.
   */
  async longestDuring(what: () => Promise<void>): Promise<number> {
    this.#longest = 0;
    const timer = setInterval(() => this.#beat().catch(() => undefined), beatMilliseconds); // It is awaited below.
    try {
      await what();
    } finally {
      clearInterval(timer);
    }
    await this.#underWay;
    await this.#beat();
    return this.#longest;
  }

  close(): void {
    this.#peer.close();
  }

  /** One at a time: who waits for an answer asks for no other. */
  #beat(): Promise<void> {
    this.#underWay ??= this.#ask().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #ask(): Promise<void> {
    const id = `pulse-${++this.#asked}`;
    const peer = this.#peer;
    const since = performance.now();
    peer.lines.length = 0;
    await peer.write(Buffer.from(line(id, 'ping')));
    const isAnswered = () => peer.lines.some((text) => text.includes(`"id":"${id}"`));
    await peer.until(() => peer.isClosed || isAnswered(), hangMilliseconds);
    this.#longest = Math.max(this.#longest, performance.now() - since);
    if (!isAnswered()) throw new Error(`A ping of somebody else ${peer.isClosed ? 'was cut off' : 'got no answer'}.`);
  }
}
