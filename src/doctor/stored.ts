import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { Failure } from '../model/failure.ts';
import { backupDaysMax, diskFreeBytesLow, diskFreeBytesMin } from '../model/limits.ts';
import { formatMebibytes, freeBytes } from '../ops/checks.ts';
import { readDamage } from '../store/sqlite/damage-note.ts';
import { assertNew, assertNotEmptied } from '../store/sqlite/earlier-life.ts';
import { readLastBackup } from '../store/sqlite/last-backup.ts';
import { schemaVersion } from '../store/sqlite/migrations.ts';
import type { Diagnosis, Examination } from './diagnosis.ts';
import { examineAccess, problemOf } from './files.ts';
import { examinePlace } from './place.ts';

const check = 'store';
const dayMilliseconds = 86_400_000;
const restore = 'Keep a copy of the file and of its -wal, and restore the last backup.';

/** A clock that is so much behind the last movement was set back since. */
const backMillisecondsMax = 60_000;

/** The store's files, their integrity, and what its last movement says of the machine's clock. Writes nothing. */
export async function* examineStore(path: string, now: number): Examination {
  yield* examineDisk(path);
  const place = await examinePlace(check, path);
  if (place && !existsSync(path)) {
    yield place;
    return;
  }
  try {
    assertNotEmptied(path);
  } catch (error) {
    yield problemOf(check, error);
    return;
  }
  if (!existsSync(path)) {
    yield { check, level: 'ok', message: `${path} does not exist yet: the first start makes it.` };
    return;
  }
  for (const [file, forbidden] of [
    [dirname(path), 0o022],
    ...['', '-wal', '-shm', '-lock'].map((end) => [`${path}${end}`, 0o077] as const),
  ] as const) {
    yield* await examineAccess(check, file, forbidden);
  }
  if (place) {
    yield place;
    return;
  }
  const damage = readDamage(path);
  if (damage !== undefined) {
    const todo = `Run: secure-invd ledger verify. If that finds all whole, start the server anew; if not: ${restore}`;
    yield { check, level: 'problem', message: `A server has found ${path} damaged. ${damage}`, todo };
    return;
  }
  if (existsSync(`${path}-wal`) && !existsSync(`${path}-shm`)) {
    const todo = 'Start the server, which takes the log up, and run this again.';
    yield { check, level: 'warning', message: `${path} was not looked into: it has a log from a crash.`, todo };
    return;
  }
  yield* readStore(path, now);
}

async function* examineDisk(path: string): Examination {
  let there = dirname(path);
  while (!existsSync(there)) there = dirname(there);
  const free = await freeBytes(there);
  const message = `${formatMebibytes(free)} are free in ${there}.`;
  const level = free < diskFreeBytesMin ? 'problem' : free < diskFreeBytesLow ? 'warning' : 'ok';
  const todo = 'Make room, or move the store: on a full disk changes are refused.';
  yield { check: 'disk', level, message, ...(level === 'ok' ? {} : { todo }) };
}

function* readStore(path: string, now: number): Generator<Diagnosis> {
  let database: DatabaseSync | undefined;
  try {
    database = openForReading(path);
    const version = Number(readOne(database, 'PRAGMA user_version'));
    if (version > schemaVersion) {
      const todo = 'Install the version of secure-inv that wrote it, or a newer one.';
      yield { check, level: 'problem', message: `${path} was written by a newer version of the server.`, todo };
      return;
    }
    if (version === 0) assertNew(path);
    const damage = readOne(database, 'PRAGMA quick_check(1)');
    if (damage !== 'ok') {
      yield { check, level: 'problem', message: `${path} is damaged: ${damage}.`, todo: restore };
      return;
    }
    const message = `${path} is a whole database; what its ledger says is checked by: secure-invd ledger verify`;
    yield { check, level: 'ok', message };
    const lastMovementAt = readOne(database, 'SELECT at FROM movement ORDER BY seq DESC LIMIT 1');
    if (lastMovementAt !== undefined) yield* examineBackup(path, now);
    yield examineClock(lastMovementAt, now);
  } catch (error) {
    if (error instanceof Failure) return void (yield problemOf(check, error));
    const reason = error instanceof Error ? error.message : String(error);
    yield { check, level: 'problem', message: `${path} cannot be read: ${reason}.`, todo: restore };
  } finally {
    database?.close();
  }
}

function* examineBackup(path: string, now: number): Generator<Diagnosis> {
  const at = readLastBackup(path);
  const todo = 'Run: secure-invd backup FILE';
  if (at === null) {
    yield { check: 'backup', level: 'warning', message: `No backup of ${path} was ever made by this program.`, todo };
    return;
  }
  const days = Math.floor((now - at) / dayMilliseconds);
  const message = `The last backup of ${path} was made ${new Date(at).toISOString()}, ${days} days ago.`;
  if (days >= backupDaysMax) yield { check: 'backup', level: 'warning', message, todo };
}

/**
 * Opening a database that nobody has open would make files beside it, of whoever runs this: root's would lock the server
 * out. Without a log there is nothing but the file, which is then read as if it could not change.
 */
function openForReading(path: string): DatabaseSync {
  if (existsSync(`${path}-wal`)) return new DatabaseSync(path, { readOnly: true });
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1');
  return new DatabaseSync(url, { readOnly: true });
}

function readOne(database: DatabaseSync, sql: string): unknown {
  return Object.values(database.prepare(sql).get() ?? {})[0];
}

function examineClock(lastMovementAt: unknown, now: number): Diagnosis {
  const time = `${new Date(now).toISOString().slice(0, 19)}Z`;
  if (typeof lastMovementAt === 'number' && now < lastMovementAt - backMillisecondsMax) {
    const last = new Date(lastMovementAt).toISOString();
    const message = `The machine's clock says ${time}, before the store's last movement (${last}).`;
    return {
      check: 'clock',
      level: 'problem',
      message,
      todo: 'Set the clock (timedatectl set-ntp true), then restart.',
    };
  }
  return { check: 'clock', level: 'ok', message: `The machine's clock says ${time}.` };
}
