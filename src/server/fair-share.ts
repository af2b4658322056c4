import { sharedWorkMax, userWorkMax, userWorkSharedMilliseconds } from '../model/limits.ts';

/** A request that waits for its user's turn. */
interface Waiting {
  readonly weight: number;
  readonly start: () => void;
  next: Waiting | undefined;
}

/** What one user has going on. */
interface Work {
  /** The weight of all that was begun and is not done. */
  begun: number;
  /** The weight of what was done in this turn of the event loop. */
  done: number;
  first: Waiting | undefined;
  last: Waiting | undefined;
}

/** Who asked, and when last. */
interface Asker {
  readonly userId: number;
  at: number;
}

/**
 * Lets nobody keep others waiting by asking for a lot: while somebody else asks as well, so much of each user's requests
 * is being worked on at a time, over however many connections; the rest waits here, in the order in which it came. Who
 * is alone may use everything.
 */
export class FairShare {
  readonly #works = new Map<number, Work>();
  /** The users who asked last: whoever asks, one of the two is somebody else. */
  #latest: Asker = { userId: Number.NaN, at: Number.NEGATIVE_INFINITY };
  #before = this.#latest;
  #settling: NodeJS.Immediate | undefined;

  /** Undefined when a request of this weight may begin at once; otherwise it may when the promise resolves. */
  begin(userId: number, weight: number): Promise<void> | undefined {
    this.#note(userId);
    let work = this.#works.get(userId);
    if (!work) {
      work = { begun: 0, done: 0, first: undefined, last: undefined };
      this.#works.set(userId, work);
    }
    if (!work.first && fits(work, weight, this.#workMax(userId))) {
      work.begun += weight;
      return undefined;
    }
    return wait(work, weight);
  }

  /** A request that was begun has its reply. What waits for that is begun in the next turn: others are read before. */
  end(userId: number, weight: number): void {
    const work = this.#works.get(userId);
    if (!work) return;
    work.done += weight;
    this.#settling ??= setImmediate(() => this.#settle());
  }

  #note(userId: number): void {
    const at = performance.now();
    if (this.#latest.userId === userId) {
      this.#latest.at = at;
    } else {
      this.#before = this.#latest;
      this.#latest = { userId, at };
    }
  }

  #workMax(userId: number): number {
    const other = this.#latest.userId === userId ? this.#before : this.#latest;
    return performance.now() - other.at < userWorkSharedMilliseconds ? sharedWorkMax : userWorkMax;
  }

  #settle(): void {
    this.#settling = undefined;
    for (const [userId, work] of this.#works) {
      work.begun -= work.done;
      work.done = 0;
      const max = this.#workMax(userId);
      while (work.first && fits(work, work.first.weight, max)) {
        const { weight, start, next } = work.first;
        work.first = next;
        work.begun += weight;
        start();
      }
      if (work.begun === 0) this.#works.delete(userId);
    }
  }
}

/** What is larger than any share is worked on alone. */
function fits({ begun }: Work, weight: number, max: number): boolean {
  return begun === 0 || begun + weight <= max;
}

function wait(work: Work, weight: number): Promise<void> {
  return new Promise((start) => {
    const waiting: Waiting = { weight, start, next: undefined };
    if (work.first && work.last) work.last.next = waiting;
    else work.first = waiting;
    work.last = waiting;
  });
}
