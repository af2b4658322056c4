/** Numbers that look random and are the same in every run (xorshift32): a store that was measured can be made again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** A whole number from 0 to `end - 1`. */
  below(end: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % end;
  }

  /** Whether something happens that does so in `percent` of 100 times. */
  happens(percent: number): boolean {
    return this.below(10_000) < percent * 100;
  }
}
