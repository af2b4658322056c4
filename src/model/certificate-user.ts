import { userNamePattern } from './name.ts';

const prefix = 'urn:secure-inv:user:';

/** The URI that names a user in a client certificate, as its one alternative name; its CN means nothing. */
export function formatCertificateUser(user: string): string {
  return `${prefix}${user}`;
}

/**
 * The user whom a certificate names, given its alternative names in the words of node:crypto. Undefined unless it is
 * exactly one. Node quotes a name with any unusual character, so what is quoted, or has a second name behind a comma,
 * is no user's.
 */
export function parseCertificateUser(subjectAltName: string | undefined): string | undefined {
  const start = `URI:${prefix}`;
  if (!subjectAltName?.startsWith(start)) return undefined;
  const user = subjectAltName.slice(start.length);
  return userNamePattern.test(user) ? user : undefined;
}
