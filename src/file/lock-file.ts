import { open, unlink } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { Failure } from '../model/failure.ts';

const lockSecondsMax = 5; // Longer than any work done under one; a person waits for it.

/**
 * Waits until nobody else holds this file, makes it, and returns how to give it up. One left by a killed program is never
 * taken over silently. Failures: `busy`, saying that another program is changing `what`.
 */
export async function takeLockFile(path: string, what: string): Promise<() => Promise<void>> {
  const until = Date.now() + lockSecondsMax * 1000;
  for (;;) {
    try {
      await (await open(path, 'wx', 0o600)).close();
      return () => unlink(path);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    if (Date.now() > until) {
      throw new Failure('busy', `Another program is changing ${what}.`, {
        hint: `If none is (one may have been killed), delete ${path} and try again.`,
      });
    }
    await setTimeout(50);
  }
}
