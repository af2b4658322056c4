import type { ItemChange } from './item.ts';
import type { Thousandths } from './quantity.ts';
import type { Scope } from './user.ts';

/** The kinds of movement; a record's `kind` is one of these for ever. */
export const movementKinds = ['add', 'take', 'count', 'move', 'undo', 'item'] as const;
export type MovementKind = (typeof movementKinds)[number];

/** Where stock is kept unless somebody says otherwise. */
export const defaultLocation = 'main';
export const defaultUnit = 'pcs';

/** A place where stock is kept. */
export interface Location {
  readonly id: number;
  readonly name: string;
}

/** One line of an operation, as asked for. */
export interface OperationLine {
  readonly item: string;
  readonly location: string;
  readonly quantity: Thousandths;
}

/** One line of a move, as asked for. */
export interface MoveLine {
  readonly item: string;
  readonly from: string;
  readonly to: string;
  readonly quantity: Thousandths;
}

/** What every wish to change stock says, whatever it is. */
interface Asked {
  /** UUID in lower-case text form; with the user, the name of this operation for ever. */
  readonly operation: string;
  readonly note: string | null;
  readonly userId: number;
  /** Where the user may do anything at all. */
  readonly scope: Scope;
  /** How the user was authenticated: `session:ID`, `certificate:SERIAL`, or both with a space between. */
  readonly credential: string;
  /** The peer's IP address. */
  readonly source: string;
}

/** Stock comes in, or goes out. */
export interface LinesIntent extends Asked {
  readonly kind: 'add' | 'take';
  readonly lines: readonly OperationLine[];
  /** `add` only: create items that are unknown even though their name is all digits. */
  readonly allowNewCode: boolean;
}

/** Stock goes from one place to another: for each line a movement that leaves, then one that arrives. */
export interface MoveIntent extends Asked {
  readonly kind: 'move';
  readonly lines: readonly MoveLine[];
}

/** Somebody looked, and there were so many: the movement is the difference, and may be 0. */
export interface CountIntent extends Asked {
  readonly kind: 'count';
  readonly line: OperationLine;
  /** The last movement that the counter knew of, of whatever item: refused if this one moved there since. Null: not asked. */
  readonly ifSeq: number | null;
}

/** Takes back the whole operation that a movement belongs to, its last movement first. */
export interface UndoIntent extends Asked {
  readonly kind: 'undo';
  readonly seq: number;
  /** Whoever made it, and however long ago. */
  readonly allowAny: boolean;
}

/** A user's wish to change stock: all of it happens, or nothing. */
export type OperationIntent = LinesIntent | MoveIntent | CountIntent | UndoIntent;

/** What one movement did. */
export interface MovementResult {
  readonly item: string;
  readonly location: string;
  /** The change of the balance, negative when stock left. */
  readonly delta: Thousandths;
  readonly balance: Thousandths;
  readonly seq: number;
  readonly at: number;
  /** The line created its item; for a limited user: or made it visible to them. */
  readonly created: boolean;
  /** The line took the item's total to or below its low-stock threshold; not told to limited users, whose total it is not. */
  readonly low: boolean;
  /** Of an undo, the movement that was taken back. */
  readonly undoes?: number;
}

/** A movement as `history` shows it. Times are milliseconds since 1970 in UTC. */
export interface Movement {
  readonly seq: number;
  readonly at: number;
  readonly kind: MovementKind;
  readonly item: string;
  readonly location: string;
  readonly delta: Thousandths;
  readonly balance: Thousandths;
  readonly user: string;
  readonly note: string | null;
  readonly operation: string;
  /** Kind `item` only: what was set. */
  readonly change: ItemChange | null;
  /** As in `MovementResult`. */
  readonly low: boolean;
  /** Of an undo, the movement that it took back. */
  readonly undoes?: number;
}

/** An item with what there is of it. */
export interface ItemStock {
  readonly item: string;
  readonly quantity: Thousandths;
  readonly unit: string;
  readonly precision: number;
  readonly sku: string | null;
  readonly barcode: string | null;
  readonly category: string | null;
  readonly description: string | null;
  readonly lowAt: Thousandths | null;
  readonly locations: readonly { readonly location: string; readonly quantity: Thousandths }[];
}

export const stockSorts = [
  ...['name', '-name', 'quantity', '-quantity', 'unit', '-unit', 'category', '-category'],
  ...['sku', '-sku', 'barcode', '-barcode', 'lowAt', '-lowAt'],
] as const;
export type StockSort = (typeof stockSorts)[number];
export type StockColumn = Exclude<StockSort, `-${string}`>;

export interface StockQuery {
  /** Only what is, or was, at these locations exists for the one who asks. */
  readonly scope: Scope;
  readonly items?: readonly string[] | undefined;
  readonly search?: string | undefined;
  readonly location?: string | undefined;
  readonly category?: string | undefined;
  readonly low?: boolean | undefined;
  /** Archived items, and no others; left out: the others. */
  readonly archived?: boolean | undefined;
  readonly sort: StockSort;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface HistoryQuery {
  /** As in `StockQuery`. */
  readonly scope: Scope;
  readonly item?: string | undefined;
  readonly user?: string | undefined;
  readonly location?: string | undefined;
  readonly kind?: MovementKind | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** What a watcher wants to know: the movements after one that they have, oldest first. */
export interface WatchQuery {
  /** As in `StockQuery`. */
  readonly scope: Scope;
  readonly after: number;
  /** Only movements that took an item's total to or below its low-stock threshold; none in a scope. */
  readonly low: boolean;
  readonly limit: number;
}
