import { Failure } from '../../model/failure.ts';
import { undoOwnMinutes } from '../../model/limits.ts';
import type { MovementKind, UndoIntent } from '../../model/stock.ts';
import { isWithin, rolesWith, type Scope } from '../../model/user.ts';
import type { Database } from './database.ts';

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
}

/**
 * All movements of the operation that a movement belongs to, the last one first: in that order no balance goes below
 * what it was between them. Failures: `not-found`, also when any of them is outside the scope.
 */
export function findUndone(database: Database, seq: number, scope: Scope): readonly Undone[] {
  const operation = database.get<{ first_seq: number; lines: number }>(
    `SELECT first_seq, lines FROM movement JOIN operation ON operation.user_id = movement.user_id AND id = operation
     WHERE seq = ?`,
    seq,
  );
  const first = operation?.first_seq ?? seq;
  const movements = database.all<Undone>(
    `SELECT seq, at, kind, user_id, item_id, item, location_id, delta FROM movement
     WHERE seq BETWEEN ? AND ? ORDER BY seq DESC`,
    first,
    first + (operation?.lines ?? 1) - 1,
  );
  if (movements.length > 0 && movements.every(({ location_id }) => isWithin(scope, location_id))) return movements;
  throw new Failure('not-found', `No movement ${seq}.`, { hint: 'See what there was: secure-inv history' });
}

/** Refuses what is never undone, what is undone already, and what this user may not undo. */
export function assertMayUndo(
  database: Database,
  { seq, userId, allowAny }: UndoIntent,
  undone: readonly Undone[],
  now: number,
): void {
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
    if (user_id !== userId) throw notTheirs(`Movement ${seq} is not yours`);
    if (now - at > undoOwnMinutes * 60_000)
      throw notTheirs(`Movement ${seq} is more than ${undoOwnMinutes} minutes old`);
  }
  const by = database.get<{ seq: number }>('SELECT seq FROM movement WHERE undoes = ?', seq);
  if (by) throw new Failure('conflict', `Movement ${seq} was undone already, by movement ${by.seq}.`);
}

function notTheirs(why: string): Failure {
  const roles = rolesWith('stock:undo').join(', ');
  return new Failure('forbidden', `${why}: undoing it needs the permission stock:undo (roles ${roles}).`, {
    hint: `You may undo what you did yourself, for ${undoOwnMinutes} minutes. Ask one of them.`,
  });
}
