import type { Thousandths } from './quantity.ts';
import type { Scope } from './user.ts';

/**
 * `staged`: rows come in, nothing is counted. `accepted`: the server counts them, whatever happens. `stopped`: something
 * changed so that a row does not fit any more; accepted again it goes on. `done`: all are counted.
 */
export const importStates = ['staged', 'accepted', 'stopped', 'done'] as const;
export type ImportState = (typeof importStates)[number];

/** What a row may say of its item. */
export interface ImportedAbout {
  readonly unit?: string | undefined;
  readonly precision?: number | undefined;
  readonly sku?: string | undefined;
  readonly barcode?: string | undefined;
  readonly category?: string | undefined;
  readonly description?: string | undefined;
  readonly lowAt?: Thousandths | undefined;
}

/** One row of an import: so many of an item come in, and if it is new that is what it is like. */
export interface ImportRow {
  /** Where the row stands in the file, from 1. */
  readonly line: number;
  readonly item: string;
  readonly location: string;
  /** 0 only makes the item known. */
  readonly quantity: Thousandths;
  readonly about: ImportedAbout;
  readonly note: string | null;
}

/** Why a row cannot be counted, and what to do. */
export interface ImportProblem {
  readonly line: number;
  readonly problem: string;
  readonly fix: string;
}

/** Who works with imports, and where they may at all. */
export interface Importer {
  readonly userId: number;
  readonly scope: Scope;
}

/** As whom an accepted import is counted. */
export interface ImportAcceptance extends Importer {
  /** As in an `OperationIntent`. */
  readonly credential: string;
  /** The peer's IP address. */
  readonly source: string;
}

/** The wish to import a file. */
export interface ImportIntent extends Importer {
  readonly name: string | null;
  /** SHA-256 of the file, by which it is recognized. */
  readonly digest: Uint8Array;
  readonly rows: number;
  /** The file may have been imported before. */
  readonly again: boolean;
}

/** How far an import is. Times are milliseconds since 1970 in UTC. */
export interface ImportStatus {
  readonly import: number;
  readonly name: string | null;
  readonly user: string;
  readonly state: ImportState;
  readonly rows: number;
  /** So many rows are staged, or counted once it is accepted. */
  readonly done: number;
  /** When it was accepted; before that, when it began. */
  readonly at: number;
  /** What stopped it. */
  readonly problem: ImportProblem | null;
  /** So many rows were looked at; null when it is not looked at. */
  readonly looked: number | null;
}
