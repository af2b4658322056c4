import { median } from '../../scripts/bench/measurement.ts';
import type { Sample } from './soak.ts';

/** A figure of which more and more is a leak. */
interface Measure {
  readonly what: string;
  readonly unit: string;
  value(sample: Sample): number | undefined;
  /** How much an hour it may rise. */
  readonly perHourMax: number;
  /** And how much it must have risen at the least, because a short run makes much an hour of a little. */
  readonly riseMin: number;
  /** Until then it rises in a healthy server, too. */
  readonly warmSeconds: number;
  /** How long it must have been looked at. */
  readonly secondsMin: number;
}

/** What was found to grow, and what could not be judged, in sentences. */
export interface Growth {
  readonly problems: readonly string[];
  readonly unjudged: readonly string[];
}

export const measures: readonly Measure[] = [
  {
    // What is left after a full collection is nearly still: 30 MiB an hour are 230 bytes a change at 36 changes a second.
    what: 'Live heap',
    unit: ' MiB',
    value: ({ heap }) => heap,
    perHourMax: 30,
    riseMin: 4,
    warmSeconds: 60,
    secondsMin: 60,
  },
  {
    // All else, such as what SQLite and OpenSSL hold. V8 and libc keep what was given back, and that goes up and down by 100 MiB.
    what: 'Resident memory',
    unit: ' MiB',
    value: ({ resident }) => resident,
    perHourMax: 200,
    riseMin: 40,
    warmSeconds: 120,
    secondsMin: 600,
  },
  {
    // With what is not collected yet, of which there may be 30 MiB.
    what: 'Heap of the threads',
    unit: ' MiB',
    value: ({ threads }) => threads,
    perHourMax: 60,
    riseMin: 30,
    warmSeconds: 120,
    secondsMin: 600,
  },
  {
    // Tells, when resident memory rises, whether it is V8's young generation. SQLite keeps up to 32 MiB of a growing store.
    what: 'Memory beside the heaps',
    unit: ' MiB',
    value: ({ beside }) => beside,
    perHourMax: 200,
    riseMin: 80,
    warmSeconds: 120,
    secondsMin: 600,
  },
  {
    // Half-open peers come and go; what rises is not theirs, because their number stays.
    what: 'Descriptors beside connections',
    unit: '',
    value: ({ descriptors, connections }) =>
      descriptors === undefined || connections === undefined ? undefined : descriptors - connections,
    perHourMax: 12,
    riseMin: 3,
    warmSeconds: 10,
    secondsMin: 60,
  },
  {
    // Tells whether those are peers that did not shake hands, of which a busy machine has now more and now fewer.
    what: 'Descriptors without a peer',
    unit: '',
    value: ({ descriptors, peers }) =>
      descriptors === undefined || peers === undefined ? undefined : descriptors - peers,
    perHourMax: 12,
    riseMin: 3,
    warmSeconds: 10,
    secondsMin: 60,
  },
];

/** Fewer samples show how it gets warm. */
const samplesMin = 20;
/** The least of so many samples in a row is what memory does not fall below between two collections. */
const floorSamples = 4;

/** What of these samples of one process, from its start on, rose faster than it may; as a median of slopes, which a few peaks do not bend. */
export function judgeGrowth(samples: readonly Sample[], since = samples[0]?.at ?? 0): Growth {
  const [problems, unjudged]: [string[], string[]] = [[], []];
  for (const { what, unit, value, perHourMax, riseMin, warmSeconds, secondsMin } of measures) {
    const warm = samples.filter(({ at }) => at >= since + warmSeconds);
    const points = warm.flatMap((sample) => {
      const y = value(sample);
      return y === undefined || Number.isNaN(y) ? [] : [{ at: sample.at, y }];
    });
    const seconds = (points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0);
    if (warm.length >= samplesMin && points.length < warm.length / 2) {
      unjudged.push(`${what} could not be measured here.`);
    } else if (points.length < samplesMin || seconds < secondsMin) {
      unjudged.push(`${what}: ${points.length} samples in ${seconds.toFixed(0)} s are too few to judge by.`);
    } else {
      const perHour = slopeOf(floorOf(points)) * 3600;
      const rise = (perHour * seconds) / 3600;
      if (perHour > perHourMax && rise >= riseMin) {
        const measured = `${rise.toFixed(0)}${unit} in ${seconds.toFixed(0)} s`;
        problems.push(`${what} rose by ${measured}: ${perHour.toFixed(0)} an hour (at most ${perHourMax}).`);
      }
    }
  }
  return { problems, unjudged };
}

interface Point {
  readonly at: number;
  readonly y: number;
}

function floorOf(points: readonly Point[]): readonly Point[] {
  const floors: Point[] = [];
  for (let from = 0; from + floorSamples <= points.length; from += floorSamples) {
    const some = points.slice(from, from + floorSamples);
    floors.push(some.reduce((least, point) => (point.y < least.y ? point : least)));
  }
  return floors;
}

/** Theil and Sen's: the median of the slopes between any two. */
function slopeOf(points: readonly Point[]): number {
  return median(points.flatMap((from, at) => points.slice(at + 1).map((to) => (to.y - from.y) / (to.at - from.at))));
}
