import { Failure } from '../../model/failure.ts';
import { canonicalKey } from '../../model/name.ts';
import type { Location } from '../../model/stock.ts';
import { isWithin, type Scope } from '../../model/user.ts';
import type { Database } from './database.ts';

const hintedMax = 5;

/** The location that a name means. Failures: `not-found`: a typo never makes a place, and outside the scope is none. */
export function findLocation(database: Database, name: string, scope: Scope): Location {
  const location = findByKey(database, name);
  if (location && isWithin(scope, location.id)) return location;
  const known = listLocations(database, scope, hintedMax + 1);
  const names = known.slice(0, hintedMax).map((row) => row.name);
  throw new Failure('not-found', `No location ${JSON.stringify(name)}.`, {
    hint:
      names.length === 0
        ? 'There is no location for you. Ask an administrator.'
        : `Known locations: ${names.join(', ')}${known.length > hintedMax ? ', …' : ''}.`,
  });
}

/** As `Store.locations`, at most `limit`. */
export function listLocations(database: Database, scope: Scope, limit = -1): readonly Location[] {
  if (scope === null) return database.all<Location>('SELECT id, name FROM location ORDER BY id LIMIT ?', limit);
  const sql = 'SELECT id, name FROM location WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?';
  return database.all<Location>(sql, JSON.stringify(scope), limit);
}

/** As `Store.addLocation`. */
export function addLocation(database: Database, name: string): Location {
  const known = findByKey(database, name);
  if (known) {
    throw new Failure('conflict', `There is a location ${known.name} already.`, {
      hint: 'See: secure-inv location list',
    });
  }
  const sql = 'INSERT INTO location (name, key) VALUES (?, ?) RETURNING id, name';
  return database.one<Location>(sql, name, canonicalKey(name));
}

function findByKey(database: Database, name: string): Location | undefined {
  return database.get<Location>('SELECT id, name FROM location WHERE key = ?', canonicalKey(name));
}
