/** A quantity of an item that comes to a location or leaves it. */
export interface Leg {
  readonly item: string;
  readonly location: string;
  /** Above 0 what comes, below what leaves. */
  readonly delta: number;
}

/** What comes, leaves or goes elsewhere: all of its legs side by side, or none. */
export interface Shift {
  readonly operation: string;
  readonly kind: 'add' | 'take' | 'move';
  /** Of a move in pairs: what leaves, and what arrives. */
  readonly legs: readonly Leg[];
}

/** So many were found there, whatever was said of it before. */
export interface Count {
  readonly operation: string;
  readonly kind: 'count';
  readonly item: string;
  readonly location: string;
  readonly quantity: number;
  /** Only if nothing of it moved there since this movement. */
  readonly ifSeq?: number | undefined;
}

/** Takes all of an earlier operation back, once: the last leg first. */
export interface Undo {
  readonly operation: string;
  readonly kind: 'undo';
  readonly undone: string;
  /** Any of the movements that are to be undone. */
  readonly seq: number;
}

/** What a client means to have counted once, whatever happens. */
export type Change = Shift | Count | Undo;

/** What a client is told of a leg that was counted. */
export interface Told {
  readonly seq: number;
  readonly balance: number;
}

export type Asked = Change & {
  readonly what: 'asked';
  /** Whoever was asked to send it sends it again unasked, so nobody here knows how often it was sent. */
  readonly isRepeatedUnasked?: boolean;
};

/**
 * What all clients of a test did and were told, in the order in which it happened: all of them write into one list of one
 * process, so whatever stands before something else cannot have been caused by it.
 */
export type Event =
  /** Sent; once more for each time that it is sent again. */
  | Asked
  | { readonly what: 'acknowledged'; readonly operation: string; readonly told: readonly Told[] }
  /** Refused for good: there is too little of an item, or none yet; or it moved since, or is undone already. */
  | { readonly what: 'refused'; readonly operation: string; readonly code: Refusal }
  /** With a location by someone for whom there is no other. */
  | { readonly what: 'look'; readonly look: number; readonly location?: string | undefined }
  /** The answer to a look: all that there is, by place, and the last movement that is in it. A look may never be answered. */
  | {
      readonly what: 'seen';
      readonly look: number;
      readonly seq: number;
      readonly quantities: ReadonlyMap<string, number>;
    };

export type Refusal = 'out-of-stock' | 'not-found' | 'conflict';

/** A movement of the ledger as it stands in the end. */
export interface Movement extends Leg, Told {
  readonly operation: string;
  readonly at: string;
  /** The movement that it takes back. */
  readonly undoes?: number;
}

/** What there was at a moment: the last movement, and the stock that it left. */
export interface Moment {
  readonly seq: number;
  readonly stock: ReadonlyMap<string, number>;
}

/** Before anything. */
export const beginning: Moment = { seq: 0, stock: new Map() };

/** What the server has in the end. */
export interface Remains {
  /** When the history began: nothing that was asked for before was still open. Left out: the beginning of everything. */
  readonly since?: Moment;
  /** What came since, in the order of `seq`. */
  readonly ledger: readonly Movement[];
  readonly stock: ReadonlyMap<string, number>;
}

/** Where stock lies: an item at a location. */
export function placeOf({ item, location }: Pick<Leg, 'item' | 'location'>): string {
  return `${item} at ${location}`;
}

/** Whether a place is seen by whoever is limited to a location, if to any. */
export function isSeenFrom(location: string | undefined, place: string): boolean {
  return location === undefined || place.endsWith(` at ${location}`);
}
