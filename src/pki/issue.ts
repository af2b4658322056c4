import { Failure } from '../model/failure.ts';
import { authorityFiles, loadAuthority, loadAuthorityCertificate } from './authority.ts';
import { type Authority, formatCertificate, formatKey, issueAuthority, issueServerCertificate } from './certificate.ts';
import { fileFailure, files, genCerts, readCertificates, readRevocationList } from './certificate-file.ts';
import { changeFolder, listFolder, type NewFile, writeFiles } from './folder.ts';
import { hostsOf, parseHost, parseHosts } from './host.ts';
import { formatNextRevocationList, newRevocationList, type RevocationList } from './revocation-list.ts';

/** What an operator asks for. */
export interface ServerOrder {
  /** Names and addresses beside localhost, 127.0.0.1 and ::1. */
  readonly hosts: readonly string[];
  /** Replace the server certificate. */
  readonly force?: boolean | undefined;
  /** Replace the revocation list alone by an empty one: what it revoked is good again. */
  readonly newRevocationList?: boolean | undefined;
  /** Replace both authorities too: nobody's trust and no client's certificate survives it. */
  readonly newAuthority?: boolean | undefined;
}

interface Work extends ServerOrder {
  readonly folder: string;
  readonly present: ReadonlySet<string>;
  readonly now: number;
}

const pastHalf = (list: RevocationList, now: number): boolean => now > (list.issuedAt + list.expiresAt) / 2;

/** The hosts of the certificate that is to be replaced: a renewal must not lose one. */
async function hostsSoFar({ folder, present }: Work): Promise<readonly string[]> {
  if (!present.has(files.server)) return [];
  const found = await readCertificates(folder, files.server).catch(() => undefined);
  return found ? hostsOf(found[0]).map(({ name }) => name) : [];
}

async function newServerFiles(work: Work, authority: Authority): Promise<readonly NewFile[]> {
  const hosts = parseHosts([...(await hostsSoFar(work)), ...work.hosts]);
  const { certificate, key } = issueServerCertificate(authority, hosts, work.now);
  return [
    { file: files.serverKey, content: formatKey(key) },
    { file: files.server, content: formatCertificate(certificate) + formatCertificate(authority.certificate) },
  ];
}

async function serverSide(work: Work): Promise<readonly NewFile[]> {
  const { folder, present } = work;
  const all = [files.serverAuthority, files.serverAuthorityKey, files.server, files.serverKey];
  if (work.newAuthority || !all.some((file) => present.has(file))) {
    const authority = issueAuthority('server', work.now);
    return [...authorityFiles(authority), ...(await newServerFiles(work, authority))];
  }
  if ((work.force && !work.newRevocationList) || !(present.has(files.server) || present.has(files.serverKey))) {
    return newServerFiles(work, await loadAuthority(folder, 'server', work.now));
  }
  const missing = [files.serverAuthority, files.server, files.serverKey].find((file) => !present.has(file));
  if (missing) throw fileFailure(folder, missing, 'is missing');
  const [certificate] = await readCertificates(folder, files.server);
  const covered = hostsOf(certificate).map(({ name }) => name);
  const lacking = work.hosts.map((host) => parseHost(host).name).filter((name) => !covered.includes(name));
  if (lacking.length > 0) {
    const command = genCerts(folder, '--force', ...lacking.flatMap((name) => ['--host', name]));
    throw fileFailure(
      folder,
      files.server,
      `is not for ${lacking.join(', ')}, and is not replaced unasked`,
      `Run: ${command} (keeps its other hosts and the authority), which the server takes up by itself.`,
    );
  }
  return [];
}

async function clientSide(work: Work): Promise<readonly NewFile[]> {
  const { folder, present, now } = work;
  const all = [files.clientAuthority, files.clientAuthorityKey, files.revocationList];
  const listFile = (authority: Authority, list: RevocationList): NewFile => ({
    file: files.revocationList,
    content: formatNextRevocationList(list, authority, now),
  });
  if (work.newAuthority || !all.some((file) => present.has(file))) {
    const authority = issueAuthority('client', now);
    return [...authorityFiles(authority), listFile(authority, newRevocationList(now))];
  }
  if (work.newRevocationList) return [listFile(await loadAuthority(folder, 'client', now), newRevocationList(now))];
  const list = await readRevocationList(folder, await loadAuthorityCertificate(folder, 'client', now));
  if (!pastHalf(list, now) || !present.has(files.clientAuthorityKey)) return [];
  return [listFile(await loadAuthority(folder, 'client', now), list)];
}

/**
 * Makes what a server lacks, or replaces what the order says, and gives the names of the files written. All is decided
 * before the first is written.
 */
export async function makeServerCertificates(
  folder: string,
  order: ServerOrder,
  now = Date.now(),
): Promise<readonly string[]> {
  if (order.newAuthority && !order.force) {
    throw new Failure('bad-params', '--new-authority ends the trust of all clients and voids their certificates.', {
      hint: `To do that, run: ${genCerts(folder, '--force', '--new-authority')}`,
    });
  }
  if (order.newRevocationList && !order.force) {
    throw new Failure('bad-params', '--new-revocation-list makes every revoked certificate good again.', {
      hint: `To do that, run: ${genCerts(folder, '--force', '--new-revocation-list')}`,
    });
  }
  order.hosts.forEach(parseHost); // Before the folder is made for nothing.
  return changeFolder(folder, async () => {
    const work = { ...order, folder, present: await listFolder(folder), now };
    const made = [...(await serverSide(work)), ...(await clientSide(work))];
    await writeFiles(folder, made);
    return made.map(({ file }) => file);
  });
}

/** Whether the folder holds any part of a server's certificates. */
export async function hasCertificates(folder: string): Promise<boolean> {
  const present = await listFolder(folder);
  return Object.values(files).some((file) => present.has(file));
}

/**
 * Makes all certificates of a server whose folder has none. Throws `bad-params` when only some are there: what is
 * missing may be missed by somebody, so replacing it is the operator's decision.
 */
export async function ensureCertificates(folder: string, hosts: readonly string[]): Promise<{ created: boolean }> {
  if (!(await hasCertificates(folder))) {
    return { created: (await makeServerCertificates(folder, { hosts })).length > 0 };
  }
  const present = await listFolder(folder);
  // The keys of the authorities may be elsewhere, and are better there.
  const needed = [files.serverAuthority, files.server, files.serverKey, files.clientAuthority, files.revocationList];
  const missing = needed.find((file) => !present.has(file));
  if (missing) throw fileFailure(folder, missing, 'is missing');
  return { created: false };
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

/**
 * Issues the server's certificate anew, for the same hosts, when it is past two thirds of its life and the server
 * authority's key is there; true when it did. To be called at start and daily.
 */
export async function renewServerCertificate(folder: string, now = Date.now()): Promise<boolean> {
  const present = await listFolder(folder);
  if (!present.has(files.server) || !present.has(files.serverAuthorityKey)) return false;
  const [{ validFromDate, validToDate }] = await readCertificates(folder, files.server);
  const from = validFromDate.getTime();
  if (now < from + ((validToDate.getTime() - from) * 2) / 3) return false;
  return (await makeServerCertificates(folder, { hosts: [], force: true }, now)).length > 0;
}
