import { randomUUID } from 'node:crypto';
import type { Change, Event } from './history.ts';
import { random } from './random.ts';

/** Where clients connect to at the moment, and whom they trust there. */
export interface Way {
  readonly port: number;
  /** The server authority, PEM. */
  readonly ca: string;
}

/** Answers after which a client sends the same again. */
export const unsettled: ReadonlySet<string> = new Set(['busy', 'going-away', 'storage', 'unconfirmed', 'unreachable']);
/** The verdicts on a take of more than there is. */
export const refusals: ReadonlySet<string> = new Set(['out-of-stock', 'not-found']);

const items = 5;
/** Of all changes; at more than a half they would soon be refused for the most part. */
const takes = 0.4;

/** What all clients of a test share: what there is to do, what they saw, and how far they are. */
export class Load {
  readonly token: string;
  readonly way: () => Way;
  readonly history: Event[] = [];
  /** How many connections were made and are used. */
  connections = 0;
  isAbandoned = false;
  #chance: () => number;
  #looks = 0;
  #acknowledged = 0;
  #isOver = false;
  readonly #waiting = new Set<() => void>();

  constructor(token: string, way: () => Way, seed: number) {
    this.token = token;
    this.way = way;
    this.#chance = random(seed);
  }

  /** Whether new things are still begun. */
  get goesOn(): boolean {
    return !this.#isOver;
  }

  /** From now on only what was begun is brought to its end. */
  end(): void {
    this.#isOver = true;
  }

  /** The test is over before its time: what is still open stays so. */
  abandon(): void {
    this.#isOver = true;
    this.isAbandoned = true;
  }

  /** The next change to ask for. */
  nextChange(): Change {
    const quantity = 1 + Math.floor(this.#chance() * 100);
    return {
      operation: randomUUID(),
      item: `Item ${Math.floor(this.#chance() * items)}`,
      delta: this.#chance() < takes ? -quantity : quantity,
    };
  }

  /** Begins a look at the stock; its number. */
  nextLook(): number {
    this.history.push({ what: 'look', look: ++this.#looks });
    return this.#looks;
  }

  /** To be called before each time that it is sent. */
  asked(change: Change): void {
    this.history.push({ what: 'asked', ...change });
  }

  acknowledged(operation: string, result: unknown): void {
    const { seq, balance } = result as { seq: number; balance: number }; // As src/wire/README.md has it.
    this.history.push({ what: 'acknowledged', operation, seq, balance });
    this.#acknowledged++;
    for (const look of this.#waiting) look();
  }

  refused(operation: string): void {
    this.history.push({ what: 'refused', operation });
  }

  seen(look: number, result: unknown): void {
    const { seq, items: rows } = result as { seq: number; items: { item: string; quantity: number }[] }; // As above.
    const quantities = new Map(rows.map(({ item, quantity }) => [item, quantity]));
    this.history.push({ what: 'seen', look, seq, quantities });
  }

  /** Resolves when so many more changes were acknowledged. */
  progress(changes: number): Promise<void> {
    const wanted = this.#acknowledged + changes;
    return new Promise((resolve) => {
      const look = () => {
        if (this.#acknowledged < wanted) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }
}
