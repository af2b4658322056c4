import { Failure } from '../../model/failure.ts';
import type { ApiTokenRecord } from '../store.ts';
import type { Database } from './database.ts';
import { assertEpoch } from './users.ts';

const columns = `id, user_id AS userId, name, role, hash, created_at AS createdAt, expires_at AS expiresAt,
  last_used_at AS lastUsedAt`;

/** As `Store.apiTokens`. */
export function listApiTokens(database: Database): readonly ApiTokenRecord[] {
  const rows = database.all<ApiTokenRecord>(`SELECT ${columns} FROM api_token ORDER BY created_at, id`);
  return rows.map((row) => ({ ...row }));
}

/** As `Store.addApiToken`. */
export function addApiToken(
  database: Database,
  token: ApiTokenRecord,
  tokensMax: number,
  epoch: number,
): readonly string[] {
  const { userId, name } = token;
  assertEpoch(database, userId, epoch);
  const expired = database.all<{ id: string }>(
    'DELETE FROM api_token WHERE user_id = ? AND expires_at <= ? RETURNING id',
    userId,
    token.createdAt,
  );
  if (database.get('SELECT 1 FROM api_token WHERE user_id = ? AND name = ?', userId, name)) {
    throw new Failure('conflict', `There is an API token ${JSON.stringify(name)} already.`, {
      hint: 'Choose another name, or revoke that one: secure-inv token revoke ID (secure-inv token list shows the ID).',
    });
  }
  const { count } = database.one<{ count: number }>(
    'SELECT count(*) AS count FROM api_token WHERE user_id = ?',
    userId,
  );
  if (count >= tokensMax) {
    throw new Failure('conflict', `A user may have at most ${tokensMax} API tokens.`, {
      hint: 'Revoke one that nobody uses: secure-inv token list shows when each was last used.',
    });
  }
  database.run(
    `INSERT INTO api_token (id, user_id, name, role, hash, created_at, expires_at, last_used_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    token.id,
    userId,
    name,
    token.role,
    token.hash,
    token.createdAt,
    token.expiresAt,
    token.lastUsedAt,
  );
  return expired.map((row) => row.id);
}

/** As `Store.removeApiToken`. */
export function removeApiToken(database: Database, id: string): void {
  database.run('DELETE FROM api_token WHERE id = ?', id);
}

/** As `Store.noteApiTokenUse`. */
export function noteApiTokenUse(database: Database, id: string, lastUsedAt: number): void {
  database.run('UPDATE api_token SET last_used_at = ? WHERE id = ?', lastUsedAt, id);
}
