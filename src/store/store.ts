import type { AuditEntry, AuditQuery, AuditRecord, RefusalCount } from '../model/audit.ts';
import type {
  ImportAcceptance,
  Importer,
  ImportIntent,
  ImportProblem,
  ImportRow,
  ImportStatus,
} from '../model/import.ts';
import type { ItemDetails, ItemEdit, ItemIntent } from '../model/item.ts';
import type { LowStockNews } from '../model/low-stock.ts';
import type {
  HistoryQuery,
  ItemStock,
  Location,
  Movement,
  MovementResult,
  OperationIntent,
  StockQuery,
  WatchQuery,
} from '../model/stock.ts';
import type { Role, Scope } from '../model/user.ts';

export interface UserRecord {
  /** Immutable and never reused; the `sub` of tokens. */
  readonly id: number;
  readonly user: string;
  readonly role: Role;
  /** A PHC string, or null until the user has enrolled. */
  readonly passwordHash: string | null;
  readonly enabled: boolean;
  /** Counts the moments at which every token issued before became worthless. */
  readonly epoch: number;
  /** The locations that the user is limited to, in the order of their ids; null: not limited. */
  readonly scope: Scope;
  readonly createdAt: number;
  /** Certificates that were issued before this time are not accepted. */
  readonly certificatesFrom: number;
}

/** A login that can be refreshed. Times are milliseconds since 1970 in UTC. */
export interface SessionRecord {
  readonly id: string;
  readonly userId: number;
  readonly createdAt: number;
  /** Nothing extends a session beyond this. */
  readonly expiresAt: number;
  /** SHA-256 of the one refresh token that is good now. */
  readonly refreshHash: Uint8Array;
  readonly refreshedAt: number;
  /** How many refresh tokens came before the one that is good now. */
  readonly generation: number;
  /** SHA-256 thumbprint of the certificate that the session is bound to, base64url; null: bound to none. */
  readonly certificate: string | null;
  /** The address that the login came from; null: from before it was kept. */
  readonly source: string | null;
}

/** A machine's key to a user's account. Times are milliseconds since 1970 in UTC. */
export interface ApiTokenRecord {
  readonly id: string;
  readonly userId: number;
  /** One of its user's tokens alone has it. */
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the secret, which is nowhere. */
  readonly hash: Uint8Array;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastUsedAt: number | null;
}

/** A one-time code with which a user sets a password; only its SHA-256 is kept. */
export interface Enrolment {
  readonly hash: Uint8Array;
  readonly expiresAt: number;
}

export interface StockPage {
  readonly items: readonly ItemStock[];
  readonly cursor: string | undefined;
  /** The last movement that the page shows: in a scope the last one there, 0 when there is none. */
  readonly seq: number;
  /** There is too much to be sorted as asked: what a search finds is in the order in which it was added, the rest by name. */
  readonly isUnsorted: boolean;
}

export interface HistoryPage {
  readonly movements: readonly Movement[];
  readonly cursor: string | undefined;
}

/** A part of the ledger, oldest movement first. */
export interface WatchPage {
  readonly movements: readonly Movement[];
  /** Up to this movement the page has everything that was asked for: where the next one begins. */
  readonly through: number;
}

export interface AuditPage {
  readonly records: readonly AuditRecord[];
  readonly cursor: string | undefined;
}

/** A message to a webhook that has not confirmed it yet. */
export interface Delivery {
  /** The same at every try. */
  readonly id: string;
  readonly body: string;
  /** How many tries have failed. */
  readonly attempts: number;
  /** Not to be sent before this time, milliseconds since 1970. */
  readonly nextAt: number;
}

/** What waits for one webhook. */
export interface WaitingDeliveries {
  readonly webhook: string;
  readonly count: number;
  /** When the oldest was written, milliseconds since 1970. */
  readonly oldestAt: number;
}

/** The name of a warning of the process (`process.emitWarning`): the store takes no more changes until somebody acts. */
export const damageWarning = 'StoreDamage';

/** How the store itself is. */
export interface StoreHealth {
  /** Why it takes no changes at the moment: a sentence; null while it does. Logins go on in any case. */
  readonly problem: string | null;
  /** When its last backup was made, in milliseconds since 1970; null when none is known. */
  readonly lastBackupAt: number | null;
}

