import fc from 'fast-check';
import type { FuzzedServer } from './fuzzed-server.ts';
import { againIfSlow, assertSoon } from './slow.ts';

/** Something that takes inputs which others make. */
export interface Target {
  readonly name: string;
  /** Starts a server for it, if it needs one and none is given to share. */
  open(shared?: FuzzedServer): Promise<OpenTarget>;
}

/** A target that is ready for inputs. */
export interface OpenTarget {
  /** The server that the inputs go to, if they go to one. */
  readonly server: FuzzedServer | undefined;
  /** How many inputs a batch has; each has a seed of its own, and what its inputs are follows from that alone. */
  readonly batchInputs: number;
  /** Tries a batch and tells how many inputs it had. Throws what was found, with the input. */
  run(seed: number, inputs?: number): Promise<number>;
  close(): Promise<void>;
}

/** How a target tries its inputs. */
export interface Trial<Input> {
  readonly server?: FuzzedServer;
  /** Throws what was found. */
  attempt(input: Input): unknown;
  close(): unknown;
}

/** To make an input small that something was found with may take so long. */
const shrinkMilliseconds = 20_000;
/** Longer than it takes to set an actor right who must wait for a new login: after this an input hangs. */
const inputMilliseconds = 120_000;
/** So many inputs are named when the server is found dead: the last one need not be what killed it. */
const lastInputsMax = 4;

/** A target out of inputs and a trial of them. */
export function defineTarget<Input>(
  name: string,
  batchInputs: number,
  inputs: fc.Arbitrary<Input>,
  open: (shared?: FuzzedServer) => Promise<Trial<Input>>,
): Target {
  return {
    name,
    async open(shared) {
      const trial = await open(shared);
      return {
        server: trial.server,
        batchInputs,
        async run(seed, numRuns = batchInputs) {
          const round = new Round(trial);
          const found = fc.asyncProperty(inputs, (input) => round.attempt(input));
          const details = await fc.check(found, { seed, numRuns });
          if (details.failed) throw new Error(explain(details));
          await trial.server?.assertWell();
          return round.tried;
        },
        async close() {
          await trial.close();
        },
      };
    },
  };
}

/** The inputs of one batch, until something is found; from then on, smaller ones. */
class Round<Input> {
  tried = 0;
  readonly #trial: Trial<Input>;
  readonly #last: Input[] = [];
  /** From then on all inputs pass unseen, so that what was found stays as it is. */
  #over = Number.POSITIVE_INFINITY;

  constructor(trial: Trial<Input>) {
    this.#trial = trial;
  }

  async attempt(input: Input): Promise<void> {
    if (performance.now() > this.#over) return;
    this.tried++;
    this.#last.push(input);
    if (this.#last.length > lastInputsMax) this.#last.shift();
    const { server } = this.#trial;
    try {
      await this.#inTime(againIfSlow(() => this.#attemptOnce(input)));
      if (server?.isTroubled) throw new Error('The server is in trouble.');
    } catch (error) {
      this.#over = Math.min(this.#over, performance.now() + shrinkMilliseconds);
      const trouble = await server?.trouble();
      if (trouble === undefined) throw error;
      // Every smaller input would fail there, whatever it is.
      this.#over = 0;
      throw new Error(`${trouble}\nThe last inputs were:\n${this.#last.map(show).join('\n')}`);
    }
  }

  async #attemptOnce(input: Input): Promise<void> {
    const attempt = async () => void (await this.#trial.attempt(input));
    const { server } = this.#trial;
    if (!server) return attempt();
    assertSoon('An answer to somebody else', await server.longestWaitDuring(attempt));
  }

  async #inTime(attempt: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const hang = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), inputMilliseconds);
    });
    const isLate = await Promise.race([attempt.then(() => false), hang]).finally(() => clearTimeout(timer));
    if (!isLate) return;
    attempt.catch(() => undefined); // What comes of it later is of no more interest.
    this.#over = 0; // It still goes on, and would go on beside a smaller one.
    throw new Error(`It hangs: there is no end of it after ${inputMilliseconds} ms.`);
  }
}

function explain<Input>({
  errorInstance,
  counterexample,
  counterexamplePath,
  numShrinks,
}: fc.RunDetails<[Input]>): string {
  const why = errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance);
  return `${why}\nInput (made smaller ${numShrinks} times, ${counterexamplePath}): ${show(counterexample?.[0])}`;
}

/** An input as it can be read, and copied into a test: bytes as text where they are text. */
function show(input: unknown): string {
  const text = JSON.stringify(input, (_key, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    if ('handle' in value && 'name' in value) return value.name;
    if (!('type' in value && value.type === 'Buffer' && 'data' in value && Array.isArray(value.data))) return value;
    const bytes = Buffer.from(value.data);
    const written = bytes.toString();
    return Buffer.from(written).equals(bytes) ? written : { base64: bytes.toString('base64') };
  });
  return text.slice(0, 4000);
}
