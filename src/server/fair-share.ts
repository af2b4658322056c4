import {
  lineReadMillisecondsMax,
  sharedChangesPerSecondMax,
  sharedWorkMax,
  userWorkMax,
  userWorkSharedMilliseconds,
} from '../model/limits.ts';

/** A request that was read: it is begun when there is room for it. */
export interface Turn {
  readonly weight: number;
  /** How many changes it makes, if it is not long. */
  readonly changes: number;
  /** It may be many changes in one: nobody can be served in the middle of it. */
  readonly isLong: boolean;
  /** Begins it; `done` is called once, when it has its reply. */
  readonly start: (done: Done) => void;
}

/** Says that something is done, and what follows if it was long. */
export type Done = (rest?: Rest) => void;

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
}

/** What one user has going on. */
interface Work {
  /** The weight of all that was begun and is not done. */
  begun: number;
  /** The weight of what was done in this turn of the event loop. */
  done: number;
  /** The first alone may have been read already: what waits is bytes, which are a twentieth of what they say. */
  readonly line: Set<Waiting>;
  /** What was read and found long during the rest after something long; it is read again when it is begun. */
  readonly longs: Set<Waiting>;
  /** How long reading took in this turn of the event loop, in milliseconds. */
  reading: number;
  /** When as many changes as were begun may have been, at as many in a second as others do not notice. */
  changesUntil: number;
  /** Reading took long, or there were many changes: others have their time now. */
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
 * is being worked on at a time, over however many connections; the others wait here as bytes, in the order in which they came. Only
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
   * Has a line read, and begun, when its turn has come, which may be at once. Returns what forgets it unless it was begun: a
   * connection that is closed leaves nothing here.
   */
  ask(userId: number, read: Waiting['read']): () => void {
    this.#note(userId);
    let work = this.#works.get(userId);
    if (!work) {
      work = {
        begun: 0,
        done: 0,
        line: new Set(),
        longs: new Set(),
        reading: 0,
        changesUntil: Number.NEGATIVE_INFINITY,
        isResting: false,
        isRestingLong: false,
      };
      this.#works.set(userId, work);
    }
    const waiting: Waiting = { read, turn: undefined };
    work.line.add(waiting);
    if (work.line.size === 1) this.#proceed(userId, work);
    return () => {
      empty(waiting);
      work.line.delete(waiting);
      work.longs.delete(waiting);
      if (this.#works.get(userId) === work) this.#proceed(userId, work);
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
      work.reading = 0;
      this.#proceed(userId, work);
    }
  }

  /**
   * Begins what there is room for. What is begun may ask for more in the same breath. What has rested goes before everything that
   * is short, which would keep it waiting for ever.
   */
  #proceed(userId: number, work: Work): void {
    const isShared = this.#isShared(userId);
    for (;;) {
      const hasRested = !work.isRestingLong && work.longs.size > 0;
      const line = hasRested ? work.longs : work.line;
      const [first] = line;
      if (!first) break;
      if (work.isResting || (!first.turn && hasRested && work.begun > 0)) return;
      first.turn ??= this.#read(userId, work, first, isShared);
      const mustRest = work.isRestingLong && first.turn?.isLong;
      if (first.turn && !mustRest && !fits(work, first.turn, isShared ? sharedWorkMax : userWorkMax)) return;
      line.delete(first);
      if (mustRest) {
        first.turn = undefined;
        work.longs.add(first);
      } else this.#begin(userId, work, first);
    }
    const isIdle = work.begun === 0 && !work.isResting && !work.isRestingLong && work.changesUntil <= this.#now();
    if (isIdle && this.#works.get(userId) === work) this.#works.delete(userId);
  }

  /** What waits for its end is begun in the next turn of the event loop: others are read before. */
  #begin(userId: number, work: Work, waiting: Waiting): void {
    const { turn } = waiting;
    empty(waiting);
    if (!turn) return;
    const { weight, changes, start } = turn;
    const since = this.#now();
    work.begun += weight;
    if (changes > 0) this.#pace(userId, work, changes);
    start((rest) => {
      work.done += weight;
      if (rest && this.#isShared(userId)) {
        work.isRestingLong = true;
        this.#restLong(userId, work, Math.min(rest.times * (this.#now() - since), rest.millisecondsMax));
      }
      this.#settling ??= setImmediate(() => this.#settle());
    });
  }

  /** What comes after a line that took long is read after as long; while others ask, also after many that did together. */
  #read(userId: number, work: Work, { read }: Waiting, isShared: boolean): Turn | undefined {
    const since = this.#now();
    const turn = read();
    const took = this.#now() - since;
    work.reading += took;
    if (took > lineReadMillisecondsMax || (isShared && work.reading > lineReadMillisecondsMax)) {
      this.#rest(userId, work, work.reading);
      work.reading = 0;
    }
    return turn;
  }

  /** While others ask, what makes more than a share of changes has the next ones begun when their time has come. */
  #pace(userId: number, work: Work, changes: number): void {
    if (!this.#isShared(userId)) return;
    const now = this.#now();
    const each = 1000 / sharedChangesPerSecondMax;
    work.changesUntil = Math.max(work.changesUntil, now) + changes * each;
    const ahead = work.changesUntil - now;
    if (ahead >= sharedWorkMax * each && !work.isResting) this.#rest(userId, work, ahead);
  }

  #rest(userId: number, work: Work, milliseconds: number): void {
    work.isResting = true;
    setTimeout(() => {
      work.isResting = false;
      this.#proceed(userId, work);
    }, milliseconds);
  }

  /** Nobody rests any longer when nobody else asks any more. */
  #restLong(userId: number, work: Work, milliseconds: number): void {
    const some = Math.min(milliseconds, userWorkSharedMilliseconds);
    setTimeout(() => {
      const left = milliseconds - some;
      if (left > 0 && this.#isShared(userId)) return this.#restLong(userId, work, left);
      work.isRestingLong = false;
      this.#proceed(userId, work);
    }, some).unref();
  }
}

/** What is long, or larger than any share, is begun alone. */
function fits({ begun }: Work, { weight, isLong }: Turn, max: number): boolean {
  return begun === 0 || (!isLong && begun + weight <= max);
}

const readNothing = () => undefined;

/** Whoever could still forget a line keeps neither it nor its connection in memory. */
function empty(waiting: Waiting): void {
  waiting.read = readNothing;
  waiting.turn = undefined;
}