/** The state of the whole ledger after its last commit (RFC 6962 tree head). */
export interface LedgerHead {
  readonly size: number;
  readonly root: Uint8Array;
  readonly frontier: readonly Uint8Array[];
}

/** What a look at some of an import's rows found. */
export interface ImportCheck {
  /** The row to go on with; null when all were looked at. */
  readonly next: number | null;
  readonly problems: readonly ImportProblem[];
}

/** What a slice of work on the accepted imports came to. */
export interface ImportSlice {
  /** There is more to do at once. */
  readonly more: boolean;
  /** An import that cannot go on now. */
  readonly stopped: { readonly import: number; readonly problem: ImportProblem } | null;
}

/**
 * What survives a restart. Every method states one intent and is atomic: it happened as a whole and is on disk when the
 * promise resolves, or nothing happened. Intents that arrive while a commit runs share the next one, and one refused
 * intent never harms another. A refusal rejects with a `Failure`; `storage` means that nothing was changed,
 * `unconfirmed` that the intent may or may not survive and should be repeated with the same operation id.
 *
 * A scope that is not null makes an answer, or a refusal, what it would be if nothing had ever happened at any other
 * location, nor any other location existed. What shines through: sequence numbers have gaps, an operation that was also
 * elsewhere cannot be undone, and an item that `apply` makes visible has the name, the precision and the threshold that
 * it was given elsewhere, may be archived, and may have as many elsewhere as an item may have. Nor may it be made while an
 * import is counted that makes it.
 */
export interface Store {
  /** Names this store, and so the issuer of its tokens; made when the store is created. */
  readonly id: string;

  /**
   * Appends the operation's movements and changes the balances they name: one for each line of an add or a take, two for
   * each of a move (what leaves, what arrives), one for a count, and for an undo one for each that is undone. The same operation of the same user again
   * returns the first result; with another body it is a `conflict`. `now` never takes the ledger's time backwards.
   * The scope is looked at first: of an operation that names a location outside, nothing is said but `not-found`.
   * Failures: `not-found` (unknown item, location or movement), `out-of-stock`, `conflict` (moved since the count began,
   * undone already), `forbidden` (an undo without `allowAny`), `bad-params` (precision, 10^12, a move to the same place).
   */
  apply(intent: OperationIntent, now: number): Promise<readonly MovementResult[]>;
  /**
   * Archived items are not shown. With `location`: only items that were ever there, and their quantities there. A
   * `cursor` is good for the same question in the same sort; a page may have less than it could and a cursor all the same.
   * What would be too much to be sorted is `isUnsorted`. Failures: `not-found` (unknown item or location), `bad-params`
   * (cursor, search).
   */
  view(query: StockQuery): Promise<StockPage>;
  /**
   * Newest first. `since` and `until` both belong to the time asked for. A page may have less than it could, as in `view`. Failures: `not-found` (in a scope an unknown user
   * is somebody who did nothing there), `bad-params`.
   */
  history(query: HistoryQuery): Promise<HistoryPage>;
  /**
   * Makes an item, or changes what is known of one, by a movement of kind `item` that moves nothing: as `apply`, also in
   * that an operation happens once. Its history follows it to a new name, and the old one is free. Failures: `not-found`,
   * `conflict` (a name or code that means another item, a precision that a balance has more decimals than, archiving
   * what there still is), `bad-params`.
   */
  editItem(intent: ItemIntent, now: number): Promise<ItemEdit>;
  /** Everything that is known of an item, also an archived one. Failures: `not-found`. */
  itemDetails(item: string, scope: Scope): Promise<ItemDetails>;
  /**
   * The next movements after one. The work is bounded: a page may have none although there are more behind `through`, and
   * nothing more is there when that is the ledger's size.
   */
  movementsAfter(query: WatchQuery): Promise<WatchPage>;
  head(): Promise<LedgerHead>;

  // An import is staged page by page, looked at as a whole and accepted; then it is rolled forward slice by slice, each
  // one a short part of a commit, so that nobody waits for a file. What is of another user is not there. What would make
  // a row of an accepted one fail is `busy` until all are counted: `apply`, `editItem`, `renameLocation`,
  // `archiveLocation`, and `checkImport` and `acceptImport` of another one.

