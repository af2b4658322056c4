/** Nothing takes longer than this: the server to answer, or to end a connection, and a parser to take or refuse. */
export const answerMillisecondsMax = 1000;
/** After this there will be no answer at all. */
export const hangMilliseconds = 10_000;

/** Something took too long. It counts when it does so twice: the machine may be busy with something else. */
export class Slow extends Error {
  constructor(what: string, milliseconds: number) {
    super(`${what} took ${Math.round(milliseconds)} ms; ${answerMillisecondsMax} ms is the most.`);
  }
}

/** Throws `Slow` for what took too long. */
export function assertSoon(what: string, milliseconds: number): void {
  if (milliseconds > answerMillisecondsMax) throw new Slow(what, milliseconds);
}

const timesMax = 2;
/** In this time what others do to a machine may be over. */
const pauseMilliseconds = 500;

/** Does it, and again if it was slow. */
export async function againIfSlow<Result>(what: () => Promise<Result>): Promise<Result> {
  for (let time = 1; ; time++) {
    try {
      return await what();
    } catch (error) {
      if (!(error instanceof Slow) || time === timesMax) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMilliseconds));
  }
}

/** Does what takes no longer than anything may. */
export function soon(what: () => unknown): Promise<void> {
  return againIfSlow(async () => {
    const since = performance.now();
    await what();
    assertSoon('It', performance.now() - since);
  });
}
