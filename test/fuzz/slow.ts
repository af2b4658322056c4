/** Nothing takes longer than this: the server to answer, or to end a connection, and a parser to take or refuse. */
export const answerMillisecondsMax = 1000;
/** After this there will be no answer at all. */
export const hangMilliseconds = 10_000;

/** Something took too long. It counts when it does so twice: the machine may have been busy with something else. */
export class Slow extends Error {
  constructor(what: string, milliseconds: number) {
    super(`${what} took ${Math.round(milliseconds)} ms; ${answerMillisecondsMax} ms is the most.`);
  }
}

/** Throws `Slow` for what took too long. */
export function assertSoon(what: string, milliseconds: number): void {
  if (milliseconds > answerMillisecondsMax) throw new Slow(what, milliseconds);
}

/** Does it, and once more if it was slow. */
export async function twiceIfSlow<Result>(what: () => Promise<Result>): Promise<Result> {
  try {
    return await what();
  } catch (error) {
    if (!(error instanceof Slow)) throw error;
    return what();
  }
}

/** Does what takes no longer than anything may. */
export function soon(what: () => unknown): Promise<void> {
  return twiceIfSlow(async () => {
    const since = performance.now();
    await what();
    assertSoon('It', performance.now() - since);
  });
}
