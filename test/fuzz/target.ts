import fc from 'fast-check';
import type { FuzzedServer } from './fuzzed-server.ts';

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
          let tried = 0;
          const found = fc.asyncProperty(inputs, async (input) => {
            tried++;
            await trial.attempt(input);
          });
          const details = await fc.check(found, { seed, numRuns, interruptAfterTimeLimit: shrinkMilliseconds });
          if (details.failed) throw new Error(explain(details));
          await trial.server?.assertWell();
          return tried;
        },
        async close() {
          await trial.close();
        },
      };
    },
  };
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

/**
 * Does what takes no longer than anything may. What is slow is done again before it counts: the machine may have been
 * busy with something else.
 */
export async function soon(what: () => unknown): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const since = performance.now();
    await what();
    const took = performance.now() - since;
    if (took <= 1000) return;
    if (attempt === 2) throw new Error(`It took ${Math.round(took)} ms, three times.`);
  }
}
