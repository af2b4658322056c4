import { Failure } from '../../model/failure.ts';
import { diskLookMilliseconds } from '../../model/limits.ts';
import { damageWarning, type StoreHealth } from '../store.ts';
import { writeDamage } from './damage-note.ts';
import { sqliteCode, sqliteFull, sqliteInputOutput } from './database.ts';
import type { DiskReserve } from './disk-reserve.ts';
import { readLastBackup } from './last-backup.ts';
import { type Call, isWrite, type WriteMethod } from './message.ts';
import type { StorePlace } from './store-place.ts';

/** What a full disk, and a damaged or lost store, leave possible: to log in, to stay logged in, to log out, and its record. */
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

/** What only the server of a store looks at. */
interface Served {
  readonly reserve: DiskReserve;
  readonly place: StorePlace;
  /** What an earlier server has found. */
  readonly damage: string | undefined;
}

/**
 * Says which writes are taken: all of them while the reserve on the disk is held, the ledger is whole and the store is
 * where it was, otherwise only the essential ones. Beside a server none of that is looked at.
 */
export class WriteGate {
  readonly #path: string;
  readonly #reserve: DiskReserve | undefined;
  readonly #place: StorePlace | undefined;
  #damage: string | undefined;
  #isLost = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, served: Served | undefined) {
    this.#path = path;
    this.#reserve = served?.reserve;
    this.#place = served?.place;
    this.#damage = served?.damage;
  }

  /** Whether the ledger is damaged, so far as anybody knows. */
  get isDamaged(): boolean {
    return this.#damage !== undefined;
  }

  /** Whether the store's file is not the one at its path any more: to open that would be to serve from another store. */
  get isLost(): boolean {
    return this.#isLost;
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

  /** From now on, and also after a restart, until somebody has looked at all of the store, or restored another. */
  noteDamage(damage: string): void {
    this.lookAtPlace();
    if (this.#isLost) return; // What lies at the path is another store.
    this.#damage ??= damage;
    process.emitWarning(`${damagedStore(damage)} Run: secure-invd ledger verify`, damageWarning);
    try {
      writeDamage(this.#path, damage);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      process.emitWarning(`The damage could not be noted, so a restarted server has to find it again: ${reason}`);
    }
  }

  /** Whether the store is still where it was; once it was not, it is lost for as long as it is open. */
  lookAtPlace(): void {
    if (this.#isLost || !this.#place?.isLost()) return;
    this.#isLost = true;
    process.emitWarning(`${lostStore} ${whatToDo(this.#path)}`, damageWarning);
  }

  health(): StoreHealth {
    return { problem: this.#refusal()?.message ?? null, lastBackupAt: readLastBackup(this.#path) };
  }

  #refusal(): Failure | undefined {
    this.lookAtPlace();
    if (this.#isLost) {
      return new Failure('storage', lostStore, {
        hint: "The operator must look: the server's log says what to do. What is there can still be read.",
      });
    }
    if (this.#damage !== undefined) {
      return new Failure('storage', damagedStore(this.#damage), {
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

function damagedStore(damage: string): string {
  return `The store is damaged and takes no more changes. ${damage}`;
}

const lostStore = 'The store was moved, deleted or replaced under the server, which takes no more changes.';

function whatToDo(path: string): string {
  return `All that was acknowledged is in the file that was at ${path}: put it back, with its -wal, and restart the server. If it was deleted, first copy both from /proc/${process.pid}/fd, where they are until the server stops.`;
}
