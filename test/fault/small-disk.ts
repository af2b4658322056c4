import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { atEnd } from '../support/at-end.ts';

/** A file system of its own that is soon full. */
export interface SmallDisk {
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives it back. */
  empty(): void;
  unmount(): void;
}

/** Why no file system can be mounted here; undefined when one can. */
export function whyNoDisk(folder: string): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'only root mounts file systems';
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return undefined;
  } catch {
    return 'no file system can be mounted here';
  }
}

/** Mounts a file system of so many MiB in memory. */
export async function mountSmallDisk(folder: string, mebibytes: number): Promise<SmallDisk> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=700`, 'tmpfs', folder]);
  const unmount = () => void execFileSync('umount', ['--lazy', folder]);
  const forget = atEnd(unmount);
  const ballast = join(folder, 'ballast');
  return {
    fill() {
      const file = openSync(ballast, 'a');
      try {
        for (let bytes = 1024 * 1024; bytes >= 512; ) {
          try {
            writeSync(file, Buffer.alloc(bytes));
          } catch {
            bytes /= 2; // What is left is less.
          }
        }
      } finally {
        closeSync(file);
      }
    },
    empty: () => rmSync(ballast, { force: true }),
    unmount() {
      forget();
      unmount();
    },
  };
}
