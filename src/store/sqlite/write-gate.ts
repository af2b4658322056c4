import { Failure } from '../../model/failure.ts';
import { diskLookMilliseconds } from '../../model/limits.ts';
import type { StoreHealth } from '../store.ts';
import { sqliteCode, sqliteFull, sqliteInputOutput } from './database.ts';
import type { DiskReserve } from './disk-reserve.ts';
import { readLastBackup } from './last-backup.ts';
import { type Call, isWrite, type WriteMethod } from './message.ts';

/** What a full disk, and a damaged ledger, leave possible: to log in, to stay logged in, to log out, and its record. */
const essential: ReadonlySet<WriteMethod> = new Set([
  'addSession',
  'rotateSession',
  'endSession',
  'saveThrottle',
  'touch',
  'setPasswordHash',
  'addDevice',
  'audit',
  'auditRefusals',
  'forgetAudit',
]);

/** The writes of a batch that may be tried, and for each other one why not. */
interface Sorted {
  readonly admitted: readonly Call[];
  readonly refused: readonly (readonly [id: number, failure: Failure])[];
}

/**
 * Says which writes are taken: all of them while the reserve on the disk is held and the ledger is whole, otherwise only
 * the essential ones. Without a reserve (beside a server) the disk is not looked at.
 */
export class WriteGate {
  readonly #path: string;
  readonly #reserve: DiskReserve | undefined;
  #damage: string | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, reserve: DiskReserve | undefined) {
    this.#path = path;
    this.#reserve = reserve;
  }

  sort(writes: readonly Call[]): Sorted {
    const failure = this.#refusal();
    if (!failure) return { admitted: writes, refused: [] };
    const isAdmitted = ([, method]: Call) => isWrite(method) && essential.has(method);
    return {
      admitted: writes.filter(isAdmitted),
      refused: writes.filter((call) => !isAdmitted(call)).map(([id]) => [id, failure]),
    };
  }

  /**
   * Takes notice of a failed write, before anything is opened anew: that needs room as well. True when the disk is full
   * and the reserve was given up just now, so that what is essential can be tried once more.
   */
  noteFailure(error: unknown): boolean {
    const code = sqliteCode(error);
    // The index of SQLite's log cannot grow either, and then it is called an error of input and output.
    const isFull = code === sqliteFull || (code === sqliteInputOutput && this.#reserve?.isDiskFull());
    if (!isFull || !this.#reserve?.isHeld) return false;
    this.#reserve.giveUp();
    this.#lookedAt = performance.now();
    process.emitWarning('The disk is full: from the reserve on only logins and the audit log are written.');
    return true;
  }

  /** From now on, and until the store was opened anew. */
  noteDamage(damage: string): void {
    this.#damage ??= damage;
    process.emitWarning(`The store is damaged and takes no more changes. ${damage}`);
  }

  health(): StoreHealth {
    return { problem: this.#refusal()?.message ?? null, lastBackupAt: readLastBackup(this.#path) };
  }

  #refusal(): Failure | undefined {
    if (this.#damage !== undefined) {
      return new Failure('storage', `The store is damaged and takes no more changes. ${this.#damage}`, {
        hint: 'The operator must look: secure-invd ledger verify. What is there can still be read.',
      });
    }
    if (!this.#reserve || this.#reserve.isHeld || this.#takeReserve(this.#reserve)) return undefined;
    return new Failure('storage', 'The disk is full; nothing was changed.', {
      hint: 'The operator must make room for the store. What is there can still be read.',
    });
  }

  #takeReserve(reserve: DiskReserve): boolean {
    if (performance.now() - this.#lookedAt < diskLookMilliseconds) return false;
    this.#lookedAt = performance.now();
    return reserve.take();
  }
}
