import type { X509Certificate } from 'node:crypto';
import { type Authority, type AuthorityRole, formatCertificate, formatKey } from './certificate.ts';
import { assertInDate, fileFailure, files, readCertificates, readKey } from './certificate-file.ts';
import type { NewFile } from './folder.ts';

const certificateFile = { server: files.serverAuthority, client: files.clientAuthority } as const;
const keyFile = { server: files.serverAuthorityKey, client: files.clientAuthorityKey } as const;

/** The files of a new authority. */
export function authorityFiles(authority: Authority): readonly NewFile[] {
  return [
    { file: keyFile[authority.role], content: formatKey(authority.key) },
    { file: certificateFile[authority.role], content: formatCertificate(authority.certificate) },
  ];
}

/** The certificate of an authority, of which everything is checked that needs no key. */
export async function loadAuthorityCertificate(
  folder: string,
  role: AuthorityRole,
  now: number,
): Promise<X509Certificate> {
  const file = certificateFile[role];
  const [certificate] = await readCertificates(folder, file);
  if (!certificate.ca || !certificate.verify(certificate.publicKey)) {
    throw fileFailure(folder, file, 'is not the certificate of an authority');
  }
  assertInDate(folder, file, certificate, now);
  return certificate;
}

/** An authority that can issue: its certificate, and the key that belongs to it. */
export async function loadAuthority(folder: string, role: AuthorityRole, now: number): Promise<Authority> {
  const certificate = await loadAuthorityCertificate(folder, role, now);
  const key = await readKey(folder, keyFile[role]);
  if (!certificate.checkPrivateKey(key)) {
    throw fileFailure(folder, keyFile[role], `does not belong to ${certificateFile[role]}`);
  }
  return { role, certificate, key };
}
