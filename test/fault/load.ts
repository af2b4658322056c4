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

/** So many operations of each login may be undone or asked for again. */
const doneMax = 32;

/** What all clients of a test share: what there is to do, what they saw, and how far they are. */
export class Load {
  /** Of somebody who may look after the server. */
  readonly token: string;
  readonly way: () => Way;
  readonly history: Event[] = [];
  /** How many connections were made and are used. */
  connections = 0;
  isAbandoned = false;
  readonly #chance: () => number;
  /** What was acknowledged last, by the token of whoever asked. */
  readonly #done = new Map<string, Done[]>();
  #looks = 0;
  /** The last movement that somebody saw who sees everything. */
  #seen: number;
  #acknowledged = 0;
  #isOver = false;
  readonly #waiting = new Set<() => void>();

  constructor(token: string, way: () => Way, chance: () => number, seen = 0) {
    this.token = token;
    this.#seen = seen;
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

  /** The next change that they ask for. */
  nextChange({ token, location }: Login): Change {
    const done = this.#done.get(token) ?? [];
    this.#done.set(token, done);
    return nextChange(this.#chance, { done, seen: this.#seen, location });
  }

  /** Begins a look of theirs at the stock; its number. */
  nextLook({ location }: Login): number {
    this.history.push({ what: 'look', look: ++this.#looks, location });
    return this.#looks;
  }

  /** To be called before each time that it is sent. */
  asked(change: Change, repeats: Pick<Asked, 'isRepeatedUnasked'> = {}): void {
    this.history.push({ what: 'asked', ...change, ...repeats });
  }

  acknowledged(change: Change, result: unknown, { token }: Login): void {
    const told = readTold(result);
    this.history.push({ what: 'acknowledged', operation: change.operation, told });
    const done = this.#done.get(token);
    done?.push({ change, seqs: told.map(({ seq }) => seq) });
    if (done && done.length > doneMax) done.shift();
    this.#acknowledged++;
    for (const look of this.#waiting) look();
  }

  refused(operation: string, code: Refusal): void {
    this.history.push({ what: 'refused', operation, code });
  }

  seen(look: number, result: unknown, { location }: Login): void {
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
