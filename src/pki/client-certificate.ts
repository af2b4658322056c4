import type { KeyObject } from 'node:crypto';
import { parseCertificateUser } from '../model/certificate-user.ts';
import { Failure } from '../model/failure.ts';
import { userNamePattern } from '../model/name.ts';
import { loadAuthority } from './authority.ts';
import { type Authority, formatCertificate, formatKey, issueClientCertificate, newKey } from './certificate.ts';
import { fileFailure, files, genCerts, readCertificates, readKey, readRevocationList } from './certificate-file.ts';
import { changeFolder, listFolder, writeFiles } from './folder.ts';
import { recordIssued } from './issued.ts';

/** The files of a client certificate that was made. */
export interface ClientCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Whether the key is a new one, the one that was in the folder, or the one whose owner keeps it elsewhere. */
  readonly key: 'new' | 'kept' | 'elsewhere';
  readonly serial: string;
  readonly expiresAt: number;
  /** The certificate that it replaced, which is as good as before until it expires or is revoked. */
  readonly replaced?: { readonly serial: string; readonly expiresAt: number } | undefined;
  /** A PKCS #12 file of the user that holds the certificate before this one. */
  readonly staleBundleFile?: string | undefined;
}

const reserved = /^(server|client-crl|.*-(ca|key))$/;

/** Whether files of a client certificate may be called so: a user's name, and not that of other files. */
export const isClientName = (user: string): boolean => userNamePattern.test(user) && !reserved.test(user);

/** Refuses a name that is no user's, or whose files would be taken for the server's own or for a key. */
export function assertClientName(user: string): void {
  if (isClientName(user)) return;
  if (!userNamePattern.test(user)) {
    throw new Failure('bad-params', `${JSON.stringify(user)} is not a user name.`, {
      hint: 'User names have 1 to 32 of a-z, 0-9, ".", "_" and "-", and begin with a letter or digit.',
    });
  }
  throw new Failure('bad-params', `A certificate cannot be called "${user}": its files would pass for other ones.`, {
    hint: 'Not allowed are server, client-crl and names that end in -ca or -key.',
  });
}

/** The files of a client in the folder: NAME.pem, NAME-key.pem and, for programs that take no PEM, NAME.p12. */
export const clientFiles = (user: string) => ({
  certificateFile: `${user}.pem`,
  keyFile: `${user}-key.pem`,
  bundleFile: `${user}.p12`,
});

interface Order {
  readonly folder: string;
  readonly present: ReadonlySet<string>;
  readonly authority: Authority;
  readonly user: string;
  readonly now: number;
}

async function issue(
  { folder, present, authority, user, now }: Order,
  key: KeyObject,
  is: ClientCertificate['key'],
): Promise<ClientCertificate> {
  const { certificateFile, keyFile, bundleFile } = clientFiles(user);
  const old = present.has(certificateFile)
    ? await readCertificates(folder, certificateFile).catch(() => undefined)
    : undefined;
  const certificate = issueClientCertificate(authority, user, key, now);
  const issued = { serial: certificate.serialNumber, expiresAt: certificate.validToDate.getTime() };
  await recordIssued(folder, { ...issued, user });
  await writeFiles(folder, [
    ...(is === 'new' ? [{ file: keyFile, content: formatKey(key) }] : []),
    { file: certificateFile, content: formatCertificate(certificate) },
  ]);
  return {
    certificateFile,
    keyFile,
    key: is,
    ...issued,
    replaced: old && { serial: old[0].serialNumber, expiresAt: old[0].validToDate.getTime() },
    staleBundleFile: present.has(bundleFile) ? bundleFile : undefined,
  };
}

/** Makes a certificate with which the user works without a password. Replaces an existing one only with `force`. */
export async function makeClientCertificate(
  folder: string,
  user: string,
  force = false,
  now = Date.now(),
): Promise<ClientCertificate> {
  assertClientName(user);
  const { certificateFile, keyFile } = clientFiles(user);
  return changeFolder(folder, async () => {
    const present = await listFolder(folder);
    const existing = [certificateFile, keyFile].find((file) => present.has(file));
    if (existing && !force) throw fileFailure(folder, existing, 'exists already and is not replaced unasked');
    if (!present.has(files.clientAuthority)) {
      throw fileFailure(folder, files.clientAuthority, 'is missing', `First run: ${genCerts(folder)}`);
    }
    const authority = await loadAuthority(folder, 'client', now);
    return issue({ folder, present, authority, user, now }, newKey(), 'new');
  });
}

/**
 * Issues the user's certificate anew: for a new key with `rekey`, otherwise for the same, of which the certificate alone
 * says enough. Failures: `bad-params` when there is none, or it was revoked: nobody trusts its key again unasked.
 */
export async function renewClientCertificate(
  folder: string,
  user: string,
  rekey = false,
  now = Date.now(),
): Promise<ClientCertificate> {
  assertClientName(user);
  const { certificateFile, keyFile } = clientFiles(user);
  const first = `Run: ${genCerts(folder, 'client', user)}`;
  const withNewKey = `For a new key, run: ${genCerts(folder, 'renew', user, '--rekey')}`;
  if (!(await listFolder(folder)).has(certificateFile)) throw fileFailure(folder, certificateFile, 'is missing', first);
  return changeFolder(folder, async () => {
    const present = await listFolder(folder);
    const [current] = await readCertificates(folder, certificateFile);
    if (parseCertificateUser(current.subjectAltName) !== user) {
      throw fileFailure(folder, certificateFile, `is not a certificate of the user ${user}`);
    }
    const authority = await loadAuthority(folder, 'client', now);
    const order = { folder, present, authority, user, now };
    if (rekey) return issue(order, newKey(), 'new');
    const { revocations } = await readRevocationList(folder, authority.certificate);
    if (revocations.some(({ serial }) => serial === current.serialNumber)) {
      throw fileFailure(folder, certificateFile, 'is revoked, and so is not renewed with its key', withNewKey);
    }
    if (!present.has(keyFile)) return issue(order, current.publicKey, 'elsewhere');
    const key = await readKey(folder, keyFile);
    if (!current.checkPrivateKey(key)) {
      throw fileFailure(folder, keyFile, `does not belong to ${certificateFile}`, withNewKey);
    }
    return issue(order, key, 'kept');
  });
}
