import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, statfsSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { diskReserveBytes } from '../../model/limits.ts';

/** A file beside the store that is there to be deleted: what it takes is free at the moment when nothing else is. */
export class DiskReserve {
  readonly #path: string;
  #isHeld = false;

  constructor(path: string) {
    this.#path = `${path}-reserve`;
    this.#isHeld = this.#isThere() || this.take();
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Takes the space again, if there is twice as much; says whether it is held. */
  take(): boolean {
    if (this.#isHeld) return true;
    if (this.#free() < 2 * diskReserveBytes) return false;
    try {
      write(this.#path);
      this.#isHeld = true;
    } catch {
      this.giveUp(); // A quota, perhaps, of which the file system's numbers do not tell.
    }
    return this.#isHeld;
  }

  giveUp(): void {
    this.#isHeld = false;
    try {
      unlinkSync(this.#path);
    } catch {
      // It was not there.
    }
  }

  /** Whether the disk has next to nothing left: SQLite calls that by several names. */
  isDiskFull(): boolean {
    return this.#free() < diskReserveBytes / 16;
  }

  #isThere(): boolean {
    try {
      const { size, blocks } = statSync(this.#path);
      return size === diskReserveBytes && (blocks === undefined || blocks * 512 >= size);
    } catch {
      return false;
    }
  }

  #free(): number {
    try {
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      return bavail * bsize;
    } catch {
      return Number.POSITIVE_INFINITY; // What a file system does not tell is found out by writing.
    }
  }
}

/** Blocks, and not a hole, nor what a file system would compress to next to nothing. */
function write(path: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    const block = randomFillSync(Buffer.alloc(1024 * 1024));
    for (let bytes = 0; bytes < diskReserveBytes; ) bytes += writeSync(file, block, 0, block.length, bytes);
  } finally {
    closeSync(file);
  }
}
