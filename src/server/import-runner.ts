import { Failure } from '../model/failure.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from './log.ts';

/** How often it is looked for what nobody accepted in time. */
const tidyMilliseconds = 60_000;
/** A full disk or a store that could not be written is tried again. */
const againMilliseconds = 1000;

/** Rolls accepted imports forward, slice by slice, from the start of the server to its end. */
export class ImportRunner {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #again: NodeJS.Timeout | undefined;
  #isClosing = false;
  #running: Promise<void> | undefined;
  #mustLookAgain = false;

  constructor(store: Store, now: () => number, log: Logger) {
    this.#store = store;
    this.#now = now;
    this.#log = log;
    this.#timer = setInterval(() => this.wake(), tidyMilliseconds).unref();
    this.wake(); // What a crash or a restart has interrupted.
  }

  /** There may be something to do. */
  wake(): void {
    this.#mustLookAgain = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when the slice that is under way is on disk; the rest waits for the next start. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#again);
    this.#isClosing = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#mustLookAgain && !this.#isClosing) {
      this.#mustLookAgain = false;
      try {
        const { more, stopped } = await this.#store.rollImports(this.#now());
        if (stopped) this.#log.warn({ import: stopped.import, ...stopped.problem }, 'an import has stopped');
        this.#mustLookAgain ||= more;
      } catch (error) {
        if (!(error instanceof Failure)) this.#log.error({ err: error }, 'cannot go on with an import');
        else this.#log.warn(`cannot go on with an import: ${error.message}`);
        if (!this.#isClosing) this.#again = setTimeout(() => this.wake(), againMilliseconds);
      }
    }
  }
}
