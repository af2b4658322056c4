import { Failure } from '../model/failure.ts';

const newline = 0x0a;
const nothing = new Uint8Array(0);

/** What is said of a longer line. */
export function lineTooLong(bytesMax: number): Failure {
  return new Failure('bad-frame', `A line may be at most ${bytesMax} bytes.`);
}

/**
 * Cuts a stream of bytes into lines. Holds one buffer, which its owner bounds by not pushing while lines wait; never
 * looks at a byte twice; gives the same lines for any cutting of the same bytes.
 */
export class LineDecoder {
  // A chunk that arrives while nothing is held is used as it is; only the tail of a cut line is ever copied.
  #buffer: Uint8Array = nothing;
  #owned = false;
  #start = 0;
  #scanned = 0;
  #end = 0;

  push(chunk: Uint8Array): void {
    const held = this.#end - this.#start;
    if (held === 0) {
      this.#hold(chunk, false, chunk.length);
      return;
    }
    if (!this.#owned || this.#buffer.length - this.#end < chunk.length) {
      const scanned = this.#scanned - this.#start;
      const room = Math.max(1024, 2 * (held + chunk.length)); // Doubling keeps a line sent byte by byte linear.
      const grown = new Uint8Array(room);
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#hold(grown, true, held);
      this.#scanned = scanned;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** How many bytes are held: no line among them is longer. */
  get held(): number {
    return this.#end - this.#start;
  }

  /**
   * The next whole line without its newline: a view that is good until the next `push`. Undefined when there is none.
   * Throws `bad-frame` when the line, whole or not, has more than `bytesMax` bytes.
   */
  next(bytesMax: number): Uint8Array | undefined {
    const found = this.#buffer.subarray(this.#scanned, this.#end).indexOf(newline);
    const lineEnd = found === -1 ? this.#end : this.#scanned + found;
    if (lineEnd - this.#start > bytesMax) throw lineTooLong(bytesMax);
    if (found === -1) {
      this.#scanned = this.#end;
      // An idle connection keeps no chunk alive.
      if (this.#start === this.#end) this.#hold(nothing, false, 0);
      return undefined;
    }
    const line = this.#buffer.subarray(this.#start, lineEnd);
    this.#start = this.#scanned = lineEnd + 1;
    return line;
  }

  #hold(buffer: Uint8Array, owned: boolean, end: number): void {
    this.#buffer = buffer;
    this.#owned = owned;
    this.#start = this.#scanned = 0;
    this.#end = end;
  }
}
