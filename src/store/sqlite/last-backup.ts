import { readFileSync, statSync } from 'node:fs';
import { giveTo } from './owner.ts';
import { writePrivately } from './private-copy.ts';

/** Beside the store and not in it, so that it can be noted beside a running server, and on a disk that is full. */
function fileOf(path: string): string {
  return `${path}-backup`;
}

/** When the last backup of the store at this path was made, in milliseconds since 1970; null when none is known. */
export function readLastBackup(path: string): number | null {
  try {
    const at = Date.parse(readFileSync(fileOf(path), 'utf8').trim());
    return Number.isNaN(at) ? null : at;
  } catch {
    return null;
  }
}

/** Failures: those of node:fs. */
export function writeLastBackup(path: string, at: number): void {
  writePrivately(fileOf(path), `${new Date(at).toISOString()}\n`);
  giveTo(statSync(path), fileOf(path)); // The server reads it.
}
