import { strangerLinesPerSecondMax } from '../model/limits.ts';
import type { Logger } from './log.ts';

/** Lines that strangers cause: so many in a second, and then how many were left out, for they must not fill a disk. */
export class StrangerLog {
  readonly #log: Logger;
  #second = 0;
  #lines = 0;
  #leftOut = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  tell(level: 'info' | 'warn', fields: Readonly<Record<string, unknown>>, message: string): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      if (this.#leftOut > 0) this.#log.warn({ lines: this.#leftOut }, 'so many lines about strangers were left out');
      this.#second = second;
      this.#lines = 0;
      this.#leftOut = 0;
    }
    if (this.#lines < strangerLinesPerSecondMax) {
      this.#lines++;
      this.#log[level](fields, message);
    } else {
      this.#leftOut++;
    }
  }
}
