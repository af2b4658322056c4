import { readinessCheckMillisecondsMax, readinessMilliseconds } from '../model/limits.ts';

/** Something without which a server cannot serve. Resolves to what is wrong with it, if anything; may reject instead. */
export interface Check {
  readonly name: string;
  readonly look: () => Promise<string | undefined>;
}

/** What a check found; no problem means that it is well. */
export interface Finding {
  readonly name: string;
  readonly problem: string | undefined;
}

/**
 * Whether a server can serve, by named checks. However many ask and however often, the checks run every 2 s at most, and
 * each has as long as probes wait.
 */
export class Readiness {
  readonly #checks: readonly Check[];
  readonly #isStopping: () => boolean;
  #last: { readonly at: number; readonly findings: Promise<readonly Finding[]> } | undefined;

  constructor(checks: readonly Check[], isStopping: () => boolean) {
    this.#checks = checks;
    this.#isStopping = isStopping;
  }

  findings(): Promise<readonly Finding[]> {
    // At once, and without a look at what is being closed.
    if (this.#isStopping()) return Promise.resolve([{ name: 'serving', problem: 'the server is stopping' }]);
    const at = performance.now();
    if (!this.#last || at - this.#last.at >= readinessMilliseconds) {
      this.#last = { at, findings: Promise.all(this.#checks.map(lookAt)) };
    }
    return this.#last.findings;
  }

  async isReady(): Promise<boolean> {
    return (await this.findings()).every(({ problem }) => problem === undefined);
  }
}

async function lookAt({ name, look }: Check): Promise<Finding> {
  const found = look().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  const problem = await within(found, readinessCheckMillisecondsMax, 'no answer in time');
  return { name, problem };
}

/** What a promise resolves to, or something else when that takes too long. */
export async function within<T, Late>(promise: Promise<T>, milliseconds: number, late: Late): Promise<T | Late> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<Late>((resolve) => {
    timer = setTimeout(() => resolve(late), milliseconds);
  });
  return Promise.race([promise, isLate]).finally(() => clearTimeout(timer));
}
