import { Failure } from '../../model/failure.ts';
import { appendLeaf, type Frontier, type LedgerRecord, leafHash, rootOf } from '../../model/ledger.ts';
import type { MovementKind } from '../../model/stock.ts';
import type { Database } from './database.ts';
import { readHead, sha256 } from './ledger.ts';
import { formatOperationId } from './operation-id.ts';

/** A movement as it lies in its row. */
export interface RawMovement {
  readonly seq: number;
  readonly at: number;
  readonly user: string | null;
  readonly credential: string;
  readonly source: string;
  readonly operation: Uint8Array;
  readonly kind: MovementKind;
  readonly item_id: number;
  readonly item: string;
  readonly location_id: number;
  readonly location: string;
  readonly delta: number;
  readonly balance: number;
  readonly note: string | null;
  readonly seen: number | null;
  readonly undoes: number | null;
  readonly change: string | null;
  readonly hash: Uint8Array;
}

const columns = `movement.seq, at, user.name AS user, credential, source, operation, kind, item_id, item, location_id,
  location, delta, balance, note, seen, undoes, change, hash`;

/**
 * Computes the ledger again from its rows, oldest first and a part at a time: the hash of each movement, and in the end
 * the root. What is appended meanwhile is reached, too.
 */
export class LedgerCheck {
  readonly #database: Database;
  readonly #onMovement: (movement: RawMovement) => void;
  #frontier: Frontier = [];
  #size = 0;

  constructor(database: Database, onMovement: (movement: RawMovement) => void = () => undefined) {
    this.#database = database;
    this.#onMovement = onMovement;
  }

  /** How many movements were looked at. */
  get size(): number {
    return this.#size;
  }

  /**
   * Looks at so many more; true when that was the end and all of it is as it was written. Failures: `storage` that names
   * the movement.
   */
  step(rowsMax: number): boolean {
    const sql = `SELECT ${columns} FROM movement LEFT JOIN user ON user.id = movement.user_id
      WHERE movement.seq > ? ORDER BY movement.seq LIMIT ?`;
    for (const movement of this.#database.all<RawMovement>(sql, this.#size, rowsMax)) this.#append(movement);
    const { size, root } = readHead(this.#database);
    if (this.#size < size) {
      const next = this.#database.get('SELECT 1 FROM movement WHERE seq > ?', this.#size);
      if (next === undefined) throw damaged(`Movement ${this.#size + 1} of ${size} is missing.`);
      return false;
    }
    if (this.#size > size) throw damaged(`There are movements behind ${size}, the last one that was acknowledged.`);
    if (Buffer.compare(rootOf(this.#frontier, sha256), root) !== 0) {
      throw damaged(`The root over all ${size} movements is not the one that was written.`);
    }
    return true;
  }

  #append(movement: RawMovement): void {
    if (movement.seq !== this.#size + 1) throw damaged(`Movement ${this.#size + 1} is missing.`);
    const leaf = leafOf(movement);
    if (!leaf || Buffer.compare(leaf, movement.hash) !== 0) {
      throw damaged(`Movement ${movement.seq} is not what was written.`);
    }
    this.#onMovement(movement);
    this.#frontier = appendLeaf(this.#frontier, this.#size, leaf, sha256);
    this.#size = movement.seq;
  }
}

export function damaged(message: string): Failure {
  return new Failure('storage', message, {
    hint: 'Keep a copy of the store, and restore the newest backup that `secure-invd backup verify` calls good.',
  });
}

/** The hash that the row should have; undefined for a row of which no record can be made. */
function leafOf({
  item_id,
  location_id,
  operation,
  change,
  user,
  hash: _,
  ...row
}: RawMovement): Uint8Array | undefined {
  try {
    const record: LedgerRecord = {
      ...row,
      itemId: item_id,
      locationId: location_id,
      operation: formatOperationId(operation),
      change: change === null ? null : JSON.parse(change),
      user: user ?? '',
    };
    return leafHash(record, sha256);
  } catch {
    return undefined;
  }
}
