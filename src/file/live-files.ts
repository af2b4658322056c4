import { stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

/** How soon a change is seen: who was shut out by it is to be cut off within a second. */
const lookMilliseconds = 500;
/** How long it takes at most to replace one file after the other, such as a certificate after its key. */
const replacingMilliseconds = 100;

/** What a look at the files found. After a problem what was loaded before stays. */
export type Look = 'unchanged' | 'changed' | { readonly problem: unknown };

export interface LiveFilesOptions<T> {
  readonly paths: readonly string[];
  /** Loads all of it, or throws. `current` is what it would replace; undefined at the first time. */
  readonly load: (current: T | undefined) => Promise<T>;
  /** Called once for each problem, however often it is met. */
  readonly onProblem: (problem: unknown) => void;
}

/**
 * What a running program has loaded from some files: looked at twice a second, because file events get lost on many
 * file systems; swapped when what is there is good as a whole, kept when it is not.
 */
export class LiveFiles<T> {
  readonly #options: LiveFilesOptions<T>;
  #onChange: ((current: T) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #current: T;
  #seen: string;
  #told = '';
  #looks = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: LiveFilesOptions<T>, current: T, seen: string) {
    this.#options = options;
    this.#current = current;
    this.#seen = seen;
  }

  /** Failures: what `load` throws. */
  static async open<T>(options: LiveFilesOptions<T>): Promise<LiveFiles<T>> {
    const seen = await stateOf(options.paths); // Before loading, so that no change falls between the two.
    return new LiveFiles(options, await options.load(undefined), seen);
  }

  get current(): T {
    return this.#current;
  }

  /** Puts a part of itself in place of what is loaded; the files are the same. */
  narrow(current: T): void {
    this.#current = current;
  }

  /** Keeps an eye on the files from now on. What changed since `open` is seen at the first look. */
  watch(onChange: (current: T) => void): void {
    this.#onChange = onChange;
    this.#timer = setInterval(() => {
      if (this.#looks === 0) void this.reload();
    }, lookMilliseconds);
  }

  /** Takes up what has changed, if it is good. Never rejects. */
  reload(): Promise<Look> {
    this.#looks++;
    // After the look that is under way, which may have begun before the change that this one is for.
    const look = this.#last.then(() => this.#look()).finally(() => this.#looks--);
    this.#last = look;
    return look;
  }

  /** Stops looking. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#last;
  }

  async #look(isAgain = false): Promise<Look> {
    const { paths, load, onProblem } = this.#options;
    const state = await stateOf(paths);
    if (state === this.#seen) {
      this.#told = '';
      return 'unchanged';
    }
    try {
      this.#current = await load(this.#current);
      this.#onChange?.(this.#current);
      // Only now: a look that failed for want of a file descriptor must not be the last to see a revocation.
      this.#seen = state;
      this.#told = '';
      return 'changed';
    } catch (problem) {
      if (!isAgain && String(problem) !== this.#told) {
        await setTimeout(replacingMilliseconds);
        if ((await stateOf(paths)) !== state) return this.#look(true);
      }
      // Whatever it is, the program goes on with what it has.
      if (String(problem) !== this.#told) onProblem(problem);
      this.#told = String(problem);
      return { problem };
    }
  }
}

/** What changes with the content of any of the files, or with who may read it; one that is missing has a state, too. */
async function stateOf(paths: readonly string[]): Promise<string> {
  const states = paths.map((path) =>
    stat(path).then(
      ({ ino, size, mtimeMs, mode }) => `${ino} ${size} ${mtimeMs} ${mode}`,
      () => 'missing',
    ),
  );
  return (await Promise.all(states)).join();
}