  /**
   * Begins an import, which is forgotten when it is not accepted in time; the user's oldest are, when there is too much.
   * Failures: `conflict` when this very file was imported before.
   */
  beginImport(intent: ImportIntent, now: number): Promise<number>;
  /**
   * Stages the rows of a page; a page that is there already changes nothing. Pages count from 0. Returns how many rows
   * are staged. Failures: `not-found`, `bad-params` for a page out of turn and for more rows than were announced.
   */
  stageRows(
    importer: Importer,
    importId: number,
    page: number,
    rows: readonly ImportRow[],
    now: number,
  ): Promise<number>;
  /**
   * Looks at some rows of a whole import, from row 0 and then from where the last look ended. Failures: `not-found`,
   * `conflict` (not all rows are staged), `busy` while another import is looked at or when it must begin again.
   */
  checkImport(importer: Importer, importId: number, from: number): Promise<ImportCheck>;
  /**
   * Accepts a staged or stopped import whose rows were all looked at and have no problem; one that is accepted already
   * stays so. Failures: `not-found`, `conflict` as `beginImport`, `busy` when it must be looked at again.
   */
  acceptImport(acceptance: ImportAcceptance, importId: number, now: number): Promise<ImportStatus>;
  /** Who is not limited may look at everybody's. Failures: `not-found`. */
  importStatus(importer: Importer, importId: number): Promise<ImportStatus>;
  /** Counts some rows of the import that was accepted first, or tidies up. */
  rollImports(now: number): Promise<ImportSlice>;

  /** The locations in the order in which they were added, without the archived ones, or these alone. */
  locations(scope: Scope, archived?: 'archived'): Promise<readonly Location[]>;
  /** Brings an archived location back. Failures: `conflict` when one has this name, however it is spelled. */
  addLocation(audit: AuditEntry, name: string): Promise<Location>;
  /** The movements until now keep the old name. Failures: `not-found`, `conflict` (the name is another's, the default). */
  renameLocation(audit: AuditEntry, name: string, to: string): Promise<Location>;
  /** From now on only `history` knows it. Failures: `not-found`, `conflict` (something is there; the default location). */
  archiveLocation(audit: AuditEntry, name: string, now: number): Promise<Location>;

  // What changes who may do what takes the entry of the audit log that says so: both are written, or neither. `storage`
  // when the log cannot be written.

  users(): Promise<readonly UserRecord[]>;
  /** Failures: `conflict` when the name was ever used. */
  addUser(audit: AuditEntry, user: string, role: Role, enrolment: Enrolment | null, now: number): Promise<UserRecord>;
  /** Failures: `conflict` when nobody enabled and enrolled, or somebody limited, would be an administrator. */
  setRole(audit: AuditEntry, userId: number, role: Role): Promise<UserRecord>;
  /** Limits a user to the locations of these names, or with null to none. Failures: `not-found`, `conflict` for an administrator. */
  setScope(audit: AuditEntry, userId: number, locations: readonly string[] | null): Promise<UserRecord>;
  /** Disabling ends the user's sessions and makes their tokens worthless. Failures: as `setRole`. */
  setEnabled(audit: AuditEntry, userId: number, enabled: boolean): Promise<UserRecord>;
  /**
   * Ends the user's sessions and makes their tokens and enrolment codes worthless. Here and below, `epoch` makes it a
   * `conflict` when the user's access was ended since that epoch.
   */
  setPassword(audit: AuditEntry, userId: number, passwordHash: string, epoch: number): Promise<UserRecord>;
  /** The same password under newer hash parameters: nothing else changes. */
  setPasswordHash(userId: number, passwordHash: string, epoch: number): Promise<UserRecord>;
  /**
   * Forgets password, failed logins, devices and API tokens, ends the sessions, and makes this enrolment the only one.
   * Certificates are good from `certificatesFrom` on; 0 leaves them as they were.
   */
  resetUser(audit: AuditEntry, userId: number, enrolment: Enrolment, certificatesFrom: number): Promise<UserRecord>;
  /** The user whose unexpired code has this hash, once: the code is spent. */
  redeemEnrolment(
    audit: AuditEntry,
    hash: Uint8Array,
    now: number,
    onlyUser: string | null,
  ): Promise<number | undefined>;
  /**
   * Keeps what the throttle knows of a user's failed logins, null for nothing. For the id 0, which nobody has, it does
   * the same work and keeps nothing that `throttles` returns: a pause must not tell who exists.
   */
  saveThrottle(userId: number, state: string | null): Promise<void>;
  /** Writes, and syncs, what is there already: to see whether anything can be written. */
  touch(): Promise<void>;
  /** What is kept of the users of whom something is. */
  throttles(): Promise<readonly { readonly userId: number; readonly state: string }[]>;

