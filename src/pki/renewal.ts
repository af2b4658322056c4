import { loadAuthority, loadAuthorityCertificate } from './authority.ts';
import { formatKey, newKey } from './certificate.ts';
import { fileFailure, files, genCerts, readCertificates, readKey, readRevocationList } from './certificate-file.ts';
import { changeFolder, listFolder, type NewFile, writeFiles } from './folder.ts';
import { hostsOf, parseHosts } from './host.ts';
import { hasCertificates, pastHalf, serverCertificateFile } from './issue.ts';
import { formatNextRevocationList } from './revocation-list.ts';

/** What a renewal wrote, and what it left because an authority's key is elsewhere. */
export interface ServerRenewal {
  readonly made: readonly string[];
  readonly left: readonly { readonly file: string; readonly authorityKeyFile: string }[];
}

/** The server's certificate anew, for the hosts of the present one: with its key, which is not written, or with another. */
async function serverFiles(folder: string, rekey: boolean, now: number): Promise<readonly NewFile[]> {
  const authority = await loadAuthority(folder, 'server', now);
  const [certificate] = await readCertificates(folder, files.server);
  const hosts = parseHosts(hostsOf(certificate).map(({ name }) => name));
  if (rekey) {
    const key = newKey();
    return [{ file: files.serverKey, content: formatKey(key) }, serverCertificateFile(authority, hosts, key, now)];
  }
  const key = await readKey(folder, files.serverKey);
  if (!certificate.checkPrivateKey(key)) {
    const hint = `For a new key, run: ${genCerts(folder, 'renew', '--rekey')}`;
    throw fileFailure(folder, files.serverKey, `does not belong to ${files.server}`, hint);
  }
  return [serverCertificateFile(authority, hosts, key, now)];
}

async function listFiles(folder: string, now: number): Promise<readonly NewFile[]> {
  const authority = await loadAuthority(folder, 'client', now);
  const list = await readRevocationList(folder, authority.certificate);
  return [{ file: files.revocationList, content: formatNextRevocationList(list, authority, now) }];
}

/**
 * Issues the server's certificate and the revocation list anew, each where its authority's key is; a running server
 * takes them up. Failures: `bad-params` when neither key is there, or a file that is renewed from is not good.
 */
export async function renewServer(folder: string, rekey = false, now = Date.now()): Promise<ServerRenewal> {
  const work = [
    { file: files.server, authorityKeyFile: files.serverAuthorityKey, renew: () => serverFiles(folder, rekey, now) },
    { file: files.revocationList, authorityKeyFile: files.clientAuthorityKey, renew: () => listFiles(folder, now) },
  ];
  // Before the folder is made for nothing.
  if (!(await hasCertificates(folder))) {
    throw fileFailure(folder, files.server, 'is missing', `First run: ${genCerts(folder)}`);
  }
  return changeFolder(folder, async () => {
    const present = await listFolder(folder);
    const possible = work.filter(({ authorityKeyFile }) => present.has(authorityKeyFile));
    if (possible.length === 0) {
      const hint = `Bring it back for this command, and ${files.clientAuthorityKey} for the revocation list.`;
      throw fileFailure(folder, files.serverAuthorityKey, 'is missing', hint);
    }
    const made = (await Promise.all(possible.map(({ renew }) => renew()))).flat();
    await writeFiles(folder, made);
    const left = work.filter((one) => !possible.includes(one));
    return {
      made: made.map(({ file }) => file),
      left: left.map(({ file, authorityKeyFile }) => ({ file, authorityKeyFile })),
    };
  });
}

/**
 * Signs the revocation list anew when it is past half of its life and the client authority's key is there; true when it
 * did. To be called at start and daily: an expired list refuses every client certificate.
 */
export async function renewRevocationList(folder: string, now = Date.now()): Promise<boolean> {
  const present = await listFolder(folder);
  if (!present.has(files.revocationList) || !present.has(files.clientAuthorityKey)) return false;
  const certificate = await loadAuthorityCertificate(folder, 'client', now);
  if (!pastHalf(await readRevocationList(folder, certificate), now)) return false;
  return changeFolder(folder, async () => {
    const authority = await loadAuthority(folder, 'client', now);
    const list = await readRevocationList(folder, authority.certificate); // Once more: it may have changed meanwhile.
    if (!pastHalf(list, now)) return false;
    const content = formatNextRevocationList(list, authority, now);
    await writeFiles(folder, [{ file: files.revocationList, content }]);
    return true;
  });
}

async function isServerDue(folder: string, now: number): Promise<boolean> {
  const [{ validFromDate, validToDate }] = await readCertificates(folder, files.server);
  const from = validFromDate.getTime();
  return now >= from + ((validToDate.getTime() - from) * 2) / 3;
}

/**
 * Issues the server's certificate anew, for the same hosts and key, when it is past two thirds of its life and the
 * server authority's key is there; true when it did. To be called at start and daily.
 *
 * The key stays: nobody watches, and so one file changes instead of two that could be left not belonging together. A new
 * one would shut nobody out who has read the old one, because the authority's key lies beside it.
 */
export async function renewServerCertificate(folder: string, now = Date.now()): Promise<boolean> {
  const present = await listFolder(folder);
  if (!present.has(files.server) || !present.has(files.serverAuthorityKey)) return false;
  if (!(await isServerDue(folder, now))) return false;
  return changeFolder(folder, async () => {
    if (!(await isServerDue(folder, now))) return false; // An operator may have been faster.
    await writeFiles(folder, await serverFiles(folder, false, now));
    return true;
  });
}
