import { devicesPerUserMax } from '../../model/limits.ts';
import type { SessionRecord } from '../store.ts';
import type { Database } from './database.ts';
import { assertEpoch } from './users.ts';

const columns = `id, user_id AS userId, created_at AS createdAt, expires_at AS expiresAt, refresh_hash AS refreshHash,
  refreshed_at AS refreshedAt, generation, certificate, source`;

/** As `Store.sessions`. */
export function listSessions(database: Database, now: number): readonly SessionRecord[] {
  const rows = database.all<SessionRecord>(`SELECT ${columns} FROM session WHERE expires_at > ? ORDER BY number`, now);
  return rows.map((row) => ({ ...row }));
}

/** As `Store.addSession`. */
export function addSession(
  database: Database,
  session: SessionRecord,
  sessionsMax: number,
  epoch: number,
): readonly string[] {
  assertEpoch(database, session.userId, epoch);
  database.run(
    `INSERT INTO session (id, user_id, created_at, expires_at, refresh_hash, refreshed_at, generation, certificate, source)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    session.id,
    session.userId,
    session.createdAt,
    session.expiresAt,
    session.refreshHash,
    session.refreshedAt,
    session.generation,
    session.certificate,
    session.source,
  );
  const ended = database.all<{ id: string }>(
    `DELETE FROM session
     WHERE number IN (SELECT number FROM session WHERE user_id = ? ORDER BY number DESC LIMIT -1 OFFSET ?)
     RETURNING id`,
    session.userId,
    sessionsMax,
  );
  const expired = database.all<{ id: string }>(
    'DELETE FROM session WHERE expires_at <= ? RETURNING id',
    session.createdAt,
  );
  // A login is a good moment to forget what is worthless, for it is rare and knows the time.
  database.run('DELETE FROM enrolment WHERE expires_at <= ?', session.createdAt);
  database.run('DELETE FROM device WHERE expires_at <= ?', session.createdAt);
  return [...ended, ...expired].map((row) => row.id);
}

/** As `Store.rotateSession`. */
export function rotateSession(database: Database, session: SessionRecord): boolean {
  const changes = database.run(
    'UPDATE session SET refresh_hash = ?, refreshed_at = ?, generation = ? WHERE id = ? AND generation = ?',
    session.refreshHash,
    session.refreshedAt,
    session.generation,
    session.id,
    session.generation - 1,
  );
  return changes === 1;
}

/** As `Store.endSession`. */
export function endSession(database: Database, id: string): void {
  database.run('DELETE FROM session WHERE id = ?', id);
}

/** As `Store.addDevice`. */
export function addDevice(database: Database, userId: number, hash: Uint8Array, expiresAt: number): void {
  database.run(
    'INSERT INTO device (user_id, hash, expires_at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at',
    userId,
    hash,
    expiresAt,
  );
  database.run(
    `DELETE FROM device WHERE user_id = ? AND hash IN
       (SELECT hash FROM device WHERE user_id = ? ORDER BY expires_at DESC LIMIT -1 OFFSET ?)`,
    userId,
    userId,
    devicesPerUserMax,
  );
}

/** As `Store.hasDevice`. */
export function hasDevice(database: Database, userId: number, hash: Uint8Array, now: number): boolean {
  const sql = 'SELECT 1 FROM device WHERE user_id = ? AND hash = ? AND expires_at > ?';
  return database.get(sql, userId, hash, now) !== undefined;
}
