import { Failure } from '../model/failure.ts';
import { loadAuthority } from './authority.ts';
import { files, genCerts, readCertificates, readRevocationList } from './certificate-file.ts';
import { clientFiles, isClientName } from './client-certificate.ts';
import { changeFolder, listFolder, writeFiles } from './folder.ts';
import { type IssuedClientCertificate, listIssued } from './issued.ts';
import { formatNextRevocationList, type Revocation } from './revocation-list.ts';

/** What an operator's order to revoke came to. */
export interface RevocationResult {
  /** The user whose certificates were all meant; absent when one was meant by its serial. */
  readonly user?: string | undefined;
  /** What is revoked now. Empty when all that was ever made for the user has expired. */
  readonly revocations: readonly (Revocation & { /** False when it was before. */ readonly isNew: boolean })[];
}

const serialPattern = /^[0-9a-f]{32}$/i;

/** The certificate in NAME.pem: in a folder from before there was a record, it is in no other place. */
async function inFolder(folder: string, user: string): Promise<readonly IssuedClientCertificate[]> {
  const { certificateFile } = clientFiles(user);
  if (!(await listFolder(folder)).has(certificateFile)) return [];
  const [{ serialNumber: serial, validToDate }] = await readCertificates(folder, certificateFile);
  return [{ serial, user, expiresAt: validToDate.getTime() }];
}

async function issuedTo(folder: string, user: string): Promise<readonly IssuedClientCertificate[]> {
  const recorded = (await listIssued(folder)).filter((issued) => issued.user === user);
  const present = inFolder(folder, user);
  // A damaged file must not be in the way of a revocation whose serials are known without it.
  return [...recorded, ...(await (recorded.length > 0 ? present.catch(() => []) : present))];
}

async function serialsOf(folder: string, nameOrSerial: string, now: number) {
  // The name goes first: it may look like a serial, but a serial is hardly a name.
  if (isClientName(nameOrSerial)) {
    const issued = await issuedTo(folder, nameOrSerial);
    const good = issued.filter(({ expiresAt }) => expiresAt >= now).map(({ serial }) => serial);
    if (issued.length > 0) return { user: nameOrSerial, serials: [...new Set(good)] };
  }
  const serial = nameOrSerial.replaceAll(':', '');
  if (serialPattern.test(serial)) return { serials: [serial.toUpperCase()] };
  throw new Failure('not-found', `No certificate is called ${JSON.stringify(nameOrSerial)}, and it is not a serial.`, {
    hint: `See them all: ${genCerts(folder, 'list')}. A serial is 32 hexadecimal digits.`,
  });
}

/**
 * Puts every certificate of a user that has not expired, or the one of a serial, on one new revocation list. What was on
 * it stays with its date. Failures: `not-found` when nothing was ever made for that name and it is no serial.
 */
export async function revoke(folder: string, nameOrSerial: string, now = Date.now()): Promise<RevocationResult> {
  return changeFolder(folder, async () => {
    const { user, serials } = await serialsOf(folder, nameOrSerial, now);
    const authority = await loadAuthority(folder, 'client', now);
    const list = await readRevocationList(folder, authority.certificate);
    const before = new Map(list.revocations.map((revocation) => [revocation.serial, revocation]));
    const added = serials.filter((serial) => !before.has(serial)).map((serial) => ({ serial, at: now }));
    if (added.length > 0) {
      const content = formatNextRevocationList(list, authority, now, [...list.revocations, ...added]);
      await writeFiles(folder, [{ file: files.revocationList, content }]);
    }
    const revocations = serials.map((serial) => {
      const earlier = before.get(serial);
      return earlier ? { ...earlier, isNew: false } : { serial, at: now, isNew: true };
    });
    return { user, revocations };
  });
}
