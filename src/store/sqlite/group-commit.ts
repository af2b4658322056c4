import type { AuditEntry } from '../../model/audit.ts';
import { Failure } from '../../model/failure.ts';
import { addApiToken, listApiTokens, noteApiTokenUse, removeApiToken } from './api-tokens.ts';
import { addAudit, addRefusals, forgetAudit, readAudit } from './audit.ts';
import { type Database, sqliteBusy, sqliteCode, sqliteConstraint, sqliteFull } from './database.ts';
import { readHistory } from './history.ts';
import { ImportGuard } from './import-guard.ts';
import { Imports } from './imports.ts';
import { readItemDetails } from './item-details.ts';
import { readHead } from './ledger.ts';
import { addLocation, archiveLocation, listLocations, renameLocation } from './locations.ts';
import { type Call, type CommitTime, formatError, formatPage, isWrite, type Methods, type Reply } from './message.ts';
import { schemaVersion } from './migrations.ts';
import { readMovementsAfter } from './movement-feed.ts';
import { Outbox } from './outbox.ts';
import { addDevice, addSession, endSession, hasDevice, listSessions, rotateSession } from './sessions.ts';
import { Stock } from './stock.ts';
import { viewStock } from './stock-view.ts';
import * as users from './users.ts';
import { WriteGate } from './write-gate.ts';

/**
 * Runs batches of calls: the writes of a batch in one transaction, so that all of them pay for one fsync, and then the
 * reads, which see it. No reply exists before its commit has returned.
 */
export class GroupCommit {
  readonly #database: Database;
  readonly #stock: Stock;
  readonly #imports: Imports;
  readonly #methods: Methods;
  readonly #onOutsideChange: () => void;
  readonly #gate: WriteGate;
  #dataVersion: number;
  #mustReopen = false;
  /** What the log holds may be in memory alone. */
  #mustSync = false;
  #size = 0;
  #commit: CommitTime | undefined;

  constructor(
    database: Database,
    onOutsideChange: () => void,
    { gate = new WriteGate('', undefined), outbox = new Outbox(database, []) } = {},
  ) {
    this.#database = database;
    this.#gate = gate;
    const guard = new ImportGuard(database);
    this.#stock = new Stock(database, outbox, guard);
    this.#imports = new Imports(database, this.#stock, guard);
    this.#methods = methodsOf(database, this.#stock, outbox, gate, this.#imports, guard);
    this.#onOutsideChange = onOutsideChange;
    this.#dataVersion = readDataVersion(database);
  }

