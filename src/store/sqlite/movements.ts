import type { LedgerRecord } from '../../model/ledger.ts';
import type { MovementResult, OperationIntent } from '../../model/stock.ts';
import type { Scope } from '../../model/user.ts';
import type { Database } from './database.ts';
import type { Ledger } from './ledger.ts';
import type { Step } from './plan.ts';

const createdFlag = 1;
/** The movement took the total of its item to or below the low-stock threshold. */
export const lowFlag = 2;
/** Showed an item that was there already to the limited user who made the movement; kept, so that a retry is told so. */
const appearedFlag = 4;

/** Whether a movement is told to have made stock low: not in a scope, whose total it is not. */
export function isLow(flags: number, scope: Scope): boolean {
  return scope === null && (flags & lowFlag) !== 0;
}

/** Appends one decided step to the ledger. */
export function insertMovement(
  database: Database,
  ledger: Ledger,
  intent: OperationIntent,
  operation: Uint8Array,
  user: string,
  { item, location, delta, balance, created, appeared, low, seen, undoes }: Step,
  at: number,
): MovementResult {
  const record: LedgerRecord = {
    at,
    balance,
    change: null,
    credential: intent.credential,
    delta,
    item: item.name,
    itemId: item.id,
    kind: intent.kind,
    location: location.name,
    locationId: location.id,
    note: intent.note,
    operation: intent.operation,
    seen,
    seq: ledger.size + 1,
    source: intent.source,
    undoes,
    user,
  };
  database.run(
    `INSERT INTO movement (seq, at, user_id, credential, source, operation, kind, item_id, item, location_id, location,
       delta, balance, note, seen, undoes, flags, hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    record.seq,
    at,
    intent.userId,
    record.credential,
    record.source,
    operation,
    record.kind,
    item.id,
    item.name,
    location.id,
    location.name,
    delta,
    balance,
    record.note,
    seen,
    undoes,
    (created ? createdFlag : appeared ? appearedFlag : 0) | (low ? lowFlag : 0),
    ledger.append(record),
  );
  return {
    item: item.name,
    location: location.name,
    delta,
    balance,
    seq: record.seq,
    at,
    created: appeared,
    low: low && intent.scope === null,
    ...(undoes === null ? undefined : { undoes }),
  };
}

interface MovementRow {
  readonly seq: number;
  readonly at: number;
  readonly item: string;
  readonly location: string;
  readonly delta: number;
  readonly balance: number;
  readonly undoes: number | null;
  readonly flags: number;
}

/** What the movements of one operation answered when they were made; `low` only without a scope, as then. */
export function findMovementResults(
  database: Database,
  firstSeq: number,
  lines: number,
  scope: Scope,
): readonly MovementResult[] {
  const rows = database.all<MovementRow>(
    `SELECT seq, at, item, location, delta, balance, undoes, flags FROM movement
     WHERE seq BETWEEN ? AND ? ORDER BY seq`,
    firstSeq,
    firstSeq + lines - 1,
  );
  return rows.map(({ seq, at, item, location, delta, balance, undoes, flags }) => ({
    item,
    location,
    delta,
    balance,
    seq,
    at,
    created: (flags & (createdFlag | appearedFlag)) !== 0,
    low: isLow(flags, scope),
    ...(undoes === null ? undefined : { undoes }),
  }));
}
