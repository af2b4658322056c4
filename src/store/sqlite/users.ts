import type { AuditEntry } from '../../model/audit.ts';
import { Failure } from '../../model/failure.ts';
import type { Role, Scope } from '../../model/user.ts';
import type { Enrolment, UserRecord } from '../store.ts';
import { addAudit } from './audit.ts';
import type { Database } from './database.ts';
import { findLocation } from './locations.ts';

interface UserRow {
  readonly id: number;
  readonly user: string;
  readonly role: Role;
  readonly passwordHash: string | null;
  readonly enabled: number;
  readonly epoch: number;
  readonly createdAt: number;
  readonly certificatesFrom: number;
  readonly scope: string | null;
}

const columns = `id, name AS user, role, password_hash AS passwordHash, enabled, epoch, created_at AS createdAt,
  certificates_from AS certificatesFrom,
  CASE limited WHEN 0 THEN NULL ELSE
    (SELECT json_group_array(location_id) FROM user_location WHERE user_id = user.id)
  END AS scope`;

function userOf(row: UserRow): UserRecord {
  const scope: Scope = row.scope === null ? null : JSON.parse(row.scope); // The query above made it, of integers.
  return { ...row, enabled: row.enabled !== 0, scope };
}

/** The user with this id. An id that nobody has is a bug of the caller. */
function find(database: Database, id: number): UserRecord {
  const row = database.get<UserRow>(`SELECT ${columns} FROM user WHERE id = ?`, id);
  if (!row) throw new Error(`There is no user with id ${id}.`);
  return userOf(row);
}

/** As `Store.users`. */
export function listUsers(database: Database): readonly UserRecord[] {
  return database.all<UserRow>(`SELECT ${columns} FROM user ORDER BY id`).map(userOf);
}

/** As `Store.addUser`. */
export function addUser(
  database: Database,
  user: string,
  role: Role,
  enrolment: Enrolment | null,
  now: number,
): UserRecord {
  if (database.get('SELECT 1 FROM user WHERE name = ?', user)) {
    throw new Failure('conflict', `There is, or was, a user ${user}; names are never used again.`, {
      hint: `Choose another name, or give ${user} a new link: secure-inv user reset ${user}`,
    });
  }
  const { id } = database.one<{ id: number }>(
    'INSERT INTO user (name, role, created_at) VALUES (?, ?, ?) RETURNING id',
    user,
    role,
    now,
  );
  if (enrolment) addEnrolment(database, id, enrolment);
  return find(database, id);
}

/** As `Store.setRole`. */
export function setRole(database: Database, id: number, role: Role): UserRecord {
  const before = find(database, id);
  if (role !== 'admin') assertNotLastAdministrator(database, before);
  else if (before.scope !== null) {
    throw new Failure('conflict', `${before.user} is limited to some locations; an administrator is never limited.`, {
      hint: `Lift the limit first: secure-inv user limit ${before.user} --everywhere`,
    });
  }
  database.run('UPDATE user SET role = ? WHERE id = ?', role, id);
  return find(database, id);
}

/** As `Store.setScope`. */
export function setScope(database: Database, id: number, names: readonly string[] | null): UserRecord {
  const { user, role } = find(database, id);
  if (names !== null && role === 'admin') {
    throw new Failure('conflict', `An administrator is never limited, and ${user} is one.`, {
      hint: `Change the role first: secure-inv user edit ${user} --role manager`,
    });
  }
  const locations = (names ?? []).map((name) => findLocation(database, name, null));
  database.run('UPDATE user SET limited = ? WHERE id = ?', names === null ? 0 : 1, id);
  database.run('DELETE FROM user_location WHERE user_id = ?', id);
  for (const location of locations) {
    const sql = 'INSERT INTO user_location (user_id, location_id) VALUES (?, ?) ON CONFLICT DO NOTHING';
    database.run(sql, id, location.id);
  }
  return find(database, id);
}

/** As `Store.setEnabled`. */
export function setEnabled(database: Database, id: number, enabled: boolean): UserRecord {
  const before = find(database, id);
  if (enabled) {
    database.run('UPDATE user SET enabled = 1 WHERE id = ?', id);
  } else {
    assertNotLastAdministrator(database, before);
    database.run('UPDATE user SET enabled = 0 WHERE id = ?', id);
    endAccess(database, id);
  }
  return find(database, id);
}

