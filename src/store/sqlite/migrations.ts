import { randomUUID } from 'node:crypto';
import { Failure } from '../../model/failure.ts';
import { rootOf } from '../../model/ledger.ts';
import { canonicalKey } from '../../model/name.ts';
import { defaultLocation } from '../../model/stock.ts';
import type { Database } from './database.ts';
import { completeFirstSchema } from './first-schema.ts';

import { sha256 } from './ledger.ts';

/** "SInv" in ASCII: tells a store from any other SQLite file. */
const applicationId = 0x53496e76;

/**
 * Each entry takes the schema from its index to the next version and is never edited once released. Quantities are
 * thousandths, times milliseconds since 1970 in UTC.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE meta (id TEXT NOT NULL) STRICT;

  CREATE TABLE user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    password_hash TEXT,
    enabled INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE session (
    -- Counts upwards, so that of two logins in one millisecond the older is known.
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES user (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    refresh_hash BLOB NOT NULL,
    refreshed_at INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    certificate TEXT
  ) STRICT;
  CREATE INDEX session_user ON session (user_id, number);

  CREATE TABLE enrolment (
    hash BLOB PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES user (id),
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE device (
    user_id INTEGER NOT NULL REFERENCES user (id),
    hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, hash)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE location (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE
  ) STRICT;

  CREATE TABLE item (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    unit TEXT NOT NULL DEFAULT 'pcs',
    precision INTEGER NOT NULL DEFAULT 0 CHECK (precision BETWEEN 0 AND 3),
    sku TEXT,
    barcode TEXT,
    category TEXT,
    description TEXT,
    low_at INTEGER,
    archived_at INTEGER,
    -- The sum over all locations.
    total INTEGER NOT NULL DEFAULT 0 CHECK (total BETWEEN 0 AND 1000000000000000)
  ) STRICT;
  CREATE INDEX item_category ON item (category, key) WHERE category IS NOT NULL;
  CREATE INDEX item_low ON item (key) WHERE low_at IS NOT NULL;

  -- The one namespace of names, SKUs and barcodes.
  CREATE TABLE item_key (
    key TEXT PRIMARY KEY,
    item_id INTEGER NOT NULL REFERENCES item (id)
  ) STRICT, WITHOUT ROWID;

  -- Only the index: the texts are in item, under the same id.
  CREATE VIRTUAL TABLE item_search USING fts5 (
    name, sku, barcode, category, description,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
  );

  CREATE TABLE balance (
    item_id INTEGER NOT NULL REFERENCES item (id),
    location_id INTEGER NOT NULL REFERENCES location (id),
    quantity INTEGER NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (item_id, location_id)
  ) STRICT, WITHOUT ROWID;

  -- The ledger. Item and location are named as they were called then. flags: 1 created its item, 2 crossed low_at.
  CREATE TABLE movement (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    credential TEXT NOT NULL,
    source TEXT NOT NULL,
    operation BLOB NOT NULL,
    kind TEXT NOT NULL,
    item_id INTEGER NOT NULL,
    item TEXT NOT NULL,
    location_id INTEGER NOT NULL,
    location TEXT NOT NULL,
    delta INTEGER NOT NULL,
    balance INTEGER NOT NULL,
    note TEXT,
    seen INTEGER,
    undoes INTEGER,
    change TEXT,
    flags INTEGER NOT NULL,
    hash BLOB NOT NULL
  ) STRICT;

  -- Indexes of the movements up to ledger.indexed, written by movement-index.ts.
  CREATE TABLE item_movement (
    item_id INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (item_id, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE user_movement (
    user_id INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (user_id, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE location_movement (
    location_id INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (location_id, seq)
  ) STRICT, WITHOUT ROWID;

  -- Kept for ever: an operation id is never good for a second time.
  CREATE TABLE operation (
    user_id INTEGER NOT NULL,
    id BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    first_seq INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    PRIMARY KEY (user_id, id)
  ) STRICT, WITHOUT ROWID;

  -- One row: the tree head (RFC 6962) after the last commit. frontier: hashes of 32 bytes, largest subtree first.
  CREATE TABLE ledger (
    size INTEGER NOT NULL, frontier BLOB NOT NULL, root BLOB NOT NULL, indexed INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- refusal: the kind, source and minute whose refusals share a record.
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    user TEXT,
    credential TEXT,
    source TEXT,
    subject TEXT,
    detail TEXT,
    count INTEGER NOT NULL DEFAULT 1,
    refusal TEXT UNIQUE
  ) STRICT;
  CREATE INDEX audit_at ON audit (at);
  CREATE INDEX audit_refusal ON audit (id) WHERE refusal IS NOT NULL;
  CREATE INDEX audit_event ON audit (event, id);
  CREATE INDEX audit_user ON audit (user, id) WHERE user IS NOT NULL;
  CREATE INDEX audit_subject ON audit (subject, id) WHERE subject IS NOT NULL;
  CREATE INDEX audit_source ON audit (source, id) WHERE source IS NOT NULL;
  -- Failed logins of the user, written by auth/failed-logins.ts.
  ALTER TABLE user ADD COLUMN throttle TEXT;
  -- Those of the last unknown name, which nobody reads: a failed login writes, whether or not there is such a user.
  ALTER TABLE meta ADD COLUMN nobodys_throttle TEXT;
  -- Certificates of the user that were issued before this time are not accepted.
  ALTER TABLE user ADD COLUMN certificates_from INTEGER NOT NULL DEFAULT 0;
  -- Whether user_location has all that the user may know of. Limited without a row there: nothing.
  ALTER TABLE user ADD COLUMN limited INTEGER NOT NULL DEFAULT 0;

  CREATE TABLE user_location (
    user_id INTEGER NOT NULL REFERENCES user (id),
    location_id INTEGER NOT NULL REFERENCES location (id),
    PRIMARY KEY (user_id, location_id)
  ) STRICT, WITHOUT ROWID;

  -- The address that a login came from; NULL for those from before it was kept.
  ALTER TABLE session ADD COLUMN source TEXT;

  CREATE TABLE api_token (
    id TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES user (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER,
    UNIQUE (user_id, name)
  ) STRICT, WITHOUT ROWID;

  -- Categories are compared as names are; until now no item had one.
  ALTER TABLE item ADD COLUMN category_key TEXT;
  DROP INDEX item_category;
  CREATE INDEX item_category ON item (category_key, key) WHERE category_key IS NOT NULL;
  -- An archived location keeps its name, its movements and its balances, which are 0.
  ALTER TABLE location ADD COLUMN archived_at INTEGER;
  -- The last movement of this balance.
  ALTER TABLE balance ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
  UPDATE balance SET seq = last.seq
  FROM (SELECT item_id, location_id, max(seq) AS seq FROM movement GROUP BY item_id, location_id) AS last
  WHERE balance.item_id = last.item_id AND balance.location_id = last.location_id;
  -- What was undone, and that nothing is undone twice. Partial, so that other movements do not pay for it.
  CREATE UNIQUE INDEX movement_undoes ON movement (undoes) WHERE undoes IS NOT NULL;

  -- What webhooks have not confirmed yet: a row for each message and webhook. webhook: a hash of its URL. next_at: not
  -- to be sent before; 0 at first.
  CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    webhook TEXT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  -- With created_at, what waits is counted without reading the bodies.
  CREATE INDEX outbox_next ON outbox (webhook, next_at, number, created_at);
  CREATE INDEX outbox_created ON outbox (created_at);
  -- The order in which view shows stock: quantities as of ledger.indexed, written by movement-index.ts, because indexes of
  -- the quantities themselves would be written at every movement; and in each balance the key of its item.
  ALTER TABLE item ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
  UPDATE item SET listed = total;
  CREATE INDEX item_listed ON item (listed, key) WHERE archived_at IS NULL;
  CREATE INDEX item_category_listed ON item (category_key, listed, key)
    WHERE archived_at IS NULL AND category_key IS NOT NULL;
  CREATE INDEX item_is_low ON item (key) WHERE archived_at IS NULL AND listed <= low_at;
  CREATE INDEX item_is_low_listed ON item (listed, key) WHERE archived_at IS NULL AND listed <= low_at;
  CREATE INDEX item_archived ON item (archived_at) WHERE archived_at IS NOT NULL;
  ALTER TABLE balance ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE balance ADD COLUMN key TEXT NOT NULL DEFAULT '';
  UPDATE balance SET listed = quantity, key = (SELECT key FROM item WHERE id = item_id);
  CREATE INDEX balance_key ON balance (location_id, key);
  CREATE INDEX balance_listed ON balance (location_id, listed, key);
  CREATE TABLE kind_movement (
    kind TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (kind, seq)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO kind_movement SELECT kind, seq FROM movement, ledger WHERE seq <= indexed;
  -- Made anew for the prefix of one letter, without which a search for one reads every word that begins so.
  DROP TABLE item_search;
  CREATE VIRTUAL TABLE item_search USING fts5 (
    name, sku, barcode, category, description,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'
  );
  INSERT INTO item_search (rowid, name, sku, barcode, category, description)
  SELECT id, name, sku, barcode, category, description FROM item;

  -- Kept for ever: by its digest a file is recognized. done: rows staged, or once accepted counted. state: forgotten
  -- besides those of model/import.ts. scope and problem are JSON.
  CREATE TABLE import (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES user (id),
    name TEXT,
    digest BLOB NOT NULL,
    again INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    -- 16 random bytes: nobody knows the ids of its operations before it spends them.
    seed BLOB NOT NULL,
    -- Once accepted, the most that it adds to one item.
    most INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    at INTEGER NOT NULL,
    credential TEXT,
    source TEXT,
    scope TEXT,
    problem TEXT
  ) STRICT;
  CREATE INDEX import_digest ON import (digest);
  CREATE INDEX import_open ON import (state, at) WHERE state IN ('staged', 'accepted', 'forgotten');

  -- The rows that are not counted yet. about: JSON, NULL for nothing.
  CREATE TABLE import_row (
    import_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    line INTEGER NOT NULL,
    item TEXT NOT NULL,
    location TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    about TEXT,
    note TEXT,
    PRIMARY KEY (import_id, number)
  ) STRICT, WITHOUT ROWID;

  -- Of an operation by which an import has counted some of its rows.
  ALTER TABLE operation ADD COLUMN import_id INTEGER;
  CREATE INDEX operation_import ON operation (import_id, first_seq) WHERE import_id IS NOT NULL;
  `,
  `
  -- Words are folded before they get here, as search-text.ts does it.
  INSERT INTO item_search (item_search) VALUES ('delete-all');
  INSERT INTO item_search (rowid, name, sku, barcode, category, description)
  SELECT id, fold_search(name), fold_search(sku), fold_search(barcode), fold_search(category), fold_search(description)
  FROM item;
  `,
  `
  -- The order of what view sorts by and not every item has: an item without it costs these nothing. Nothing read item_low.
  DROP INDEX item_low;
  CREATE INDEX item_low_at ON item (low_at, key) WHERE low_at IS NOT NULL;
  CREATE INDEX item_sku ON item (sku, key) WHERE sku IS NOT NULL;
  CREATE INDEX item_barcode ON item (barcode, key) WHERE barcode IS NOT NULL;
  CREATE INDEX item_unit ON item (unit, key) WHERE unit <> 'pcs';
  `,
  `
  -- Each location has these orders of its own, too: of every balance, what its item is sorted by, and that it is archived.
  ALTER TABLE balance ADD COLUMN unit TEXT NOT NULL DEFAULT 'pcs';
  ALTER TABLE balance ADD COLUMN sku TEXT;
  ALTER TABLE balance ADD COLUMN barcode TEXT;
  ALTER TABLE balance ADD COLUMN category_key TEXT;
  ALTER TABLE balance ADD COLUMN low_at INTEGER;
  ALTER TABLE balance ADD COLUMN archived_at INTEGER;
  UPDATE balance SET (unit, sku, barcode, category_key, low_at, archived_at) =
    (SELECT unit, sku, barcode, category_key, low_at, archived_at FROM item WHERE id = item_id);
  DROP INDEX balance_listed;
  CREATE INDEX balance_listed ON balance (location_id, listed, key) WHERE archived_at IS NULL;
  CREATE INDEX balance_unit ON balance (location_id, unit, key) WHERE unit <> 'pcs';
  CREATE INDEX balance_sku ON balance (location_id, sku, key) WHERE sku IS NOT NULL;
  CREATE INDEX balance_barcode ON balance (location_id, barcode, key) WHERE barcode IS NOT NULL;
  CREATE INDEX balance_category ON balance (location_id, category_key, key) WHERE category_key IS NOT NULL;
  CREATE INDEX balance_low_at ON balance (location_id, low_at, key) WHERE low_at IS NOT NULL;
  `,
];

/** The version that this program reads and writes. */
export const schemaVersion = migrations.length;

