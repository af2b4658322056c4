import { existsSync, renameSync, rmSync } from 'node:fs';
import { type AuditEvent, host } from '../../src/model/audit.ts';
import { Failure } from '../../src/model/failure.ts';
import type { Role } from '../../src/model/user.ts';
import type { Database } from '../../src/store/sqlite/database.ts';
import { GroupCommit } from '../../src/store/sqlite/group-commit.ts';
import type { Call } from '../../src/store/sqlite/message.ts';
import { indexThrough } from '../../src/store/sqlite/movement-index.ts';
import { openStoreFiles } from '../../src/store/sqlite/store-files.ts';
import { placeNames } from './catalogue.ts';
import { type Asked, type StoreOrder, Story } from './story.ts';

/** Movements in one commit, which writes each page once however many of them touch it. */
const commitMovements = 65_536;

/** Who is in the store, and for the limited where. Nobody is enrolled: the server invites the first administrator. */
const users: readonly (readonly [name: string, role: Role, limits?: readonly string[]])[] = [
  ['admin', 'admin'],
  ['manager1', 'manager'],
  ...Array.from({ length: 12 }, (_, at): [string, Role] => [`clerk${at + 1}`, 'clerk']),
  ['viewer1', 'viewer'],
  ['limited1', 'viewer', ['shelf-03']],
  ['limited3', 'viewer', ['shelf-03', 'shelf-04', 'attic']],
  ['limited-main', 'viewer', ['main', 'shelf-03']],
];

/**
 * Makes a store that was in use for two years, by way of all that a server does with a request once it is authorized: the
 * records and their hashes, the balances and every index are the server's own. Nothing is synced until the end, and
 * the file has its name only when it is whole. Failures: `conflict` when there is one of that name.
 */
export function makeStore(path: string, order: StoreOrder, onProgress: (movements: number) => void): void {
  if (existsSync(path)) {
    throw new Failure('conflict', `There is a store ${path} already.`, { hint: 'Give another folder, or remove it.' });
  }
  const unfinished = `${path}-unfinished`;
  remove(unfinished);
  const { database, lock } = openStoreFiles({ path: unfinished, exclusive: true });
  try {
    database.script('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000');
    // What refers to something is written by the store itself, right after what it refers to.
    database.script('PRAGMA foreign_keys = OFF');
    // Long sorts in two threads, and what can be searched written once for each commit, merged later.
    database.script('PRAGMA threads = 2');
    tuneSearch(database, 32 * 1024 * 1024, 0);
    const indexes = dropIndexes(database);
    database.run('UPDATE ledger SET indexed = ?', Number.MAX_SAFE_INTEGER);
    fill(database, order, onProgress);
    // All at once, which takes half as long as in portions.
    database.run('UPDATE ledger SET indexed = 0');
    database.within(() => indexThrough(database, 0, order.movements));
    tuneSearch(database, 1024 * 1024, 4); // FTS5's own.
    for (const { sql } of indexes) database.script(sql);
    // The first commit of this kind writes all that the system still holds back.
    database.script('PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL');
    database.close();
    renameSync(unfinished, path);
  } finally {
    database.close();
    lock?.release();
    remove(unfinished);
  }
}

interface Index {
  readonly name: string;
  readonly sql: string;
}

/** Drops the indexes that only reading needs, because each is made faster at once from all that it shall have. */
function dropIndexes(database: Database): readonly Index[] {
  const indexes = database.all<Index>(
    `SELECT name, sql FROM sqlite_schema
     WHERE type = 'index' AND tbl_name IN ('item', 'balance') AND sql IS NOT NULL AND sql NOT LIKE 'CREATE UNIQUE%'`,
  );
  for (const { name } of indexes) database.script(`DROP INDEX ${name}`);
  return indexes;
}

/** How many bytes the search index gathers before it writes them, and at how many pieces it merges them; 0: never. */
function tuneSearch(database: Database, hashBytes: number, automerge: number): void {
  database.script(
    `INSERT INTO item_search (item_search, rank) VALUES ('hashsize', ${hashBytes}), ('automerge', ${automerge})`,
  );
}

/** Removes what a run that was ended has left. */
function remove(path: string): void {
  for (const end of ['', '-lock', '-wal', '-shm', '-reserve']) rmSync(`${path}${end}`, { force: true });
}

function fill(database: Database, order: StoreOrder, onProgress: (movements: number) => void): void {
  const commits = new GroupCommit(database, () => undefined);
  const run = (asked: readonly Asked[]) => {
    const calls = asked.map(([method, ...args], at): Call => [at, method, args]);
    for (const [, , error] of commits.run(calls)) {
      if (error) throw new Error(`The store refused what it was to have: ${error.message}`);
    }
  };
  const story = new Story(order);
  run(people(story.at));
  for (let movements = 0; movements < order.movements; movements = commits.size) {
    run(story.tell(commitMovements));
    onProgress(commits.size);
  }
}

/** Everybody, and all places. */
function people(at: number): readonly Asked[] {
  const entry = (event: AuditEvent, subject: string) => ({ ...host, event, subject, detail: null, at });
  const limits = users.flatMap(([name, , places], before): Asked[] =>
    places ? [['setScope', entry('user-limited', name), before + 1, places]] : [],
  );
  return [
    ...users.map(([name, role]): Asked => ['addUser', entry('user-added', name), name, role, null, at]),
    ...placeNames.slice(1).map((name): Asked => ['addLocation', entry('location-added', name), name]),
    ...limits,
  ];
}
