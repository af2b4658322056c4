import { onTestFailed } from 'vitest';
import { random } from './random.ts';

/** What all chances of the suite are drawn from: the same in each short run, and at length another each time. */
const seed = Number(process.env['SECURE_INV_SEED'] ?? 20_260_503);

/** Chances for the test that runs; if it fails it says how to draw them again. */
export function drawChances(): () => number {
  onTestFailed(() => console.info(`The chances of this run: SECURE_INV_SEED=${seed}`));
  return random(seed);
}
