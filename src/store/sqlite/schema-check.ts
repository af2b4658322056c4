import { Database } from './database.ts';
import { damaged } from './ledger-check.ts';
import { migrate, schemaVersion } from './migrations.ts';

/**
 * Refuses a store that has more than a new one has, or less: a trigger changes later what is good now. SQLite itself sees
 * to it that a row of its schema is what it says. Of an older version only code is looked for, which none has; a restore
 * looks again, when it is of today. Failures: `storage`.
 */
export function assertOwnSchema(database: Database): void {
  const names = namesOf(database);
  const own = isOfToday(database) ? ownNames() : names;
  const foreign = [...names].find((name) => !own.has(name) || /^(trigger|view) /.test(name));
  if (foreign !== undefined) throw damaged(`The database has something foreign: the ${foreign}.`);
  const missing = [...own].find((name) => !names.has(name));
  if (missing !== undefined) throw damaged(`The database lacks the ${missing}.`);
}

/** Whether a store has the schema that this program writes, and not an older one. */
export function isOfToday(database: Database): boolean {
  return database.one<{ user_version: number }>('PRAGMA user_version').user_version === schemaVersion;
}

function ownNames(): ReadonlySet<string> {
  const fresh = new Database(':memory:');
  try {
    migrate(fresh, 0);
    return namesOf(fresh);
  } finally {
    fresh.close();
  }
}

/** Such as "table item"; without what SQLite makes for itself, such as the statistics of ANALYZE. */
function namesOf(database: Database): ReadonlySet<string> {
  const sql = `SELECT type || ' ' || name AS name FROM sqlite_schema WHERE substr(name, 1, 7) <> 'sqlite_'`;
  return new Set(database.all<{ name: string }>(sql).map(({ name }) => name));
}
