import { closest } from '../../model/closest.ts';
import { Failure } from '../../model/failure.ts';
import { suggestedNeighboursMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import type { Scope } from '../../model/user.ts';
import type { Database } from './database.ts';

/** The refusal of a name that no item has, with the one that was probably meant: never one outside the scope. */
export function unknownItem(database: Database, name: string, scope: Scope): Failure {
  const meant = closest(name, neighbours(database, canonicalKey(name), scope));
  const all = 'See what there is: secure-inv view';
  return new Failure('not-found', `No item ${JSON.stringify(name)}.`, {
    hint: meant === undefined ? all : `Did you mean ${meant}? ${all}`,
  });
}

/**
 * The names before and after where this one would stand. In a short list that is all of them, in a long one those that
 * begin alike: of a slip in the first letters nobody is told there.
 */
function neighbours(database: Database, key: string, scope: Scope): readonly string[] {
  const condition =
    scope === null
      ? '? IS NULL'
      : 'EXISTS (SELECT 1 FROM balance WHERE item_id = item.id AND location_id IN (SELECT value FROM json_each(?)))';
  const names = (comparison: string, order: string) =>
    database.all<{ name: string }>(
      `SELECT name FROM item WHERE key ${comparison} ? AND archived_at IS NULL AND ${condition}
       ORDER BY key ${order} LIMIT ?`,
      key,
      scope && JSON.stringify(scope),
      suggestedNeighboursMax,
    );
  return [...names('>', 'ASC'), ...names('<', 'DESC')].map((row) => row.name);
}
