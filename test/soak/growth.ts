import { median } from '../../scripts/bench/measurement.ts';
import type { Sample } from './soak.ts';

/**
 * What is not growth: V8 lets the space for young objects grow while there is work, to some 100 MiB in the first minutes,
 * and libc keeps what was given back.
 */
const mebibytesMax = 64;
const descriptorsMax = 32;
/** Fewer samples show how it gets warm. */
const samplesMin = 40;

/** What grew from the second quarter of these samples to the last one, by more than it may. */
export function growthOf(samples: readonly Sample[]): readonly string[] {
  if (samples.length < samplesMin) return [];
  const grown = (value: (sample: Sample) => number | undefined) => {
    const quarter = (at: number) =>
      samples
        .slice((at * samples.length) / 4, ((at + 1) * samples.length) / 4)
        .map(value)
        .filter((one) => one !== undefined);
    return median(quarter(3)) - median(quarter(1));
  };
  const [mebibytes, descriptors] = [grown(({ resident }) => resident), grown((sample) => sample.descriptors)];
  return [
    ...(mebibytes > mebibytesMax ? [`Memory grew by ${mebibytes.toFixed(0)} MiB (at most ${mebibytesMax}).`] : []),
    ...(descriptors > descriptorsMax ? [`${descriptors} more descriptors are open (at most ${descriptorsMax}).`] : []),
  ];
}
