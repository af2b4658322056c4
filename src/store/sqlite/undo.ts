import { Failure } from '../../model/failure.ts';
import { operationLinesMax, undoOwnMinutes } from '../../model/limits.ts';
import { fitsPrecision, formatQuantity, precisionOf } from '../../model/quantity.ts';
import { shellWord } from '../../model/shell-word.ts';
import type { MovementKind, UndoIntent } from '../../model/stock.ts';
import { isWithin, rolesWith, type Scope } from '../../model/user.ts';
import type { Database } from './database.ts';
import type { StockedItem } from './items.ts';

/** A movement that is to be taken back. */
export interface Undone {
  readonly seq: number;
  readonly at: number;
  readonly kind: MovementKind;
  readonly user_id: number;
  readonly item_id: number;
  readonly item: string;
  readonly location_id: number;
  readonly delta: number;
  /** The import that made it. */
  readonly import_id: number | null;
}

const columns = 'seq, at, kind, movement.user_id, item_id, item, location_id, delta, import_id';

/**
 * All movements of the operation that a movement belongs to, the last one first: in that order no balance goes below
 * what it was between them. An import is one operation here, however many commits it took; of a long one there are only
 * enough to tell that it is too long, and of one that had stopped, was undone and went on only those since. Failures:
 * `not-found`, also when any of them is outside the scope.
 */
export function findUndone(database: Database, seq: number, scope: Scope): readonly Undone[] {
  const own = database.get<Undone & Operation>(
    `SELECT ${columns}, first_seq, lines FROM movement
     JOIN operation ON operation.user_id = movement.user_id AND id = operation WHERE seq = ?`,
    seq,
  );
  const movements = own && isWithin(scope, own.location_id) ? movementsWith(database, own) : [];
  if (movements.length > 0 && movements.every(({ location_id }) => isWithin(scope, location_id))) return movements;
  throw new Failure('not-found', `No movement ${seq}.`, { hint: 'See what there was: secure-inv history' });
}

interface Operation {
  readonly first_seq: number;
  readonly lines: number;
}

function movementsWith(
  database: Database,
  { seq, first_seq, lines, import_id }: Undone & Operation,
): readonly Undone[] {
  if (import_id === null) {
    return database.all<Undone>(
      `SELECT seq, at, kind, user_id, item_id, item, location_id, delta, NULL AS import_id FROM movement
       WHERE seq BETWEEN ? AND ? ORDER BY seq DESC`,
      first_seq,
      first_seq + lines - 1,
    );
  }
  return database.all<Undone>(
    `SELECT ${columns} FROM operation JOIN movement ON seq BETWEEN first_seq AND first_seq + lines - 1
     WHERE import_id = ? AND (seq = ? OR NOT EXISTS (SELECT 1 FROM movement AS undo WHERE undo.undoes = movement.seq))
     ORDER BY first_seq DESC, seq DESC LIMIT ?`,
    import_id,
    seq,
    operationLinesMax + 1,
  );
}

/** Refuses what is never undone, what is undone already, and what this user may not undo. */
export function assertMayUndo(
  database: Database,
  { seq, userId, allowAny }: UndoIntent,
  undone: readonly Undone[],
  now: number,
): void {
  const importId = undone[0]?.import_id;
  for (const { kind, item, at, user_id } of undone) {
    if (kind === 'item') {
      throw new Failure('conflict', `Movement ${seq} is an edit of ${item}, and edits are not undone.`, {
        hint: 'Edit the item again.',
      });
    }
    if (kind === 'undo') {
      throw new Failure('conflict', `Movement ${seq} is an undo, and undoes are not undone.`, {
        hint: 'Do again what was undone.',
      });
    }
    if (allowAny) continue;
    if (importId) throw notTheirs(`Movement ${seq} came by an import`);
    if (user_id !== userId) throw notTheirs(`Movement ${seq} is not yours`);
    if (now - at > undoOwnMinutes * 60_000)
      throw notTheirs(`Movement ${seq} is more than ${undoOwnMinutes} minutes old`);
  }
  const by = database.get<{ seq: number }>('SELECT seq FROM movement WHERE undoes = ?', seq);
  if (by) throw new Failure('conflict', `Movement ${seq} was undone already, by movement ${by.seq}.`);
  if (importId) assertWholeImport(database, seq, importId, undone.length);
}

/** What was counted in fractions may be counted in whole pieces since. Failures: `conflict`. */
export function assertStillFits({ name, precision }: StockedItem, { seq, delta }: Pick<Undone, 'seq' | 'delta'>): void {
  if (fitsPrecision(delta, precision)) return;
  const allowed = precision === 0 ? 'in whole pieces' : `with at most ${precision} decimals`;
  throw new Failure(
    'conflict',
    `Movement ${seq} is of ${formatQuantity(Math.abs(delta))} ${name}, which is now counted ${allowed}.`,
    {
      hint: `Let it be counted so again: secure-inv item edit ${shellWord(name)} --precision ${precisionOf(delta)}`,
    },
  );
}

/** Half an import is never taken back, and a long one would make everybody wait. */
function assertWholeImport(database: Database, seq: number, importId: number, movements: number): void {
  const { state } = database.one<{ state: string }>('SELECT state FROM import WHERE id = ?', importId);
  if (state === 'accepted') {
    throw new Failure('busy', `Movement ${seq} belongs to an import that is still being counted.`, { retryAfter: 2 });
  }
  if (movements <= operationLinesMax) return;
  const most = operationLinesMax.toLocaleString('en');
  throw new Failure('conflict', `Movement ${seq} belongs to an import of more than ${most} rows: too many to undo.`, {
    hint: 'Take out what should not be there: secure-inv take - reads lines of an item and a quantity.',
  });
}

function notTheirs(why: string): Failure {
  const roles = rolesWith('stock:undo').join(', ');
  return new Failure('forbidden', `${why}: undoing it needs the permission stock:undo (roles ${roles}).`, {
    hint: `You may undo what you did yourself, for ${undoOwnMinutes} minutes. Ask one of them.`,
  });
}
