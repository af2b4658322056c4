/** A change that a client means to have counted once, whatever happens. */
export interface Change {
  readonly operation: string;
  readonly item: string;
  /** Above 0 what is added, below what is taken. */
  readonly delta: number;
}

/**
 * What all clients of a test did and were told, in the order in which it happened: all of them write into one list of one
 * process, so whatever stands before something else cannot have been caused by it.
 */
export type Event =
  /** Sent; once more for each time that it is sent again. */
  | ({ readonly what: 'asked' } & Change)
  | { readonly what: 'acknowledged'; readonly operation: string; readonly seq: number; readonly balance: number }
  /** Refused for good: there is too little of the item, or none yet. */
  | { readonly what: 'refused'; readonly operation: string }
  | { readonly what: 'look'; readonly look: number }
  /** The answer to a look: all that there is, and the last movement that is in it. A look may never be answered. */
  | {
      readonly what: 'seen';
      readonly look: number;
      readonly seq: number;
      readonly quantities: ReadonlyMap<string, number>;
    };

/** A movement of the ledger as it stands in the end. */
export interface Movement {
  readonly seq: number;
  readonly operation: string;
  readonly item: string;
  readonly delta: number;
  readonly balance: number;
  readonly at: string;
}

/** What the server has in the end. */
export interface Remains {
  /** In the order of `seq`. */
  readonly ledger: readonly Movement[];
  readonly stock: ReadonlyMap<string, number>;
}
