import { hash } from 'node:crypto';
import { appendLeaf, type Frontier, type LedgerRecord, leafHash, rootOf } from '../../model/ledger.ts';
import type { LedgerHead } from '../store.ts';
import type { Database } from './database.ts';
import { MovementIndexer } from './movement-index.ts';

const hashBytes = 32;

/** SHA-256 of the parts, one after another. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  // One shot, and the digest by way of a string: a hash object, or a buffer of its own for each digest, costs twice.
  const [first = ''] = parts;
  const joined = parts.length > 1 ? Buffer.concat(parts.map(toBytes)) : first;
  return Buffer.from(hash('sha256', joined, 'binary'), 'binary');
}

function toBytes(part: Uint8Array | string): Uint8Array {
  return typeof part === 'string' ? Buffer.from(part) : part;
}

interface Tip {
  size: number;
  frontier: Frontier;
  /** The time of the last record, which the next one does not precede. */
  at: number;
}

/** The growing end of the ledger, kept in memory between commits. */
export class Ledger {
  readonly #database: Database;
  readonly #indexer: MovementIndexer;
  #tip: Tip | undefined;
  #isDirty = false;

  constructor(database: Database) {
    this.#database = database;
    this.#indexer = new MovementIndexer(database);
  }

  /** The time of a record made now: a clock that was set back does not take the ledger back. */
  timeFor(now: number): number {
    return Math.max(now, this.#load().at);
  }

  get size(): number {
    return this.#load().size;
  }

  /** Appends the record whose `seq` is `size + 1`; its leaf hash. */
  append(record: LedgerRecord): Uint8Array {
    const tip = this.#load();
    const leaf = leafHash(record, sha256);
    tip.frontier = appendLeaf(tip.frontier, tip.size, leaf, sha256);
    tip.size = record.seq;
    tip.at = record.at;
    this.#isDirty = true;
    return leaf;
  }

  /** Writes the tree head; once a commit, however many records it has. Then the indexes, when it is time. */
  flush(): void {
    if (!this.#isDirty) return;
    const { size, frontier } = this.#load();
    const sql = 'UPDATE ledger SET size = ?, frontier = ?, root = ?';
    this.#database.run(sql, size, Buffer.concat(frontier), rootOf(frontier, sha256));
    this.#indexer.index(size);
    this.#isDirty = false;
  }

  /** As `Stock.expectMany`. */
  expectMany(areMany: boolean): void {
    this.#indexer.expectMany(areMany);
  }

  /** Forgets what memory says, because the file may say otherwise. */
  drop(): void {
    this.#tip = undefined;
    this.#isDirty = false;
  }

  #load(): Tip {
    if (!this.#tip) {
      const { size, frontier } = readHead(this.#database);
      const last = this.#database.get<{ at: number }>('SELECT at FROM movement WHERE seq = ?', size);
      this.#tip = { size, frontier, at: last?.at ?? 0 };
    }
    return this.#tip;
  }
}

/** The tree head as the last commit left it. */
export function readHead(database: Database): LedgerHead {
  const row = database.one<{ size: number; frontier: Uint8Array; root: Uint8Array }>(
    'SELECT size, frontier, root FROM ledger',
  );
  const frontier: Uint8Array[] = [];
  for (let at = 0; at < row.frontier.length; at += hashBytes) frontier.push(row.frontier.slice(at, at + hashBytes));
  return { size: row.size, root: row.root, frontier };
}
