import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What is occupied after so many inputs. */
export interface Occupied {
  readonly inputs: number;
  readonly mebibytes: number;
}

/** A few KiB for each input would be kept for ever; what a server really keeps, such as an item, is smaller. */
export const growthMebibytesMax = 8;
/** Less than this, garbage that is not collected yet looks like growth. */
const noiseMebibytes = 16;
const samplesMin = 9;
const inputsMin = 1000;

/** MiB for each 1,000 inputs, from the second third to the last; the first one warms up. Undefined: too few to judge by. */
export function growthOf(all: readonly Occupied[]): number | undefined {
  const third = Math.floor(all.length / 3);
  const [middle, last] = [all.slice(third, 2 * third), all.slice(-third)].map(medianOf);
  if (all.length < samplesMin || !middle || !last || last.inputs - middle.inputs < inputsMin) return undefined;
  const grown = last.mebibytes - middle.mebibytes;
  return grown < noiseMebibytes ? 0 : (grown / (last.inputs - middle.inputs)) * 1000;
}

function medianOf(all: readonly Occupied[]): Occupied | undefined {
  const at = Math.floor(all.length / 2);
  const mebibytes = all.map((one) => one.mebibytes).toSorted((a, b) => a - b)[at];
  const inputs = all[at]?.inputs;
  return mebibytes === undefined || inputs === undefined ? undefined : { inputs, mebibytes };
}

let collect: (() => void) | undefined;

/** MiB that this process needs, without its garbage: what the parsers keep, which run in it. */
export function ownMebibytes(): number {
  setFlagsFromString('--expose-gc');
  collect ??= runInNewContext('gc') as () => void; // The flag puts it there.
  for (let time = 0; time < 2; time++) collect(); // What a finalizer frees is gone only the second time.
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
}
