import { statSync } from 'node:fs';

/** The file that a store was opened from: an open file goes on where nobody finds it when its name is gone. */
export class StorePlace {
  readonly #path: string;
  readonly #device: number;
  readonly #inode: number;

  /** Failures: those of node:fs. */
  constructor(path: string) {
    const { dev, ino } = statSync(path);
    this.#path = path;
    this.#device = dev;
    this.#inode = ino;
  }

  /** Whether another file, or none, has the name by now. What cannot be looked at just now is not lost. */
  isLost(): boolean {
    try {
      const { dev, ino } = statSync(this.#path);
      return dev !== this.#device || ino !== this.#inode;
    } catch (error) {
      return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
    }
  }
}
