import { hash } from 'node:crypto';
import { Failure } from '../../model/failure.ts';
import { canonicalKey } from '../../model/name.ts';
import type { MovementResult, OperationIntent } from '../../model/stock.ts';
import type { Database } from './database.ts';
import { findMovementResults } from './movements.ts';

interface OperationRow {
  readonly body_hash: Uint8Array;
  readonly first_seq: number;
  readonly lines: number;
}

/** What makes two requests the same operation. Who asks from where is not in it: a retry may come another way. */
export function hashBody({ kind, lines, note }: OperationIntent): Uint8Array {
  const keys = lines.map((line) => [canonicalKey(line.item), canonicalKey(line.location), line.quantity]);
  return hash('sha256', JSON.stringify([kind, keys, note]), 'buffer');
}

/** What the operation did when it was applied before. Failures: `conflict` when that was something else. */
export function findOperation(
  database: Database,
  { userId, operation }: OperationIntent,
  id: Uint8Array,
  bodyHash: Uint8Array,
): readonly MovementResult[] | undefined {
  const row = database.get<OperationRow>(
    'SELECT body_hash, first_seq, lines FROM operation WHERE user_id = ? AND id = ?',
    userId,
    id,
  );
  if (!row) return undefined;
  if (Buffer.compare(row.body_hash, bodyHash) !== 0) {
    throw new Failure('conflict', `Operation ${operation} was already used for something else. Use a new one.`);
  }
  return findMovementResults(database, row.first_seq, row.lines);
}

/** Spends the operation id, for ever. */
export function insertOperation(
  database: Database,
  userId: number,
  id: Uint8Array,
  bodyHash: Uint8Array,
  firstSeq: number,
  lines: number,
): void {
  database.run(
    'INSERT INTO operation (user_id, id, body_hash, first_seq, lines) VALUES (?, ?, ?, ?, ?)',
    userId,
    id,
    bodyHash,
    firstSeq,
    lines,
  );
}
