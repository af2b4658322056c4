import type { Asked, Change, Event, Refusal } from './history.ts';
import { type Done, nextChange } from './next-change.ts';
import { readStock, readTold } from './result.ts';

/** Where clients connect to at the moment, and whom they trust there. */
export interface Way {
  readonly port: number;
  /** The server authority, PEM. */
  readonly ca: string;
}

/** Who a client is to the server. */
export interface Login {
  readonly token: string;
  /** The only location that there is for them; without it they are everywhere. */
  readonly location?: string;
}

/** Answers after which a client sends the same again. */
export const unsettled: ReadonlySet<string> = new Set(['busy', 'going-away', 'storage', 'unconfirmed', 'unreachable']);

/** The verdict on what the stock does not allow, if an answer is one. */
export function parseRefusal(code: string | undefined): Refusal | undefined {
  return code === 'out-of-stock' || code === 'not-found' || code === 'conflict' ? code : undefined;
}

/** So many operations of a login may be undone or asked for again. */
const doneMax = 32;

/** What all clients of a test share: what there is to do, what they saw, and how far they are. */
export class Load {
  readonly token: string;
  readonly way: () => Way;
  readonly history: Event[] = [];
  /** How many connections were made and are used. */
  connections = 0;
  isAbandoned = false;
  readonly #chance: () => number;
  /** What was acknowledged last, by the only location of whoever asked. */
  readonly #done = new Map<string | undefined, Done[]>();
  #looks = 0;
  /** The last movement that somebody saw who sees everything. */
  #seen = 0;
  #acknowledged = 0;
  #isOver = false;
  readonly #waiting = new Set<() => void>();

  constructor(token: string, way: () => Way, chance: () => number) {
    this.token = token;
    this.way = way;
    this.#chance = chance;
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

  /** The next change to ask for, there. */
  nextChange(location?: string): Change {
    const done = this.#done.get(location) ?? [];
    this.#done.set(location, done);
    return nextChange(this.#chance, { done, seen: this.#seen, location });
  }

  /** Begins a look at the stock, as seen from there; its number. */
  nextLook(location?: string): number {
    this.history.push({ what: 'look', look: ++this.#looks, location });
    return this.#looks;
  }

  /** To be called before each time that it is sent. */
  asked(change: Change, repeats: Pick<Asked, 'isRepeatedUnasked'> = {}): void {
    this.history.push({ what: 'asked', ...change, ...repeats });
  }

  acknowledged(change: Change, result: unknown, location?: string): void {
    const told = readTold(result);
    this.history.push({ what: 'acknowledged', operation: change.operation, told });
    const done = this.#done.get(location);
    done?.push({ change, seqs: told.map(({ seq }) => seq) });
    if (done && done.length > doneMax) done.shift();
    this.#acknowledged++;
    for (const look of this.#waiting) look();
  }

  refused(operation: string, code: Refusal): void {
    this.history.push({ what: 'refused', operation, code });
  }

  seen(look: number, result: unknown, location?: string): void {
    const stock = readStock(result);
    this.history.push({ what: 'seen', look, ...stock });
    if (location === undefined) this.#seen = Math.max(this.#seen, stock.seq);
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
