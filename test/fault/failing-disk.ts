import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from '../support/at-end.ts';

/** A file system on a disk of its own, which turns read-only as one does whose disk has failed. */
export interface FailingDisk {
  /** From now on nothing can be written, also through files that are open. What was not synced is lost. */
  fail(): void;
  /** Makes it writable again; nobody may have a file open. */
  repair(): void;
  /** Makes it read-only in order, as an operator does; nobody may have a file open for writing. */
  protect(): void;
  unmount(): void;
}

/** Why there is no such disk here; undefined when there is one. */
export function whyNoFailingDisk(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'only root mounts file systems';
  const folder = mkdtempSync(join(tmpdir(), 'disk-'));
  try {
    mountFailingDisk(join(folder, 'image'), join(folder, 'probe'), 8).unmount();
    return undefined;
  } catch {
    return 'needs mkfs.ext4 and a loop device';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Mounts one of so many MiB, which are in the file `image`. */
export function mountFailingDisk(image: string, folder: string, mebibytes: number): FailingDisk {
  const mount = (...words: readonly string[]) => execFileSync('mount', [...words], { stdio: 'pipe' });
  const unmount = () => void execFileSync('umount', [folder], { stdio: 'pipe' });
  mkdirSync(folder, { recursive: true });
  writeFileSync(image, '');
  truncateSync(image, mebibytes * 1024 * 1024);
  execFileSync('mkfs.ext4', ['-q', image]);
  const attach = () => mount('-o', 'loop', image, folder);
  attach();
  // Also when a test ran out of time and a server has files open.
  const leave = () => void execFileSync('umount', ['--lazy', folder]);
  const forget = atEnd(leave);
  return {
    fail: () => void mount('-o', 'remount,abort', folder),
    repair() {
      unmount();
      attach();
    },
    protect: () => void mount('-o', 'remount,ro', folder),
    unmount() {
      forget();
      leave();
    },
  };
}
