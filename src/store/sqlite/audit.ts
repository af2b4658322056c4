import type { SQLInputValue } from 'node:sqlite';
import type { AuditEntry, AuditQuery, AuditRecord, RefusalCount } from '../../model/audit.ts';
import { Failure } from '../../model/failure.ts';
import type { AuditPage } from '../store.ts';
import { formatAuditCursor, parseAuditCursor } from './cursor.ts';
import { type Database, sqliteCode, sqliteConstraint } from './database.ts';

const entryColumns = 'at, event, user, credential, source, subject, detail';

function valuesOf({ at, event, user, credential, source, subject, detail }: AuditEntry): readonly SQLInputValue[] {
  return [at, event, user, credential, source, subject, detail];
}

/** Writes an entry, in the transaction of the change that it tells of. Failures: `storage`, for both. */
export function addAudit(database: Database, entry: AuditEntry): void {
  explained(() => database.run(`INSERT INTO audit (${entryColumns}) VALUES (?, ?, ?, ?, ?, ?, ?)`, ...valuesOf(entry)));
}

/** As `Store.auditRefusals`. */
export function addRefusals(database: Database, refusals: readonly RefusalCount[]): void {
  const sql = `INSERT INTO audit (${entryColumns}, count, refusal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (refusal) DO UPDATE SET count = excluded.count, subject = excluded.subject, detail = excluded.detail`;
  explained(() => {
    for (const { key, entry, count } of refusals) database.run(sql, ...valuesOf(entry), count, key);
  });
}

/** As `Store.forgetAudit`. */
export function forgetAudit(database: Database, before: number, refusalsMax: number, portion: number): number {
  const old = database.run(
    'DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? ORDER BY at LIMIT ?)',
    before,
    portion,
  );
  const newest = database.get<{ id: number }>(
    'SELECT id FROM audit WHERE refusal IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?',
    refusalsMax,
  );
  if (!newest) return old;
  const sql = `DELETE FROM audit
    WHERE id IN (SELECT id FROM audit WHERE refusal IS NOT NULL AND id <= ? ORDER BY id LIMIT ?)`;
  return old + database.run(sql, newest.id, portion);
}

/** As `Store.auditRecords`. */
export function readAudit(database: Database, query: AuditQuery): AuditPage {
  const isForward = query.after !== undefined;
  const conditions: string[] = [];
  const values: SQLInputValue[] = [];
  const require = (condition: string, ...bound: SQLInputValue[]) => {
    conditions.push(condition);
    values.push(...bound);
  };
  if (query.event !== undefined) require('event = ?', query.event);
  if (query.user !== undefined) require('(user = ? OR subject = ?)', query.user, query.user);
  if (query.source !== undefined) require('source = ?', query.source);
  if (query.since !== undefined) require('at >= ?', query.since);
  if (query.until !== undefined) require('at <= ?', query.until);
  if (query.after !== undefined) require('id > ?', query.after);
  if (query.cursor !== undefined) require(`id ${isForward ? '>' : '<'} ?`, parseAuditCursor(query.cursor));
  const rows = database.all<AuditRecord>(
    `SELECT id, ${entryColumns}, count FROM audit
     ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
     ORDER BY id ${isForward ? 'ASC' : 'DESC'} LIMIT ?`,
    ...values,
    query.limit + 1,
  );
  const records = rows.slice(0, query.limit).map((row) => ({ ...row }));
  const last = rows.length > query.limit ? records.at(-1) : undefined;
  return { records, cursor: last && formatAuditCursor(last.id) };
}

/** What refuses the record refuses the change, and is named; a full disk explains itself. */
function explained(write: () => unknown): void {
  try {
    write();
  } catch (error) {
    if (sqliteCode(error) !== sqliteConstraint) throw error;
    throw new Failure('storage', 'The audit log cannot be written, so nothing was changed.', {
      hint: 'Tell the operator: the store refuses audit records.',
    });
  }
}
