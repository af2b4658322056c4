import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { userNamePattern } from '../model/name.ts';
import { accessFailure, fileFailure, issuedFile } from './certificate-file.ts';

/** A client certificate that was issued, wherever it is now: what revoking a user by name needs. */
export interface IssuedClientCertificate {
  /** As X509Certificate.serialNumber gives it. */
  readonly serial: string;
  readonly user: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

const serialPattern = /^[4-7][0-9A-F]{31}$/;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function parseLine(line: string): IssuedClientCertificate | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('serial' in value && 'user' in value && 'notAfter' in value)) return undefined;
  const { serial, user, notAfter } = value;
  if (typeof serial !== 'string' || !serialPattern.test(serial)) return undefined;
  if (typeof user !== 'string' || !userNamePattern.test(user)) return undefined;
  if (typeof notAfter !== 'string' || !timePattern.test(notAfter)) return undefined;
  const expiresAt = Date.parse(notAfter);
  return Number.isNaN(expiresAt) ? undefined : { serial, user, expiresAt };
}

async function readRecord(folder: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, issuedFile));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0);
    throw await accessFailure(folder, issuedFile, error);
  }
}

/** Where the last line begins and what it says. */
function lastLineOf(record: Buffer): { readonly start: number; readonly text: string } {
  const newline = 0x0a;
  const end = record.at(-1) === newline ? record.length - 1 : record.length;
  const start = record.subarray(0, end).lastIndexOf(newline) + 1;
  return { start, text: record.toString('utf8', start, end) };
}

/**
 * Puts a client certificate on the record, durably, before it is handed out. To be called inside `changeFolder`.
 * Failures: `bad-params` when the file cannot be written.
 */
export async function recordIssued(
  folder: string,
  { serial, user, expiresAt }: { readonly serial: string; readonly user: string; readonly expiresAt: number },
): Promise<void> {
  const record = await readRecord(folder);
  const last = lastLineOf(record);
  // A crash left a last line by half: its certificate was never handed out, and another line must not be joined to it.
  const isDamaged = record.length > 0 && parseLine(last.text) === undefined;
  const kept = isDamaged ? last.start : record.length;
  const separator = kept > 0 && record[kept - 1] !== 0x0a ? '\n' : '';
  const line = JSON.stringify({ serial, user, notAfter: new Date(expiresAt).toISOString() });
  try {
    const file = await open(join(folder, issuedFile), 'a', 0o600);
    try {
      await file.chmod(0o600); // One that was copied here may be open to others.
      if (isDamaged) await file.truncate(kept);
      await file.writeFile(`${separator}${line}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    if (record.length === 0) await syncFolder(folder);
  } catch (error) {
    throw await accessFailure(folder, issuedFile, error, 'written');
  }
}

/** A new file is durable only when its name is. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // A folder cannot be opened there.
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Every client certificate that was recorded, oldest first, also the expired ones. Failures: `bad-params` naming the
 * line that is damaged, except the last: a crash may have cut that off.
 */
export async function listIssued(folder: string): Promise<readonly IssuedClientCertificate[]> {
  const lines = (await readRecord(folder)).toString('utf8').replace(/\n$/, '').split('\n');
  return lines.flatMap((line, index) => {
    const issued = parseLine(line);
    if (issued) return [issued];
    if (index === lines.length - 1) return [];
    throw fileFailure(
      folder,
      issuedFile,
      `is damaged in line ${index + 1}`,
      'Restore it from a backup, or delete that line; its certificate can then be revoked by its serial only.',
    );
  });
}
