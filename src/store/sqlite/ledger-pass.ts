import { Failure } from '../../model/failure.ts';
import { ledgerPassPauseHours, ledgerPassRestTimes, ledgerPassWorkMilliseconds } from '../../model/limits.ts';
import { type Database, sqliteCode, sqliteCorrupt } from './database.ts';
import { LedgerCheck } from './ledger-check.ts';

const rowsPerStep = 32;
/** A server that starts has better things to do. */
const firstRestMilliseconds = 500;

/** Looks through the ledger for flipped bits while the store serves, over and over, with a bounded part of the time. */
export class LedgerPass {
  readonly #database: Database;
  readonly #onDamage: (damage: string) => void;
  #check: LedgerCheck;
  #timer: NodeJS.Timeout;

  constructor(database: Database, onDamage: (damage: string) => void) {
    this.#database = database;
    this.#onDamage = onDamage;
    this.#check = new LedgerCheck(database);
    this.#timer = setTimeout(() => this.#work(), firstRestMilliseconds);
  }

  /** Looks no further. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #work(): void {
    const begun = performance.now();
    let isWhole = false;
    try {
      while (!isWhole && performance.now() - begun < ledgerPassWorkMilliseconds)
        isWhole = this.#check.step(rowsPerStep);
    } catch (error) {
      if (error instanceof Failure || (error instanceof Error && sqliteCode(error) === sqliteCorrupt)) {
        this.#onDamage(error.message);
        return;
      }
      // Could not be read just now; the next portion tries again.
    }
    if (isWhole) this.#check = new LedgerCheck(this.#database);
    const rest = isWhole ? ledgerPassPauseHours * 3_600_000 : ledgerPassRestTimes * (performance.now() - begun);
    this.#timer = setTimeout(() => this.#work(), rest);
  }
}
