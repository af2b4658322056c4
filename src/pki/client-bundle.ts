import { Failure } from '../model/failure.ts';
import { passwordCharactersMax, passwordCharactersMin } from '../model/limits.ts';
import { loadAuthorityCertificate } from './authority.ts';
import { fileFailure, genCerts, readCertificates, readKey, readRevocationList } from './certificate-file.ts';
import { assertClientName, clientFiles } from './client-certificate.ts';
import { changeFolder, listFolder, writeFiles } from './folder.ts';
import { formatPkcs12 } from './pkcs12.ts';

/** Refuses, as `bad-params`, a password that is too weak for a file that travels, or that is read differently elsewhere. */
export function assertBundlePassword(password: string): void {
  const allowed = `${passwordCharactersMin} to ${passwordCharactersMax}`;
  const refuse = (problem: string): never => {
    throw new Failure('bad-params', `The password ${problem}.`, {
      hint: `Choose ${allowed} characters: whoever gets hold of the file may try as many passwords as they like.`,
    });
  };
  if (password.length < passwordCharactersMin) refuse(`has fewer than ${passwordCharactersMin} characters`);
  if (password.length > passwordCharactersMax) refuse(`has more than ${passwordCharactersMax} characters`);
  if (!/^[ -~]*$/.test(password)) refuse('has characters that not every program reads alike; take those of ASCII');
}

/** Whether the user has a certificate here. Failures: `bad-params` when no certificate can be called so. */
export async function hasClientCertificate(folder: string, user: string): Promise<boolean> {
  assertClientName(user);
  return (await listFolder(folder)).has(clientFiles(user).certificateFile);
}

/**
 * Writes NAME.p12 from NAME.pem and NAME-key.pem and gives its name. One that is there is replaced: nothing is in it that
 * is not in these. Failures: `bad-params` when they are missing, do not belong together or are no longer good.
 */
export async function makeClientBundle(
  folder: string,
  user: string,
  password: string,
  now = Date.now(),
): Promise<string> {
  assertClientName(user);
  assertBundlePassword(password);
  const { certificateFile, keyFile, bundleFile } = clientFiles(user);
  return changeFolder(folder, async () => {
    const authority = await loadAuthorityCertificate(folder, 'client', now);
    const [certificate] = await readCertificates(folder, certificateFile);
    const anew = `Run: ${genCerts(folder, 'client', user, '--p12', '--force')}`;
    if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
      throw fileFailure(folder, certificateFile, 'was not issued by the client authority that is here', anew);
    }
    if (now > certificate.validToDate.getTime()) {
      const hint = `First run: ${genCerts(folder, 'renew', user)}`;
      throw fileFailure(folder, certificateFile, 'has expired', hint);
    }
    const { revocations } = await readRevocationList(folder, authority);
    if (revocations.some(({ serial }) => serial === certificate.serialNumber)) {
      throw fileFailure(folder, certificateFile, 'is revoked', anew);
    }
    const key = await readKey(folder, keyFile);
    if (!certificate.checkPrivateKey(key)) {
      throw fileFailure(folder, keyFile, `does not belong to ${certificateFile}`, anew);
    }
    const content = formatPkcs12({ name: user, key, certificate, authority }, password);
    await writeFiles(folder, [{ file: bundleFile, content }]);
    return bundleFile;
  });
}
