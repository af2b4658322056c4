import type { KeyObject } from 'node:crypto';
import { Failure } from '../model/failure.ts';
import { authorityFiles, loadAuthority, loadAuthorityCertificate } from './authority.ts';
import {
  type Authority,
  formatCertificate,
  formatKey,
  issueAuthority,
  issueServerCertificate,
  newKey,
} from './certificate.ts';
import { fileFailure, files, genCerts, issuedFile, readCertificates, readRevocationList } from './certificate-file.ts';
import { changeFolder, listFolder, type NewFile, writeFiles } from './folder.ts';
import { type Host, hostsOf, parseHost, parseHosts } from './host.ts';
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

/** Whether a list is to be signed anew: half of its life is left for what may go wrong with that. */
export const pastHalf = (list: RevocationList, now: number): boolean => now > (list.issuedAt + list.expiresAt) / 2;

/** The hosts of the certificate that is to be replaced: a renewal must not lose one. */
async function hostsSoFar({ folder, present }: Work): Promise<readonly string[]> {
  if (!present.has(files.server)) return [];
  const found = await readCertificates(folder, files.server).catch(() => undefined);
  return found ? hostsOf(found[0]).map(({ name }) => name) : [];
}

/** A server certificate for the key, and its authority's below it. */
export function serverCertificateFile(
  authority: Authority,
  hosts: readonly Host[],
  key: KeyObject,
  now: number,
): NewFile {
  const certificate = issueServerCertificate(authority, hosts, key, now);
  return { file: files.server, content: formatCertificate(certificate) + formatCertificate(authority.certificate) };
}

async function newServerFiles(work: Work, authority: Authority): Promise<readonly NewFile[]> {
  const hosts = parseHosts([...(await hostsSoFar(work)), ...work.hosts]);
  const key = newKey();
  return [{ file: files.serverKey, content: formatKey(key) }, serverCertificateFile(authority, hosts, key, work.now)];
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
    // What the authority before issued is void, and no name on its record needs revoking any more.
    const record = present.has(issuedFile) ? [{ file: issuedFile, content: '' }] : [];
    return [...authorityFiles(authority), listFile(authority, newRevocationList(now)), ...record];
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