/** As `Store.setPassword`. */
export function setPassword(database: Database, id: number, passwordHash: string, epoch: number): UserRecord {
  assertEpoch(database, id, epoch);
  database.run('UPDATE user SET password_hash = ? WHERE id = ?', passwordHash, id);
  database.run('DELETE FROM enrolment WHERE user_id = ?', id);
  // Whoever knew the old password may have made a device known with it.
  database.run('DELETE FROM device WHERE user_id = ?', id);
  endAccess(database, id);
  return find(database, id);
}

/** As `Store.setPasswordHash`. */
export function setPasswordHash(database: Database, id: number, passwordHash: string, epoch: number): UserRecord {
  assertEpoch(database, id, epoch);
  database.run('UPDATE user SET password_hash = ? WHERE id = ?', passwordHash, id);
  return find(database, id);
}

/** As `Store.resetUser`. */
export function resetUser(database: Database, id: number, enrolment: Enrolment, certificatesFrom: number): UserRecord {
  const before = find(database, id);
  database.run('UPDATE user SET password_hash = NULL, throttle = NULL WHERE id = ?', before.id);
  database.run('UPDATE user SET certificates_from = max(certificates_from, ?) WHERE id = ?', certificatesFrom, id);
  database.run('DELETE FROM enrolment WHERE user_id = ?', id);
  addEnrolment(database, id, enrolment);
  // Whoever has a lost device is a stranger from now on.
  database.run('DELETE FROM device WHERE user_id = ?', id);
  database.run('DELETE FROM api_token WHERE user_id = ?', id);
  endAccess(database, id);
  return find(database, id);
}

/** As `Store.redeemEnrolment`. */
export function redeemEnrolment(
  database: Database,
  audit: AuditEntry,
  hash: Uint8Array,
  now: number,
  onlyUser: string | null,
): number | undefined {
  const row = database.get<{ id: number; name: string; expires_at: number }>(
    'SELECT user.id, user.name, expires_at FROM enrolment JOIN user ON user.id = user_id WHERE hash = ?',
    hash,
  );
  if (!row || (onlyUser !== null && onlyUser !== row.name)) return undefined;
  database.run('DELETE FROM enrolment WHERE hash = ?', hash);
  if (row.expires_at <= now) return undefined;
  addAudit(database, { ...audit, user: row.name, subject: row.name });
  return row.id;
}

/** As `Store.saveThrottle`. */
export function saveThrottle(database: Database, id: number, state: string | null): void {
  if (id === 0) database.run('UPDATE meta SET nobodys_throttle = ?', state);
  else database.run('UPDATE user SET throttle = ? WHERE id = ?', state, find(database, id).id);
}

/** As `Store.throttles`. */
export function listThrottles(database: Database): readonly { readonly userId: number; readonly state: string }[] {
  const sql = 'SELECT id AS userId, throttle AS state FROM user WHERE throttle IS NOT NULL ORDER BY id';
  return database.all<{ userId: number; state: string }>(sql).map((row) => ({ ...row }));
}

function addEnrolment(database: Database, userId: number, { hash, expiresAt }: Enrolment): void {
  database.run('INSERT INTO enrolment (hash, user_id, expires_at) VALUES (?, ?, ?)', hash, userId, expiresAt);
}

function endAccess(database: Database, id: number): void {
  database.run('UPDATE user SET epoch = epoch + 1 WHERE id = ?', id);
  database.run('DELETE FROM session WHERE user_id = ?', id);
}

/** Refuses what was proven before the user's access was ended. Failures: `conflict`. */
export function assertEpoch(database: Database, id: number, epoch: number): void {
  const user = find(database, id);
  if (user.epoch === epoch) return;
  throw new Failure('conflict', `The access of ${user.user} was ended meanwhile; nothing was changed.`, {
    hint: 'Ask an administrator, or log in again: secure-inv login',
  });
}

/** Someone must stay who can let others in. Who cannot administer now can be changed freely. */
function assertNotLastAdministrator(database: Database, user: UserRecord): void {
  const others = database.get(
    "SELECT 1 FROM user WHERE role = 'admin' AND enabled = 1 AND password_hash IS NOT NULL AND id <> ? LIMIT 1",
    user.id,
  );
  const administers = user.role === 'admin' && user.enabled && user.passwordHash !== null;
  if (!administers || others) return;
  throw new Failure('conflict', `${user.user} is the last administrator who can log in.`, {
    hint: 'Make somebody else an administrator first: secure-inv user edit NAME --role admin',
  });
}
