import { Failure } from '../../model/failure.ts';
import { canonicalKey } from '../../model/name.ts';
import type { MovementResult, OperationIntent } from '../../model/stock.ts';
import type { Database } from './database.ts';
import { sha256 } from './ledger.ts';
import { findMovementResults } from './movements.ts';

interface OperationRow {
  readonly body_hash: Uint8Array;
  readonly first_seq: number;
  readonly lines: number;
}

/**
 * What makes two requests the same operation. Who asks from where is not in it: a retry may come another way. Each form
 * is for ever, because the hashes are.
 */
export function hashBody(intent: OperationIntent): Uint8Array {
  return sha256(JSON.stringify([intent.kind, bodyOf(intent), intent.note]));
}

function bodyOf(intent: OperationIntent): readonly unknown[] {
  switch (intent.kind) {
    case 'add':
    case 'take':
      return intent.lines.map(({ item, location, quantity }) => [canonicalKey(item), canonicalKey(location), quantity]);
    case 'move':
      return intent.lines.map(({ item, from, to, quantity }) => [
        canonicalKey(item),
        canonicalKey(from),
        canonicalKey(to),
        quantity,
      ]);
    case 'count': {
      const { item, location, quantity } = intent.line;
      return [canonicalKey(item), canonicalKey(location), quantity, intent.ifSeq];
    }
    case 'undo':
      return [intent.seq];
  }
}

/** What an operation that was applied before did then. Failures: `conflict` when that was something else. */
export function findOperation(
  database: Database,
  intent: OperationIntent,
  id: Uint8Array,
  bodyHash: Uint8Array,
): readonly MovementResult[] {
  const { first_seq, lines } = spentOperation(database, intent, id, bodyHash);
  return findMovementResults(database, first_seq, lines, intent.scope);
}

/** Where an operation that was applied before stands in the ledger. Failures: as `findOperation`. */
export function spentOperation(
  database: Database,
  { userId, operation }: Pick<OperationIntent, 'userId' | 'operation'>,
  id: Uint8Array,
  bodyHash: Uint8Array,
): OperationRow {
  const row = database.one<OperationRow>(
    'SELECT body_hash, first_seq, lines FROM operation WHERE user_id = ? AND id = ?',
    userId,
    id,
  );
  if (Buffer.compare(row.body_hash, bodyHash) !== 0) {
    throw new Failure('conflict', `Operation ${operation} was already used for something else. Use a new one.`);
  }
  return row;
}

/** Spends the operation id, for ever; false when it was spent before. `importId`: an import counts some of its rows. */
export function insertOperation(
  database: Database,
  userId: number,
  id: Uint8Array,
  bodyHash: Uint8Array,
  firstSeq: number,
  lines: number,
  importId: number | null = null,
): boolean {
  const inserted = database.run(
    `INSERT INTO operation (user_id, id, body_hash, first_seq, lines, import_id) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    userId,
    id,
    bodyHash,
    firstSeq,
    lines,
    importId,
  );
  return inserted === 1;
}

/** Gives the id of a refused operation back, in the transaction that spent it. */
export function deleteOperation(database: Database, userId: number, id: Uint8Array): void {
  database.run('DELETE FROM operation WHERE user_id = ? AND id = ?', userId, id);
}
