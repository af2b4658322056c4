import { closest } from '../../model/closest.ts';
import { Failure } from '../../model/failure.ts';
import { suggestedNeighboursMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import type { Scope } from '../../model/user.ts';
import type { Database } from './database.ts';
import { foldSearch } from './search-text.ts';

const slipNeighboursMax = 5;
/** Of a shorter word all that is as short would be meant. */
const wordMin = 3;
/** At more places each letter would take a look at each, and all of them 30 ms for whoever is limited to a hundred. */
const slipPlacesMax = 10;
/** The letters of which the first may be another by a slip: of one's own keyboard. */
const alphabets = ['abcdefghijklmnopqrstuvwxyz', 'αβγδεζηθικλμνξοπρστυφχψω', 'абвгдежзийклмнопрстуфхцчшщъыьэюя'];

/** The refusal of a name that no item has, with the one that was probably meant: never one outside the scope. */
export function unknownItem(database: Database, name: string, scope: Scope): Failure {
  const key = canonicalKey(name);
  const meant =
    closest(name, neighbours(database, key, scope), foldSearch) ??
    closest(name, withAnotherLetter(database, key, scope), foldSearch);
  const all = 'See what there is: secure-inv view';
  return new Failure('not-found', `No item ${JSON.stringify(name)}.`, {
    hint: meant === undefined ? all : `Did you mean ${meant}? ${all}`,
  });
}

/**
 * The names before and after where this one would stand. In a short list that is all of them, in a long one those that
 * begin alike, and the few that begin as it would without a slip in its first two letters: the wrong way round, or one too many; or
 * without its last one, behind which thousands may be that begin with it. An
 * archived item takes its place and is not named: looking for others instead would be a look at all of them where most
 * are archived.
 */
function neighbours(database: Database, key: string, scope: Scope): readonly string[] {
  const [first = '', second = '', ...rest] = key;
  const letters = [...key];
  const meant = [`${second}${first}${rest.join('')}`, `${second}${rest.join('')}`, letters.slice(0, -1).join('')];
  return [
    ...around(database, key, suggestedNeighboursMax, scope),
    ...meant.flatMap((begins) => around(database, begins, slipNeighboursMax, scope)),
  ];
}

/** The names where this one would stand with another first letter: one look to each side for each letter. */
function withAnotherLetter(database: Database, key: string, scope: Scope): readonly string[] {
  const [first = '', ...rest] = key;
  const letters = alphabets.find((alphabet) => alphabet.includes(first)) ?? '';
  if (first === '' || rest.length < wordMin || (scope?.length ?? 0) > slipPlacesMax) return [];
  return [...letters].flatMap((letter) => around(database, `${letter}${rest.join('')}`, 1, scope));
}

function around(database: Database, key: string, most: number, scope: Scope): readonly string[] {
  return (['>', '<'] as const).flatMap((side) => {
    const from = side === '<' ? `${key}\u0001` : key; // No name has that letter: it is behind the key, and before all others.
    const found =
      scope === null
        ? database.all<{ name: string }>(everywhere(side), from, most)
        : database.all<{ name: string }>(within(side), from, JSON.stringify(scope), most);
    return found.map(({ name }) => name);
  });
}

type Side = '>' | '<';

function everywhere(side: Side): string {
  return `SELECT name FROM (
      SELECT name, archived_at FROM item WHERE key ${side} ? ORDER BY key ${side === '>' ? 'ASC' : 'DESC'} LIMIT ?
    ) WHERE archived_at IS NULL`;
}

/** From one key to the next that any place has: a look into the index for each, however much there is elsewhere. */
function within(side: Side): string {
  const nearest = side === '>' ? 'min' : 'max';
  return `WITH RECURSIVE near (key, count) AS (
      VALUES (?, 0) UNION ALL
      SELECT (
        SELECT ${nearest}((SELECT ${nearest}(key) FROM balance WHERE location_id = value AND key ${side} near.key))
        FROM json_each(?)
      ), count + 1 FROM near WHERE count < ? AND key IS NOT NULL
    )
    SELECT name FROM near CROSS JOIN item USING (key) WHERE count > 0 AND archived_at IS NULL`;
}
