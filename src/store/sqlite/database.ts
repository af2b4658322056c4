import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { fitsSearch, foldSearch } from './search-text.ts';

/**
 * Another process may hold the write lock for as long as its one short transaction takes. Who waits for longer is told
 * within a second: a change that cannot be written down is refused, not left hanging (security.md 18).
 */
const busyMillisecondsMax = 750;

/**
 * The log goes into the database file when it has 16 MiB. Measured in turns at batches of 64 (medians of 6): 40,800 adds
 * a second with SQLite's 1,000 pages, 44,700 with 4,000, 46,200 with 16,000, whose 64 MiB are too much for 3 % more.
 */
const checkpointPages = 4000;
/**
 * While commits are of many pages, as an import's are, sooner: everybody waits for that. Measured while 100,000 new items
 * came in, at the p99 of others' adds, in turns: 3.8 times the quiet one with 4,000, 3.3 with 1,000, 3.0 with 500.
 */
const checkpointPagesOfMany = 500;

/**
 * What of the file is kept in memory. Measured with a million items: a page by quantity, which looks at thousands of items
 * that were moved lately, took 4.4 ms with SQLite's 2 MiB and 2.3 ms with 64 MiB. With 32 MiB adds, pages and searches take as
 * long as with 64, by quantity at a place up to a fifth longer; with 16 half as long again. A large store fills it, and it stays.
 */
const cacheMebibytes = 32;

/** More than are in use for long: `view` alone can ask in two thousand ways, some 20 KB each. */
const statementsMax = 500;

const primaryCodeMask = 0xff;
export const sqliteBusy = 5;
export const sqliteInputOutput = 10;
export const sqliteCorrupt = 11;
export const sqliteFull = 13;
export const sqliteConstraint = 19;
export const sqliteNoDatabase = 26;

/** The primary SQLite result code behind an error, if it is SQLite's. */
export function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & primaryCodeMask
    : undefined;
}

/** One connection to the store's file, and its statements, prepared when they are first used. */
export class Database {
  readonly #path: string | URL;
  readonly #isReadOnly: boolean;
  #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** A URL may say more than a path, such as `?immutable=1` for a file that nobody writes. */
  constructor(path: string | URL, isReadOnly = false) {
    this.#path = path;
    this.#isReadOnly = isReadOnly;
    this.#connection = connect(path, isReadOnly);
  }

  /** Runs a statement; the number of rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  /** Inserts one row; its id. Without RETURNING, whose temporary table costs more than the row. */
  insert(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).lastInsertRowid);
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    // STRICT tables hold only the types they declare, so the row type written beside a query is true.
    return this.#prepare(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values) as Row[]; // As above.
  }

  /** The one row of a query that always has one. */
  one<Row>(sql: string, ...values: SQLInputValue[]): Row {
    const row = this.get<Row>(sql, ...values);
    if (row === undefined) throw new Error(`The store is damaged: no row for ${sql}`);
    return row;
  }

  /** Runs several statements that are not worth preparing. */
  script(sql: string): void {
    this.#connection.exec(sql);
  }

  /** Does everything in `change` or nothing of it, whatever it throws. */
  within<Result>(change: () => Result): Result {
    this.run('SAVEPOINT intent');
    try {
      const result = change();
      this.run('RELEASE intent');
      return result;
    } catch (error) {
      // After a full disk or an I/O error SQLite has already rolled back the whole transaction.
      if (this.#connection.isTransaction) {
        this.run('ROLLBACK TO intent');
        this.run('RELEASE intent');
      }
      throw error;
    }
  }

  get isInTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  /** Says whether the commits to come are of many pages each. */
  expectMany(areMany: boolean): void {
    this.script(`PRAGMA wal_autocheckpoint = ${areMany ? checkpointPagesOfMany : checkpointPages}`);
  }

  /** Brings all of the log into the file, and both to the disk; throws when any of it could not be. */
  checkpoint(): void {
    type Result = { readonly busy: number; readonly log: number; readonly checkpointed: number };
    const { busy, log, checkpointed } = this.one<Result>('PRAGMA wal_checkpoint(FULL)');
    if (busy !== 0 || log !== checkpointed) throw new Error('Not all of the log could be brought into the file.');
  }

  /** A new connection to the same file: the only state to trust after a failed write. */
  reopen(): void {
    this.close();
    this.#connection = connect(this.#path, this.#isReadOnly);
  }

  /**
   * Where not even the index of SQLite's log can be written, it fits into memory: for reading, and for this process
   * alone, until the store can be opened again. Says whether that went well.
   */
  reopenForReading(): boolean {
    this.close();
    try {
      this.#connection = new DatabaseSync(this.#path, { timeout: busyMillisecondsMax });
      addSearch(this.#connection);
      this.script('PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = 1; SELECT 1 FROM sqlite_schema');
      return true;
    } catch {
      this.close();
      return false;
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#connection.isOpen) this.#connection.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
      const [oldest] = this.#statements.keys();
      if (this.#statements.size > statementsMax && oldest !== undefined) this.#statements.delete(oldest);
    }
    return statement;
  }
}

function connect(path: string | URL, readOnly: boolean): DatabaseSync {
  const connection = new DatabaseSync(path, {
    timeout: busyMillisecondsMax,
    enableForeignKeyConstraints: true,
    readOnly,
  });
  addSearch(connection);
  if (readOnly) return connection;
  try {
    // With NORMAL a power cut loses commits that were acknowledged; FULL syncs the log at every commit.
    connection.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    // Otherwise a large change is kept undoable in a file below /var/tmp: there it may be full, and a server without a
    // free descriptor would lose its connection to the store.
    connection.exec('PRAGMA temp_store = MEMORY');
    connection.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}; PRAGMA cache_size = -${cacheMebibytes * 1024}`);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** SQLite's own folding knows the letters of 2012, and not which names are one. No schema may need these functions. */
function addSearch(connection: DatabaseSync): void {
  const textOf = (value: unknown) => (typeof value === 'string' ? value : null);
  connection.function('fold_search', (text) => (typeof text === 'string' ? foldSearch(text) : null));
  connection.function('fits_search', { varargs: true }, (search, ...texts) =>
    fitsSearch(textOf(search) ?? '', texts.map(textOf)) ? 1 : 0,
  );
}
