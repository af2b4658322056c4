import { boundedLinesPerSecondMax } from '../model/limits.ts';
import type { Logger } from './log.ts';

/** Lines that somebody may cause at will: so many in a second, and then how many were left out, for they must not fill a disk. */
export class BoundedLog {
  readonly #log: Logger;
  readonly #about: string;
  #second = 0;
  #lines = 0;
  #leftOut = 0;

  /** `about` says what was left out: "strangers". */
  constructor(log: Logger, about: string) {
    this.#log = log;
    this.#about = about;
  }

  tell(level: 'info' | 'warn' | 'error', fields: Readonly<Record<string, unknown>>, message: string): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      if (this.#leftOut > 0)
        this.#log.warn({ lines: this.#leftOut }, `so many lines about ${this.#about} were left out`);
      this.#second = second;
      this.#lines = 0;
      this.#leftOut = 0;
    }
    if (this.#lines < boundedLinesPerSecondMax) {
      this.#lines++;
      this.#log[level](fields, message);
    } else {
      this.#leftOut++;
    }
  }
}