  sessions(now: number): Promise<readonly SessionRecord[]>;
  /** A user's oldest sessions beyond `sessionsMax`, and everybody's that have expired, end; their ids are returned. */
  addSession(audit: AuditEntry, session: SessionRecord, sessionsMax: number, epoch: number): Promise<readonly string[]>;
  /** Replaces the refresh token if the session is still at `session.generation - 1`; says whether it was. */
  rotateSession(session: SessionRecord): Promise<boolean>;
  endSession(audit: AuditEntry, id: string): Promise<void>;
  apiTokens(): Promise<readonly ApiTokenRecord[]>;
  /**
   * The user's expired tokens are forgotten; their ids are returned. Failures: `conflict` when the user has a token of
   * that name, or `tokensMax` tokens.
   */
  addApiToken(audit: AuditEntry, token: ApiTokenRecord, tokensMax: number, epoch: number): Promise<readonly string[]>;
  removeApiToken(audit: AuditEntry, id: string): Promise<void>;
  noteApiTokenUse(id: string, lastUsedAt: number): Promise<void>;
  addDevice(userId: number, hash: Uint8Array, expiresAt: number): Promise<void>;
  hasDevice(userId: number, hash: Uint8Array, now: number): Promise<boolean>;

  /** Writes down what changed nothing in the store. */
  audit(entry: AuditEntry): Promise<void>;
  /** Writes down refusals, replacing what was said before of the same keys. */
  auditRefusals(refusals: readonly RefusalCount[]): Promise<void>;
  /** Failures: `bad-params` (cursor). */
  auditRecords(query: AuditQuery): Promise<AuditPage>;
  /**
   * Forgets records from before a time, and the oldest refusals beyond `refusalsMax`: of each at most `portion` at once.
   * Says how many.
   */
  forgetAudit(before: number, refusalsMax: number, portion: number): Promise<number>;

  // The outbox: `apply` writes into it, in its own transaction, what the webhooks of this store are to be told.

  /** The message to a webhook that is to be sent first. */
  nextDelivery(webhook: string): Promise<Delivery | undefined>;
  /** What waits for a webhook may be sent at once: times of a server before, with another clock, bind no other. */
  hastenDeliveries(webhook: string): Promise<void>;
  /** The webhook has the message. */
  endDelivery(id: string): Promise<void>;
  /** The webhook has not taken the message, which is not to be sent again before `nextAt`. */
  postponeDelivery(id: string, nextAt: number): Promise<void>;
  /** Gives up messages from before a time, at most `rowsMax`; says how many. */
  forgetDeliveries(before: number, rowsMax: number): Promise<number>;
  /** What waits, by webhook; also for webhooks that the store no longer has. */
  waitingDeliveries(): Promise<readonly WaitingDeliveries[]>;

  /**
   * Calls back after a commit in which an item's total fell to or below its threshold; once for each such movement,
   * and before `apply` resolves.
   */
  onLowStock(listener: (news: LowStockNews) => void): void;
  health(): Promise<StoreHealth>;
  /** Calls back after another process changed this store: what was read from it before may be stale. */
  onOutsideChange(listener: () => void): void;
  /** Calls back with the ledger's size after it grew, once for each commit. Nothing is missed: a later size covers all. */
  onGrowth(listener: (size: number) => void): void;
  /**
   * Calls back after each transaction that was tried: how many changes shared it, and the seconds that committing it took.
   * Not done: none of them was committed.
   */
  onCommit(listener: (writes: number, seconds: number, isDone: boolean) => void): void;
  /** Resolves when every intent accepted so far is settled and the files are closed. */
  close(): Promise<void>;
}
