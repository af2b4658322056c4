import { Failure } from '../model/failure.ts';
import { userNamePattern } from '../model/name.ts';
import { loadAuthority } from './authority.ts';
import { formatCertificate, formatKey, issueClientCertificate } from './certificate.ts';
import { fileFailure, files, genCerts, readCertificates, readRevocationList } from './certificate-file.ts';
import { changeFolder, listFolder, writeFiles } from './folder.ts';
import { formatNextRevocationList, type Revocation } from './revocation-list.ts';

/** The files of a client certificate that was made. */
export interface ClientCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly serial: string;
  readonly expiresAt: number;
  /** The certificate that it replaced, which is as good as before until it expires or is revoked. */
  readonly replaced?: { readonly serial: string; readonly expiresAt: number } | undefined;
}

const reserved = /^(server|client-crl|.*-(ca|key))$/;
const serialPattern = /^[0-9a-f]{32}$/i;

/** Refuses a name that is no user's, or whose files would be taken for the server's own or for a key. */
function assertUserName(user: string): void {
  if (!userNamePattern.test(user)) {
    throw new Failure('bad-params', `${JSON.stringify(user)} is not a user name.`, {
      hint: 'User names have 1 to 32 of a-z, 0-9, ".", "_" and "-", and begin with a letter or digit.',
    });
  }
  if (reserved.test(user)) {
    throw new Failure('bad-params', `A certificate cannot be called "${user}": its files would pass for other ones.`, {
      hint: 'Not allowed are server, client-crl and names that end in -ca or -key.',
    });
  }
}

/** Makes a certificate with which the user works without a password. Replaces an existing one only with `force`. */
export async function makeClientCertificate(
  folder: string,
  user: string,
  force = false,
  now = Date.now(),
): Promise<ClientCertificate> {
  assertUserName(user);
  const certificateFile = `${user}.pem`;
  const keyFile = `${user}-key.pem`;
  return changeFolder(folder, async () => {
    const present = await listFolder(folder);
    const existing = [certificateFile, keyFile].find((file) => present.has(file));
    if (existing && !force) throw fileFailure(folder, existing, 'exists already and is not replaced unasked');
    if (!present.has(files.clientAuthority)) {
      throw fileFailure(folder, files.clientAuthority, 'is missing', `First run: ${genCerts(folder)}`);
    }
    const authority = await loadAuthority(folder, 'client', now);
    const old = present.has(certificateFile)
      ? await readCertificates(folder, certificateFile).catch(() => undefined)
      : undefined;
    const { certificate, key } = issueClientCertificate(authority, user, now);
    await writeFiles(folder, [
      { file: keyFile, content: formatKey(key) },
      { file: certificateFile, content: formatCertificate(certificate) },
    ]);
    return {
      certificateFile,
      keyFile,
      serial: certificate.serialNumber,
      expiresAt: certificate.validToDate.getTime(),
      replaced: old && { serial: old[0].serialNumber, expiresAt: old[0].validToDate.getTime() },
    };
  });
}

async function serialOf(folder: string, nameOrSerial: string): Promise<string> {
  // The name goes first: it may look like a serial, but a serial is hardly a name.
  if (userNamePattern.test(nameOrSerial) && !reserved.test(nameOrSerial)) {
    const file = `${nameOrSerial}.pem`;
    if ((await listFolder(folder)).has(file)) return (await readCertificates(folder, file))[0].serialNumber;
  }
  const serial = nameOrSerial.replaceAll(':', '');
  if (serialPattern.test(serial)) return serial.toUpperCase();
  throw new Failure('not-found', `No certificate is called ${JSON.stringify(nameOrSerial)}, and it is not a serial.`, {
    hint: `See them all: ${genCerts(folder, 'list')}. A serial is 32 hexadecimal digits.`,
  });
}

/** Puts a client certificate on the revocation list; `isNew` is false when it was there already. */
export async function revoke(
  folder: string,
  nameOrSerial: string,
  now = Date.now(),
): Promise<Revocation & { readonly isNew: boolean }> {
  return changeFolder(folder, async () => {
    const serial = await serialOf(folder, nameOrSerial);
    const authority = await loadAuthority(folder, 'client', now);
    const list = await readRevocationList(folder, authority.certificate);
    const before = list.revocations.find((revocation) => revocation.serial === serial);
    if (before) return { ...before, isNew: false };
    const revocation = { serial, at: now };
    const content = formatNextRevocationList(list, authority, now, [...list.revocations, revocation]);
    await writeFiles(folder, [{ file: files.revocationList, content }]);
    return { ...revocation, isNew: true };
  });
}
