import { X509Certificate } from 'node:crypto';
import type { ClientTrust } from '../model/client-trust.ts';
import { loadAuthorityCertificate } from './authority.ts';
import { formatFingerprint, formatKey } from './certificate.ts';
import {
  assertInDate,
  fileFailure,
  files,
  formatTime,
  genCerts,
  readCertificates,
  readKey,
  readRevocationList,
} from './certificate-file.ts';
import { purposes } from './extension.ts';

/** A certificate or a revocation list, and its last moment: milliseconds since 1970. */
export interface CertificateEnd {
  readonly file: string;
  /** Absent for a list. */
  readonly subject?: string;
  readonly at: number;
}

/** Everything that a TLS server needs from its folder of certificates, checked. */
export interface ServerCertificates {
  /** Private key of the server, PEM. */
  readonly key: string;
  /** Server certificate, then its authority's, PEM. */
  readonly cert: string;
  /** The authority that signs clients, PEM. */
  readonly clientAuthority: string;
  /** What that authority took back, PEM. */
  readonly revocationList: string;
  /** The same, to judge certificates by that were accepted before it. */
  readonly clientTrust: ClientTrust;
  /** When each file that has an end ends. */
  readonly ends: readonly CertificateEnd[];
  /** The authority that clients are to trust. */
  readonly authority: X509Certificate;
  /** SHA-256 of its DER, `AA:BB:…`. */
  readonly fingerprint: string;
}

async function loadServer(folder: string, authority: X509Certificate, now: number) {
  const [certificate, ...chain] = await readCertificates(folder, files.server);
  const key = await readKey(folder, files.serverKey);
  if (!certificate.checkPrivateKey(key)) {
    throw fileFailure(folder, files.serverKey, `does not belong to ${files.server}`);
  }
  assertInDate(folder, files.server, certificate, now);
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
    throw fileFailure(folder, files.server, `is not signed by ${files.serverAuthority}`);
  }
  if (!certificate.keyUsage?.includes(purposes.server)) {
    throw fileFailure(folder, files.server, 'is not a certificate for a server');
  }
  // A client that has only the link of its enrolment looks for the authority in what the server sends.
  if (!chain.some((above) => above.raw.equals(authority.raw))) {
    throw fileFailure(folder, files.server, `lacks ${files.serverAuthority} after the server's own certificate`);
  }
  return { key: formatKey(key), cert: [certificate, ...chain].join('') };
}

async function loadRevocationList(folder: string, authority: X509Certificate, now: number) {
  const list = await readRevocationList(folder, authority);
  if (now < list.issuedAt) {
    const problem = `is not valid before ${formatTime(list.issuedAt)}`;
    throw fileFailure(folder, files.revocationList, problem, 'Check the clock of this machine.');
  }
  if (now >= list.expiresAt) {
    const hint = `With ${files.clientAuthorityKey} in its place, run: ${genCerts(folder)} (signs the same list anew)`;
    throw fileFailure(folder, files.revocationList, `expired on ${formatTime(list.expiresAt)}`, hint);
  }
  return list;
}

/**
 * Loads what the server needs, or throws `bad-params` naming the file, what is wrong with it and what to do. A revocation
 * list older than the `trusted` one of the same authority is refused: it would forgive what was revoked since.
 */
export async function loadServerCertificates(
  folder: string,
  now = Date.now(),
  trusted?: ClientTrust,
): Promise<ServerCertificates> {
  const authority = await loadAuthorityCertificate(folder, 'server', now);
  const server = await loadServer(folder, authority, now);
  const clientAuthority = await loadAuthorityCertificate(folder, 'client', now);
  const list = await loadRevocationList(folder, clientAuthority, now);
  const clientFingerprint = formatFingerprint(clientAuthority.raw);
  if (trusted?.authority === clientFingerprint && list.number < trusted.listNumber) {
    const problem = `is older (number ${list.number}) than the list in use (number ${trusted.listNumber})`;
    throw fileFailure(folder, files.revocationList, problem, 'Put the newest list there: the one revoked with last.');
  }
  const endOf = (file: string, { subject, validToDate }: X509Certificate) => {
    return { file, subject: subject.replaceAll('\n', ', '), at: validToDate.getTime() };
  };
  return {
    ...server,
    clientAuthority: clientAuthority.toString(),
    revocationList: list.pem,
    clientTrust: {
      authority: clientFingerprint,
      revoked: new Set(list.revocations.map(({ serial }) => serial.toLowerCase())),
      listNumber: list.number,
      listExpiresAt: list.expiresAt,
    },
    authority,
    fingerprint: formatFingerprint(authority.raw),
    ends: [
      endOf(files.server, new X509Certificate(server.cert)),
      endOf(files.serverAuthority, authority),
      endOf(files.clientAuthority, clientAuthority),
      { file: files.revocationList, at: list.expiresAt },
    ],
  };
}
