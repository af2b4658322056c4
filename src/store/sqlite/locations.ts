import { Failure } from '../../model/failure.ts';
import { canonicalKey } from '../../model/name.ts';
import type { Database } from './database.ts';

/** A place where stock is kept. */
export interface Location {
  readonly id: number;
  readonly name: string;
}

const hintedMax = 5;

/** The location that a name means. Failures: `not-found`: a typo never makes a place. */
export function findLocation(database: Database, name: string): Location {
  const location = database.get<Location>('SELECT id, name FROM location WHERE key = ?', canonicalKey(name));
  if (location) return location;
  const known = database.all<{ name: string }>('SELECT name FROM location ORDER BY id LIMIT ?', hintedMax + 1);
  const names = known.slice(0, hintedMax).map((row) => row.name);
  throw new Failure('not-found', `No location ${JSON.stringify(name)}.`, {
    hint: `Known locations: ${names.join(', ')}${known.length > hintedMax ? ', …' : ''}.`,
  });
}
