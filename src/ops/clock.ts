import { clockDivergenceSecondsMax, clockLookSeconds } from '../model/limits.ts';

/**
 * The time of a running server: the wall clock at its start and the monotonic clock since, so that a stepped clock neither
 * logs everybody out nor extends a token. Milliseconds since 1970.
 */
export class Clock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #offset: number;

  constructor(wall: () => number = Date.now, monotonic: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#offset = wall() - monotonic();
  }

  now(): number {
    return Math.floor(this.#offset + this.#monotonic());
  }

  /** By how many milliseconds the machine's clock is ahead of the server's time; negative when it is behind. */
  get divergence(): number {
    return this.#wall() - this.now();
  }

  /** Takes the machine's clock as the right one again: what somebody asks for who has seen the divergence. */
  follow(): void {
    this.#offset = this.#wall() - this.#monotonic();
  }

  /** Tells when the two clocks begin to differ by more than 30 s, and when they agree again. Returns how to stop. */
  watch(tell: (divergence: number, agrees: boolean) => void): () => void {
    let agreed = true;
    const timer = setInterval(() => {
      const { divergence } = this;
      const agrees = !isDivergent(divergence);
      if (agrees !== agreed) tell(divergence, agrees);
      agreed = agrees;
    }, clockLookSeconds * 1000);
    timer.unref();
    return () => clearInterval(timer);
  }
}

function isDivergent(divergence: number): boolean {
  return Math.abs(divergence) > clockDivergenceSecondsMax * 1000;
}

/** What an operator should see to, in a sentence with the command to run; undefined when the clocks agree. */
export function describeDivergence(divergence: number): string | undefined {
  if (!isDivergent(divergence)) return undefined;
  const seconds = Math.round(Math.abs(divergence) / 1000);
  const side = divergence > 0 ? 'ahead of' : 'behind';
  return `The machine's clock is ${seconds} s ${side} the server's time: it was set, or the machine slept. If it is right now, run: secure-inv server reload`;
}
