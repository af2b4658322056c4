import { importPageBytesMax, lineBytesMax, lineBytesMaxBeforeLogin, lineSecondsMax } from '../model/limits.ts';
import { LineDecoder } from '../wire/frame.ts';
import type { FairShare } from './fair-share.ts';

/** Who is at the other end of a connection. */
export interface Writer {
  readonly isLoggedIn: () => boolean;
  readonly userId: () => number | undefined;
  /** Whether pages of an import are to come, and may. */
  readonly mayImport: () => boolean;
  /** Whether what comes is still taken. */
  readonly isOpen: () => boolean;
  /** The turn of a long line has come. */
  readonly onTurn: () => void;
  /** A line was not there in time. */
  readonly onLate: () => void;
}

/**
 * What comes in on a connection, as lines: short ones before login, longer ones after it, and long ones for whoever imports,
 * of which each user has one at a time, so that their memory does not grow with the connections that have begun an import.
 */
export class Incoming {
  readonly #writer: Writer;
  readonly #longLines: FairShare;
  readonly #decoder = new LineDecoder();
  /** By when a line that has begun must be there. */
  #deadline: NodeJS.Timeout | undefined;
  /** A line waits for its user's turn to get long; the decoder, which still holds it, is left alone until then. */
  #isWaiting = false;
  #forgetAsked: (() => void) | undefined;
  /** Lets another connection of this user have a long line; there while this one has one. */
  #endLongLine: (() => void) | undefined;

  constructor(writer: Writer, longLines: FairShare) {
    this.#writer = writer;
    this.#longLines = longLines;
  }

  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  push(chunk: Uint8Array): void {
    this.#decoder.push(chunk);
  }

  /** The next line, if all of it is there and none waits for its turn. Failures: those of `LineDecoder`. */
  next(): Uint8Array | undefined {
    if (this.#decoder.held <= lineBytesMax) this.#forgetLongLine();
    // Who may import is looked up only when so much has come that it matters.
    else if (!this.#endLongLine && this.#writer.mayImport()) this.#beginLongLine();
    return this.#isWaiting ? undefined : this.#decoder.next(this.#bytesMax);
  }

  /** Gives the rest of a line that has begun its time. */
  awaitRest(): void {
    if (this.#decoder.held > 0) this.#deadline ??= setTimeout(this.#writer.onLate, lineSecondsMax * 1000);
  }

  /** A line is there, or nothing is read for now: time that the peer is not to blame for. */
  stopClock(): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
  }

  close(): void {
    this.stopClock();
    this.#forgetAsked?.();
    this.#forgetLongLine();
  }

  get #bytesMax(): number {
    if (!this.#writer.isLoggedIn()) return lineBytesMaxBeforeLogin;
    return this.#endLongLine ? importPageBytesMax : lineBytesMax;
  }

  #beginLongLine(): void {
    const userId = this.#writer.userId();
    if (userId === undefined) return;
    const weight = importPageBytesMax; // More than any share, so that it is alone.
    this.#isWaiting = true;
    this.#forgetAsked = this.#longLines.ask(userId, () => {
      const start = (done: () => void) => {
        this.#isWaiting = false;
        this.#endLongLine = done;
        if (this.#writer.isOpen()) this.#writer.onTurn();
        else this.#forgetLongLine();
      };
      return this.#writer.isOpen() ? { weight, changes: 0, isLong: false, start } : undefined;
    });
  }

  #forgetLongLine(): void {
    this.#endLongLine?.();
    this.#endLongLine = undefined;
  }
}
