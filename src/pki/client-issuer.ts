import type { KeyObject, X509Certificate } from 'node:crypto';
import { Failure } from '../model/failure.ts';
import { loadAuthority } from './authority.ts';
import { issueClientCertificate } from './certificate.ts';
import { files } from './certificate-file.ts';
import { changeFolder, listFolder } from './folder.ts';
import { recordIssued } from './issued.ts';

/**
 * A certificate for a key that a user made and keeps, written down before it is returned. Nothing in it comes from the
 * user but the key. Failures: `conflict` when the client authority's key is elsewhere, `bad-params` when a file of the
 * folder is not what it should be, `busy`.
 */
export async function issueForKey(
  folder: string,
  user: string,
  publicKey: KeyObject,
  now: number,
): Promise<X509Certificate> {
  if (!(await listFolder(folder)).has(files.clientAuthorityKey)) {
    throw new Failure('conflict', "This server cannot issue certificates: the client authority's key is not there.", {
      hint: `The operator brings ${files.clientAuthorityKey} back into certs.folder, or makes one: npm run gen-certs -- client ${user}`,
    });
  }
  return changeFolder(folder, async () => {
    const authority = await loadAuthority(folder, 'client', now);
    const certificate = issueClientCertificate(authority, user, publicKey, now);
    const { serialNumber: serial, validToDate } = certificate;
    await recordIssued(folder, { serial, user, expiresAt: validToDate.getTime() });
    return certificate;
  });
}
