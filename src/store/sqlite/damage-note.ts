import { readFileSync, rmSync } from 'node:fs';
import { writePrivately } from './private-copy.ts';

/** Beside the store and not in it: what is damaged is written to no more than need be. */
function fileOf(path: string): string {
  return `${path}-damage`;
}

/** What a server has found damaged in the store at this path, a sentence; undefined when nothing is known. */
export function readDamage(path: string): string | undefined {
  try {
    return readFileSync(fileOf(path), 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    return `What was found is in ${fileOf(path)}, which cannot be read.`;
  }
}

/** Failures: those of node:fs. */
export function writeDamage(path: string, damage: string): void {
  writePrivately(fileOf(path), `${damage}\n`);
}

/** For whoever has looked at all of the store since, or puts another in its place. Failures: those of node:fs. */
export function forgetDamage(path: string): void {
  rmSync(fileOf(path), { force: true });
}
