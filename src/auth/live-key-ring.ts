import { LiveFiles, type Look } from '../file/live-files.ts';
import { type KeyRing, loadKeyRing, openKeyRing, withoutEnded } from './key-ring.ts';

/** What becomes of a server's token keys while it runs. */
export interface KeyRingEvents {
  /** The file is wrong, missing or open to others, and the ring that was loaded before stays; said once for each problem. */
  readonly onProblem: (problem: unknown) => void;
  readonly onChange: (kid: string) => void;
}

/** The key ring of a running server: the one in its file as long as that is good, without keys whose tokens have ended. */
export class LiveKeyRing {
  readonly #files: LiveFiles<KeyRing>;
  readonly #now: () => number;

  private constructor(files: LiveFiles<KeyRing>, now: () => number) {
    this.#files = files;
    this.#now = now;
  }

  /** Makes the file where there is none, and watches it from now on. Failures: as `openKeyRing`. */
  static async open(path: string, now: () => number, { onProblem, onChange }: KeyRingEvents): Promise<LiveKeyRing> {
    await openKeyRing(path); // Here and never again: a file that vanished is no reason to log everybody out.
    const files = await LiveFiles.open({ paths: [path], load: () => loadKeyRing(path, now()), onProblem });
    files.watch(({ kid }) => onChange(kid));
    return new LiveKeyRing(files, now);
  }

  get current(): KeyRing {
    const ring = withoutEnded(this.#files.current, this.#now());
    this.#files.narrow(ring);
    return ring;
  }

  /** Takes up the file now if it has changed. */
  reload(): Promise<Look> {
    return this.#files.reload();
  }

  /** Stops looking. */
  close(): Promise<void> {
    return this.#files.close();
  }
}
