import { Worker } from 'node:worker_threads';
import type { Database } from './database.ts';

/** The log may begin anew when it has 32 MiB. */
const logPages = 8000;
/** The thread is asked each time that the log has grown by so much. */
const pagesAtOnce = 2000;
/** So few pages are brought into the file between two commits, which takes about as long as one. */
const restPages = 250;
/** Where the thread does not get through, SQLite does it within the commit that goes beyond this. */
const logPagesMax = 16_000;

/** What the thread is started with. */
export interface CheckpointOptions {
  readonly path: string;
}

/** What the thread is told, and what it says when it has done what it could. */
export type ToCheckpointWorker = 'checkpoint' | 'close';
export type FromCheckpointWorker = 'done';

/**
 * Has SQLite's log brought into the database file by a thread of its own, beside the commits: it takes as long as many of
 * them. SQLite begins its log anew after a moment in which all of it was in the file, so the last few pages are brought there
 * between two commits. Measured while 100,000 new items came in, at the p99 of others' adds, in turns: 5.2 times the quiet
 * one when commits did it themselves, in portions of whatever size; so 3.2 times with a log of 16 MiB, 2.5 with one of 32.
 */
export class Checkpoints {
  readonly #database: Database;
  readonly #path: string;
  #thread: Worker | undefined;
  #isAtWork = false;
  /** How long the log was when the thread was asked last. */
  #askedAt = 0;

  constructor(database: Database, path: string) {
    this.#database = database;
    this.#path = path;
    if (database.canTellLog) database.checkpointBeyond(logPagesMax);
  }

  /** Looks at the log, after a commit, when whoever has waited for that has the answer. */
  look(): void {
    if (this.#isAtWork || !this.#database.canTellLog) return;
    const log = this.#readLog();
    if (!log) return;
    if (log.pages < this.#askedAt) this.#askedAt = 0; // It has begun anew.
    if (log.pages - this.#askedAt >= pagesAtOnce) this.#ask(log.pages);
  }

  /** Resolves when the thread has ended, and with it its connection. */
  async close(): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    const ended = new Promise((resolve) => thread.once('exit', resolve));
    this.#tell(thread, 'close');
    await ended;
  }

  #ask(pages: number): void {
    this.#askedAt = pages;
    this.#isAtWork = true;
    this.#thread ??= this.#start();
    this.#tell(this.#thread, 'checkpoint');
  }

  #tell(thread: Worker, message: ToCheckpointWorker): void {
    thread.postMessage(message);
  }

  #start(): Worker {
    const source = new URL('./checkpoint-worker.ts', import.meta.url);
    const url = import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/ts$/, 'cjs'));
    const workerData: CheckpointOptions = { path: this.#path };
    const thread = new Worker(url, { workerData, execArgv: ['--disable-warning=ExperimentalWarning'] });
    thread.on('message', (_: FromCheckpointWorker) => this.#goOn());
    thread.on('error', (error) => process.emitWarning(`The thread for checkpoints failed: ${error}`));
    thread.once('exit', () => {
      this.#thread = undefined;
      this.#isAtWork = false;
    });
    return thread;
  }

  #goOn(): void {
    this.#isAtWork = false;
    const log = this.#readLog();
    if (!log || log.pages < logPages) return;
    const rest = log.pages - log.inFile;
    if (rest <= restPages) this.#database.checkpointWhatIsFree();
    // Otherwise a reader is in the way, who may stay.
    else if (log.inFile >= this.#askedAt) this.#ask(log.pages);
  }

  /** Undefined while the store is not open, or its disk fails: that is found out by the next commit. */
  #readLog() {
    try {
      return this.#database.readLog();
    } catch {
      return undefined;
    }
  }
}
