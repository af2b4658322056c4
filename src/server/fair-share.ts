import {
  lineReadMillisecondsMax,
  longWorkWaitMilliseconds,
  sharedWorkMax,
  userWorkMax,
  userWorkSharedMilliseconds,
} from '../model/limits.ts';

/** A request that was read: it is begun when there is room for it. */
export interface Turn {
  readonly weight: number;
  /** There when it is long, many changes in one: nobody can be served in the middle of it. */
  readonly rest: Rest | undefined;
  /** Begins it; `done` is called when it has its reply. */
  readonly start: (done: () => void) => void;
}

/** What others get of the time after something long: so many times as long as it took, up to a maximum. */
export interface Rest {
  readonly times: number;
  readonly millisecondsMax: number;
}

/** A line that waits to be read, or to be begun. */
interface Waiting {
  /** Undefined when there is nothing to begin: nobody waits for it any more, or it is no request. */
  read: () => Turn | undefined;
  turn: Turn | undefined;
  next: Waiting | undefined;
}

/** What one user has going on. */
interface Work {
  /** The weight of all that was begun and is not done. */
  begun: number;
  /** The weight of what was done in this turn of the event loop. */
  done: number;
  /** The first alone may have been read already: what waits is bytes, which are a twentieth of what they say. */
  first: Waiting | undefined;
  last: Waiting | undefined;
  /** What was read and found long during the rest after something long; it is read again when it is begun. */
  readonly longs: Set<Waiting>;
  /** Reading took long: others have as long now. */
  isResting: boolean;
  /** Something long was done: others have its `Rest` before the next one. */
  isRestingLong: boolean;
}

/** Who asked, and when last. */
interface Asker {
  readonly userId: number;
  at: number;
}

/**
 * Lets nobody keep others waiting by asking for a lot: while somebody else asks as well, so much of each user's requests
 * is being worked on at a time, over however many connections; the rest waits here unread, in the order in which it came. Only
 * what is long and has to rest lets the short ones behind it go first: they are of other connections. Who is alone may use everything.
 */
export class FairShare {
  readonly #now: () => number;
  readonly #works = new Map<number, Work>();
  /** The users who asked last: whoever asks, one of the two is somebody else. */
  #latest: Asker = { userId: Number.NaN, at: Number.NEGATIVE_INFINITY };
  #before = this.#latest;
  #settling: NodeJS.Immediate | undefined;

  /** `now` is a clock in milliseconds that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Has a line read, and begun, when its turn has come, which may be at once. Returns what forgets it, if it was not begun: whoever
   * has gone leaves nothing here.
   */
  ask(userId: number, read: Waiting['read']): () => void {
    this.#note(userId);
    let work = this.#works.get(userId);
    if (!work) {
      work = {
        begun: 0,
        done: 0,
        first: undefined,
        last: undefined,
        longs: new Set(),
        isResting: false,
        isRestingLong: false,
      };
      this.#works.set(userId, work);
    }
    const waiting: Waiting = { read, turn: undefined, next: undefined };
    if (work.first && work.last) work.last.next = waiting;
    else work.first = waiting;
    work.last = waiting;
    if (work.first === waiting) this.#proceed(userId, work);
    return () => {
      empty(waiting);
      work.longs.delete(waiting);
    };
  }

  #note(userId: number): void {
    const at = this.#now();
    if (this.#latest.userId === userId) {
      this.#latest.at = at;
    } else {
      this.#before = this.#latest;
      this.#latest = { userId, at };
    }
  }

  /** Whether somebody else asks as well. */
  #isShared(userId: number): boolean {
    const other = this.#latest.userId === userId ? this.#before : this.#latest;
    return this.#now() - other.at < userWorkSharedMilliseconds;
  }

  #settle(): void {
    this.#settling = undefined;
    for (const [userId, work] of this.#works) {
      work.begun -= work.done;
      work.done = 0;
      this.#proceed(userId, work);
    }
  }

  /**
   * Begins what there is room for. What is begun may ask for more in the same breath. What has rested goes before everything that
   * is short, which would keep it waiting for ever.
   */
  #proceed(userId: number, work: Work): void {
    const max = this.#isShared(userId) ? sharedWorkMax : userWorkMax;
    for (;;) {
      const [rested] = work.isRestingLong ? [] : work.longs;
      if (rested) {
        if (work.begun > 0 || work.isResting) return;
        work.longs.delete(rested);
        rested.turn = this.#read(userId, work, rested);
        this.#begin(userId, work, rested);
        continue;
      }
      const { first } = work;
      if (!first) break;
      if (!first.turn && work.isResting) return;
      first.turn ??= this.#read(userId, work, first);
      const mustRest = work.isRestingLong && first.turn?.rest !== undefined;
      if (!mustRest && first.turn && !fits(work, first.turn, max)) return;
      work.first = first.next;
      first.next = undefined; // What rests would keep in memory all that has gone before it.
      if (mustRest) {
        first.turn = undefined;
        work.longs.add(first);
      } else this.#begin(userId, work, first);
    }
    if (work.begun === 0 && !work.isResting && !work.isRestingLong) this.#works.delete(userId);
  }

  /** What waits for its end is begun in the next turn of the event loop: others are read before. */
  #begin(userId: number, work: Work, waiting: Waiting): void {
    const { turn } = waiting;
    empty(waiting);
    if (!turn) return;
    const { weight, rest, start } = turn;
    const since = this.#now();
    work.begun += weight;
    start(() => {
      work.done += weight;
      if (rest) this.#restLong(userId, work, rest, this.#now() - since);
      this.#settling ??= setImmediate(() => this.#settle());
    });
  }

  #read(userId: number, work: Work, { read }: Waiting): Turn | undefined {
    const since = this.#now();
    const turn = read();
    const milliseconds = this.#now() - since;
    if (milliseconds > lineReadMillisecondsMax) {
      work.isResting = true;
      setTimeout(() => {
        work.isResting = false;
        this.#proceed(userId, work);
      }, milliseconds);
    }
    return turn;
  }

  /** Those that wait for the end of a rest share one wait, or the last of them would be given up by their clients. */
  #restLong(userId: number, work: Work, { times, millisecondsMax }: Rest, took: number): void {
    if (!this.#isShared(userId)) return;
    const together = longWorkWaitMilliseconds / (work.longs.size + 1);
    work.isRestingLong = true;
    this.#restOn(userId, work, Math.min(times * took, millisecondsMax, together));
  }

  /** Nobody rests any longer when nobody else asks any more. */
  #restOn(userId: number, work: Work, milliseconds: number): void {
    const some = Math.min(milliseconds, userWorkSharedMilliseconds);
    setTimeout(() => {
      const left = milliseconds - some;
      if (left > 0 && this.#isShared(userId)) return this.#restOn(userId, work, left);
      work.isRestingLong = false;
      this.#proceed(userId, work);
    }, some).unref();
  }
}

/** What is long, or larger than any share, is worked on alone. */
function fits({ begun }: Work, { weight, rest }: Turn, max: number): boolean {
  return begun === 0 || (!rest && begun + weight <= max);
}

/** Whoever could still forget a line keeps neither it nor its connection in memory. */
function empty(waiting: Waiting): void {
  waiting.read = () => undefined;
  waiting.turn = undefined;
}
