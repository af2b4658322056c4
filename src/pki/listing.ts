import type { X509Certificate } from 'node:crypto';
import { Failure } from '../model/failure.ts';
import { loadAuthorityCertificate } from './authority.ts';
import { dayMilliseconds, formatFingerprint } from './certificate.ts';
import { files, issuedFile, readCertificates, readRevocationList } from './certificate-file.ts';
import { purposes } from './extension.ts';
import { listFolder } from './folder.ts';
import { type IssuedClientCertificate, listIssued } from './issued.ts';
import type { RevocationList } from './revocation-list.ts';

/** One file of the folder, as `gen-certs list` shows it, or `-` for a client certificate that is elsewhere. Times are RFC 3339; null is what such a file has not. */
export interface ListedFile {
  readonly file: string;
  readonly subject: string | null;
  readonly purpose: 'server authority' | 'client authority' | 'server' | 'client' | 'revocation list' | 'unknown';
  readonly serial: string | null;
  readonly fingerprint: string | null;
  readonly notAfter: string | null;
  readonly daysLeft: number | null;
  readonly state: 'valid' | 'expired' | 'revoked' | 'unreadable';
  /** Why it is unreadable. */
  readonly problem: string | null;
}

const order: readonly string[] = [files.serverAuthority, files.server, files.clientAuthority, files.revocationList];
const rank = (file: string): number => (order.includes(file) ? order.indexOf(file) : order.length);

function purposeOf(file: string, certificate: X509Certificate): ListedFile['purpose'] {
  if (certificate.ca) return file === files.clientAuthority ? 'client authority' : 'server authority';
  if (certificate.keyUsage?.includes(purposes.client)) return 'client';
  return certificate.keyUsage?.includes(purposes.server) ? 'server' : 'unknown';
}

function ends(at: number, now: number) {
  const daysLeft = Math.max(0, Math.floor((at - now) / dayMilliseconds));
  return {
    notAfter: new Date(at).toISOString(),
    daysLeft,
    state: at < now ? ('expired' as const) : ('valid' as const),
  };
}

function unreadable(file: string, problem: string): ListedFile {
  const nothing = { subject: null, serial: null, fingerprint: null, notAfter: null, daysLeft: null };
  return { file, purpose: 'unknown', ...nothing, state: 'unreadable', problem };
}

async function describe(
  folder: string,
  file: string,
  list: RevocationList | Failure,
  now: number,
): Promise<ListedFile> {
  if (file === files.revocationList) {
    if (list instanceof Failure) return unreadable(file, list.message);
    const nothing = { subject: null, serial: null, fingerprint: null, problem: null };
    return { file, purpose: 'revocation list', ...nothing, ...ends(list.expiresAt, now) };
  }
  const [certificate] = await readCertificates(folder, file);
  const purpose = purposeOf(file, certificate);
  const serial = certificate.serialNumber;
  const entries = list instanceof Failure || purpose !== 'client' ? [] : list.revocations;
  return {
    file,
    subject: certificate.subject.replaceAll('\n', ', '),
    purpose,
    serial,
    fingerprint: formatFingerprint(certificate.raw),
    ...ends(certificate.validToDate.getTime(), now),
    ...(entries.some((entry) => entry.serial === serial) ? { state: 'revoked' as const } : {}),
    problem: null,
  };
}

function describeElsewhere(
  { serial, user, expiresAt }: IssuedClientCertificate,
  list: RevocationList | Failure,
  now: number,
): ListedFile {
  const isRevoked = !(list instanceof Failure) && list.revocations.some((entry) => entry.serial === serial);
  return {
    file: '-',
    subject: `CN=${user}`,
    purpose: 'client',
    serial,
    fingerprint: null,
    ...ends(expiresAt, now),
    ...(isRevoked ? { state: 'revoked' as const } : {}),
    problem: null,
  };
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  throw error;
}

/**
 * Everything that has an end: the certificates and the revocation list of the folder, the server's own first, and at
 * last what was issued to clients, is in no file here and has not expired.
 */
export async function listCertificates(folder: string, now = Date.now()): Promise<readonly ListedFile[]> {
  const names = [...(await listFolder(folder))].filter(
    (file) => /^[^.].*\.pem$/.test(file) && !/-key\.pem$/.test(file),
  );
  const list = await loadAuthorityCertificate(folder, 'client', now)
    .then((authority) => readRevocationList(folder, authority))
    .catch(asFailure);
  const listed = names.map((file) =>
    describe(folder, file, list, now).catch((error) => unreadable(file, asFailure(error).message)),
  );
  const rows = await Promise.all(listed);
  rows.sort((a, b) => rank(a.file) - rank(b.file) || (a.file < b.file ? -1 : 1));
  const issued = await listIssued(folder).catch(asFailure);
  if (issued instanceof Failure) return [...rows, unreadable(issuedFile, issued.message)];
  const here = new Set(rows.map(({ serial }) => serial));
  const elsewhere = issued.filter(({ serial, expiresAt }) => !here.has(serial) && expiresAt >= now);
  return [...rows, ...elsewhere.map((one) => describeElsewhere(one, list, now))];
}