/** The version of the opened store. Failures: `storage` for a newer one and for a file that is not a store. */
export function schemaVersionOf(database: Database, path: string): number {
  const { user_version: version } = database.one<{ user_version: number }>('PRAGMA user_version');
  const { application_id: id } = database.one<{ application_id: number }>('PRAGMA application_id');
  const isEmpty = database.get('SELECT 1 FROM sqlite_schema LIMIT 1') === undefined;
  if (id !== applicationId && !(isEmpty && id === 0 && version === 0)) {
    throw notOurs(path);
  }
  if (version > schemaVersion) {
    throw new Failure(
      'storage',
      `The store ${path} was written by a newer secure-inv (schema ${version}; this one knows ${schemaVersion}).`,
      { hint: 'Start the newer version, or restore a backup from before the upgrade.' },
    );
  }
  return version;
}

/** The refusal of what is at the path of a store, and is none. */
export function notOurs(path: string): Failure {
  return new Failure('storage', `${path} is not a store of secure-inv.`, { hint: 'Correct "store" in the config.' });
}

/** Brings the schema up to date: all missing steps, or none. */
export function migrate(database: Database, version: number): void {
  if (version === schemaVersion) return;
  database.script('BEGIN IMMEDIATE');
  try {
    if (version === 1) completeFirstSchema(database);
    for (const step of migrations.slice(version)) database.script(step);
    if (version === 0) fill(database);
    database.script(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; COMMIT`);
  } catch (error) {
    if (database.isInTransaction) database.script('ROLLBACK');
    throw error;
  }
}

/** What a new store contains. */
function fill(database: Database): void {
  database.run('INSERT INTO meta (id) VALUES (?)', randomUUID());
  database.run('INSERT INTO location (name, key) VALUES (?, ?)', defaultLocation, canonicalKey(defaultLocation));
  database.run(
    'INSERT INTO ledger (size, frontier, root, indexed) VALUES (0, ?, ?, 0)',
    new Uint8Array(),
    rootOf([], sha256),
  );
}
