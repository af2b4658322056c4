import { Failure } from '../../model/failure.ts';
import { locationsMax } from '../../model/limits.ts';
import { canonicalKey } from '../../model/name.ts';
import { formatQuantity } from '../../model/quantity.ts';
import { shellWord } from '../../model/shell-word.ts';
import { defaultLocation, type Location } from '../../model/stock.ts';
import { isWithin, type Scope } from '../../model/user.ts';
import type { Database } from './database.ts';

const hintedMax = 5;

/**
 * The location that a name means. Failures: `not-found`: a typo never makes a place, outside the scope is none, and an
 * archived one is only for who asks for what was.
 */
export function findLocation(database: Database, name: string, scope: Scope, archived?: 'also archived'): Location {
  const location = findByKey(database, name);
  const isThere = location !== undefined && isWithin(scope, location.id);
  if (isThere && (!location.isArchived || archived)) return { id: location.id, name: location.name };
  const known = listLocations(database, scope, hintedMax + 1);
  const names = known.slice(0, hintedMax).map((row) => row.name);
  const others =
    names.length === 0
      ? 'There is no location for you. Ask an administrator.'
      : `Known locations: ${names.join(', ')}${known.length > hintedMax ? ', …' : ''}.`;
  throw new Failure('not-found', `No location ${JSON.stringify(name)}.`, {
    hint: isThere ? `It is archived; adding it brings it back. ${others}` : others,
  });
}

/** As `Store.locations`, at most `limit`. */
export function listLocations(
  database: Database,
  scope: Scope,
  limit = -1,
  archived?: 'archived',
): readonly Location[] {
  const those = `SELECT id, name FROM location WHERE archived_at IS ${archived ? 'NOT NULL' : 'NULL'}`;
  if (scope === null) return database.all<Location>(`${those} ORDER BY id LIMIT ?`, limit);
  const sql = `${those} AND id IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?`;
  return database.all<Location>(sql, JSON.stringify(scope), limit);
}

/** As `Store.addLocation`. */
export function addLocation(database: Database, name: string): Location {
  const known = findByKey(database, name);
  if (known && !known.isArchived) throw taken(known);
  const { count } = database.one<{ count: number }>('SELECT count(*) AS count FROM location');
  if (!known && count >= locationsMax) throw new Failure('conflict', `There may be at most ${locationsMax} locations.`);
  const sql = known
    ? 'UPDATE location SET name = ?, archived_at = NULL WHERE key = ? RETURNING id, name'
    : 'INSERT INTO location (name, key) VALUES (?, ?) RETURNING id, name';
  return database.one<Location>(sql, name, canonicalKey(name));
}

/** As `Store.renameLocation`. */
export function renameLocation(database: Database, name: string, to: string): Location {
  const location = findLocation(database, name, null);
  assertNotDefault(location, 'renamed');
  const other = findByKey(database, to);
  if (other && other.id !== location.id) throw taken(other);
  const sql = 'UPDATE location SET name = ?, key = ? WHERE id = ? RETURNING id, name';
  return database.one<Location>(sql, to, canonicalKey(to), location.id);
}

/** As `Store.archiveLocation`. The balances must be in the file. */
export function archiveLocation(database: Database, name: string, now: number): Location {
  const location = findLocation(database, name, null);
  assertNotDefault(location, 'archived');
  const there = database.all<{ name: string; quantity: number }>(
    `SELECT item.name, quantity FROM balance CROSS JOIN item ON item.id = item_id WHERE location_id = ? AND quantity > 0
     ORDER BY balance.key LIMIT ?`,
    location.id,
    hintedMax + 1,
  );
  if (there.length > 0) {
    const told = there.slice(0, hintedMax).map((row) => `${formatQuantity(row.quantity)} ${row.name}`);
    const more = there.length > hintedMax ? ', …' : '';
    throw new Failure('conflict', `${location.name} is not empty: ${told.join(', ')}${more}.`, {
      hint: `Take it out first: secure-inv take ITEM QUANTITY --at LOCATION`,
    });
  }
  database.run('UPDATE location SET archived_at = ? WHERE id = ?', now, location.id);
  return location;
}

/** Whoever names no location means this one. */
function assertNotDefault(location: Location, what: string): void {
  if (canonicalKey(location.name) !== canonicalKey(defaultLocation)) return;
  throw new Failure('conflict', `The location ${location.name} cannot be ${what}.`, {
    hint: 'It is meant wherever no location is given.',
  });
}

function taken({ name, isArchived }: Found): Failure {
  return new Failure('conflict', `There is a location ${name} already${isArchived ? ', which is archived' : ''}.`, {
    hint: isArchived
      ? `Adding it brings it back: secure-inv location add ${shellWord(name)}`
      : 'See: secure-inv location list',
  });
}

interface Found extends Location {
  readonly isArchived: number;
}

function findByKey(database: Database, name: string): Found | undefined {
  const sql = 'SELECT id, name, archived_at IS NOT NULL AS isArchived FROM location WHERE key = ?';
  return database.get<Found>(sql, canonicalKey(name));
}