  run(calls: readonly Call[]): readonly Reply[] {
    this.#commit = undefined;
    const writes = calls.filter(([, method]) => isWrite(method));
    const reads = calls.filter(([, method]) => !isWrite(method));
    const written = writes.length > 0 ? this.#writeIfOpen(writes) : [];
    if (this.#mustReopen) this.#tryToReopen();
    if (this.#mustReopen && reads.length > 0 && (this.#gate.isLost || !this.#database.reopenForReading())) {
      const failure = new Failure('storage', 'The store cannot be read any more.');
      return [...written, ...reads.map(([id]) => refused(id, failure))];
    }
    return [...written, ...reads.map((call) => this.#settle(call))];
  }

  /** How many movements there were after the last commit here; 0 before the first. */
  get size(): number {
    return this.#size;
  }

  /** The transaction of the last batch, if it had one. */
  get commit(): CommitTime | undefined {
    return this.#commit;
  }

  /** Drops every cache when another process has committed since the last look. */
  noticeOutsideChange(): void {
    if (this.#mustReopen) return;
    const version = readDataVersion(this.#database);
    if (version === this.#dataVersion) return;
    this.#dataVersion = version;
    this.#stock.drop();
    this.#imports.drop();
    this.#onOutsideChange();
  }

  /** The same between batches, where nobody waits for an answer: what cannot be read now is opened anew by the next batch. */
  lookForOutsideChange(): void {
    try {
      this.noticeOutsideChange();
    } catch (error) {
      this.#recover(error);
    }
  }

  /** Nothing is written by a connection that was there when a write failed. */
  #writeIfOpen(calls: readonly Call[]): readonly Reply[] {
    const isOpen = !this.#mustReopen || this.#tryToReopen();
    if (isOpen && (!this.#mustSync || this.#tryToSync())) return this.#writeAdmitted(calls);
    const failure = isOpen
      ? new Failure('unconfirmed', 'The disk confirms nothing any more. Repeat it with the same operation.')
      : new Failure('storage', 'The store cannot be opened any more; nothing was changed.');
    return calls.map(([id]) => refused(id, failure));
  }

  #tryToReopen(): boolean {
    if (this.#gate.isLost) return false;
    try {
      this.#reopen();
      return true;
    } catch {
      return false; // The next batch tries again.
    }
  }

  /**
   * What a failed sync left in the log is read from memory, and a kernel that has said so once calls it clean: whoever
   * repeated an operation would be told that it is there. Synced in another file it is there, or not at all.
   */
  #tryToSync(): boolean {
    try {
      this.#database.checkpoint();
      this.#mustSync = false;
      return true;
    } catch {
      this.#mustReopen = true;
      return false;
    }
  }

  #writeAdmitted(calls: readonly Call[]): readonly Reply[] {
    const { admitted, refused: turnedAway } = this.#gate.sort(calls);
    const written = admitted.length > 0 ? this.#write(admitted) : [];
    if (turnedAway.length === 0) return written;
    return [...turnedAway.map(([id, failure]) => refused(id, failure)), ...written];
  }

  #write(calls: readonly Call[]): readonly Reply[] {
    try {
      this.#database.run('BEGIN IMMEDIATE');
      // Inside the transaction, where nobody can change anything after the look.
      this.noticeOutsideChange();
      const replies = calls.map((call) => this.#settle(call));
      this.#stock.flush();
      const begun = performance.now();
      this.#database.run('COMMIT');
      const milliseconds = performance.now() - begun;
      this.#commit = [calls.length, milliseconds, true];
      this.#imports.noteCommit(milliseconds);
      this.#size = this.#stock.size;
      return replies;
    } catch (error) {
      this.#commit = [calls.length, 0, false];
      const hasMadeRoom = this.#gate.noteFailure(error);
      const failure = this.#recover(error, hasMadeRoom);
      if (hasMadeRoom && failure.code === 'storage') return this.#writeAdmitted(calls);
      return calls.map(([id]) => refused(id, failure));
    }
  }

  /** After a failed write nothing in memory, and nothing this connection says, can be trusted. */
  #recover(error: unknown, isFull = false): Failure {
    const code = sqliteCode(error);
    this.#mustReopen = true;
    if (!isFull && code !== sqliteFull && code !== sqliteBusy) this.#mustSync = true;
    this.#stock.drop();
    this.#imports.drop();
    try {
      if (this.#database.isInTransaction) this.#database.run('ROLLBACK');
    } catch {
      // Closing does the same.
    }
    this.#tryToReopen();
    if (code === sqliteFull) return new Failure('storage', 'The disk is full; nothing was changed.');
    if (code === sqliteBusy) {
      return new Failure('busy', 'Another process is writing to the store; nothing was changed.', { retryAfter: 1 });
    }
    process.emitWarning(`The store could not write: ${error instanceof Error ? error.message : String(error)}`);
    return new Failure('unconfirmed', 'The write could not be confirmed. Repeat it with the same operation.');
  }

  #reopen(): void {
    this.#database.reopen();
    this.#dataVersion = readDataVersion(this.#database);
    this.#mustReopen = false;
    this.#onOutsideChange();
  }

  #settle([id, method, args]: Call): Reply {
    // The store's own types made the arguments fit the method, before both crossed to this thread.
    const run = this.#methods[method] as (...values: readonly unknown[]) => unknown;
    try {
      return [id, run(...args)];
    } catch (error) {
      if (isWrite(method) && spoilsTransaction(method, error)) throw error;
      return refused(id, error);
    }
  }
}

/**
 * A refused operation has taken back all it wrote; other methods that throw have a savepoint. What remains is a failed
 * write, and that is everyone's: a constraint alone is undone by SQLite with its statement.
 */
function spoilsTransaction(method: string, error: unknown): boolean {
  if (error instanceof Failure) return false;
  if (method === 'apply' || method === 'editItem' || method === 'rollImports') return true;
  const code = sqliteCode(error);
  return code !== undefined && code !== sqliteConstraint;
}

function refused(id: number, error: unknown): Reply {
  return [id, undefined, formatError(error)];
}

function readDataVersion(database: Database): number {
  return database.one<{ data_version: number }>('PRAGMA data_version').data_version;
}

function methodsOf(
  db: Database,
  stock: Stock,
  outbox: Outbox,
  gate: WriteGate,
  imports: Imports,
  guard: ImportGuard,
): Methods {
  const audited =
    <Args extends readonly unknown[], Result>(change: (db: Database, ...args: Args) => Result) =>
    (audit: AuditEntry, ...args: Args): Result =>
      db.within(() => {
        const result = change(db, ...args);
        addAudit(db, audit);
        return result;
      });
  return {
    apply: (intent, now) => stock.apply(intent, now),
    addUser: audited(users.addUser),
    setRole: audited(users.setRole),
    setScope: audited(users.setScope),
    setEnabled: audited(users.setEnabled),
    setPassword: audited(users.setPassword),
    setPasswordHash: (...args) => db.within(() => users.setPasswordHash(db, ...args)),
    resetUser: audited(users.resetUser),
    redeemEnrolment: (...args) => db.within(() => users.redeemEnrolment(db, ...args)),
    // A page is written whether it changes or not, unlike a row.
    touch: () => void db.run(`PRAGMA user_version = ${schemaVersion}`),
    saveThrottle: (...args) => db.within(() => users.saveThrottle(db, ...args)),
    addSession: audited(addSession),
    rotateSession: (...args) => db.within(() => rotateSession(db, ...args)),
    endSession: audited(endSession),
    addApiToken: audited(addApiToken),
    removeApiToken: audited(removeApiToken),
    noteApiTokenUse: (...args) => db.within(() => noteApiTokenUse(db, ...args)),
    addDevice: (...args) => db.within(() => addDevice(db, ...args)),
    editItem: (intent, now) => stock.edit(intent, now),
    addLocation: audited(addLocation),
    renameLocation: (...args) => {
      guard.assertMayChangeLocations();
      stock.dropLocations();
      return audited(renameLocation)(...args);
    },
    archiveLocation: (...args) => {
      guard.assertMayChangeLocations();
      stock.dropLocations();
      // What this batch moved counts as well. Before the savepoint, because a refusal must not take it back.
      stock.flush();
      return audited(archiveLocation)(...args);
    },
    audit: (entry) => db.within(() => addAudit(db, entry)),
    auditRefusals: (refusals) => db.within(() => addRefusals(db, refusals)),
    forgetAudit: (...args) => db.within(() => forgetAudit(db, ...args)),
    hastenDeliveries: (webhook) => db.within(() => outbox.hasten(webhook)),
    endDelivery: (id) => db.within(() => outbox.end(id)),
    postponeDelivery: (...args) => db.within(() => outbox.postpone(...args)),
    forgetDeliveries: (...args) => db.within(() => outbox.forget(...args)),
    nextDelivery: (webhook) => outbox.next(webhook),
    waitingDeliveries: () => outbox.waiting(),
    beginImport: (...args) => db.within(() => imports.begin(...args)),
    stageRows: (...args) => db.within(() => imports.stage(...args)),
    acceptImport: (...args) => db.within(() => imports.accept(...args)),
    rollImports: (now) => imports.roll(now),
    checkImport: (...args) => imports.check(...args),
    importStatus: (...args) => imports.status(...args),
    auditRecords: (query) => readAudit(db, query),
    health: () => gate.health(),
    view: (query) => formatPage(viewStock(db, query)),
    history: (query) => readHistory(db, query),
    itemDetails: (...args) => readItemDetails(db, ...args),
    movementsAfter: (query) => readMovementsAfter(db, query),
    head: () => readHead(db),
    locations: (scope, archived) => listLocations(db, scope, -1, archived),
    users: () => users.listUsers(db),
    throttles: () => users.listThrottles(db),
    sessions: (now) => listSessions(db, now),
    apiTokens: () => listApiTokens(db),
    hasDevice: (...args) => hasDevice(db, ...args),
  };
}
