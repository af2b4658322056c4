import type { Database } from './database.ts';

/** The very first stores had version 1 and SQLite's own indexes instead of the tables that movement-index.ts fills. */
export function completeFirstSchema(database: Database): void {
  const sql = "SELECT 1 FROM pragma_table_info('ledger') WHERE name = 'indexed'";
  if (database.get(sql) !== undefined) return;
  const tables = ['item', 'user', 'location'].map(
    (what) => `
    DROP INDEX movement_${what};
    CREATE TABLE ${what}_movement (
      ${what}_id INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (${what}_id, seq)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO ${what}_movement SELECT ${what}_id, seq FROM movement ORDER BY ${what}_id, seq;`,
  );
  database.script(tables.join(''));
  database.script('ALTER TABLE ledger ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0; UPDATE ledger SET indexed = size');
}
