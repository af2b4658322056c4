import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { Failure } from '../model/failure.ts';
import { packageFolder } from '../package.ts';
import { parseRevocationList, type RevocationList } from './revocation-list.ts';

/** The files of a server in its folder of certificates. Beside them lie NAME.pem and NAME-key.pem of each client. */
export const files = {
  serverAuthority: 'server-ca.pem',
  serverAuthorityKey: 'server-ca-key.pem',
  clientAuthority: 'client-ca.pem',
  clientAuthorityKey: 'client-ca-key.pem',
  server: 'server.pem',
  serverKey: 'server-key.pem',
  revocationList: 'client-crl.pem',
} as const;

/** The record of every client certificate that was issued (issued.ts). A server starts without it. */
export const issuedFile = 'client-issued.jsonl';

/** A time as people read it in a message. */
export const formatTime = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** The path of a file in the folder, as short as it can be read from where the program runs. */
export function formatPath(folder: string, file: string): string {
  const path = join(folder, file);
  const short = relative('', path);
  return short.startsWith('..') ? path : short;
}

/** The command line of gen-certs for a folder, as an operator can paste it. */
export function genCerts(folder: string, ...words: readonly string[]): string {
  // npm starts scripts in the package's own folder, where `certs` is what gen-certs takes by itself.
  const where = resolve(folder) === join(packageFolder, 'certs') ? [] : ['--folder', resolve(folder)];
  const all = [...words, ...where].map((word) =>
    /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  );
  return ['npm run gen-certs', ...(all.length > 0 ? ['--', ...all] : [])].join(' ');
}

function repairOf(folder: string, file: string): string {
  switch (file) {
    case files.server:
    case files.serverKey:
      return `Run: ${genCerts(folder, '--force')} (a new server certificate; whoever trusts the authority goes on)`;
    case files.revocationList:
      return `Restore it from a backup, or run: ${genCerts(folder, '--force', '--new-revocation-list')} (an empty one: revoke again what was revoked)`;
    case files.serverAuthorityKey:
    case files.clientAuthorityKey:
      return `Bring it back for this command, or run: ${genCerts(folder, '--force', '--new-authority')} (everything is issued and trusted anew)`;
    case files.serverAuthority:
    case files.clientAuthority:
      return `Restore it from a backup, or run: ${genCerts(folder, '--force', '--new-authority')} (everything is issued and trusted anew)`;
    default:
      return `Run: ${genCerts(folder, 'client', file.replace(/(-key)?\.(pem|p12)$/, ''), '--force')}`;
  }
}

/** The refusal of a file: its path, what is wrong with it, what to do. */
export function fileFailure(folder: string, file: string, problem: string, hint = repairOf(folder, file)): Failure {
  return new Failure('bad-params', `${formatPath(folder, file)} ${problem}.`, { hint });
}

/** The refusal of a file that the operating system did not give or take. */
export async function accessFailure(folder: string, file: string, error: unknown, verb = 'read'): Promise<Failure> {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'ENOENT') return fileFailure(folder, file, 'is missing');
  if (code === 'EISDIR') return fileFailure(folder, file, 'is a folder, not a file', 'Move it away, then try again.');
  if (code !== 'EACCES' && code !== 'EPERM') {
    return fileFailure(folder, file, `cannot be ${verb} (${code})`, 'Check the disk and the folder.');
  }
  const found = await stat(join(folder, file)).catch(() => stat(folder).catch(() => undefined));
  const mode = found ? `mode 0${(found.mode & 0o777).toString(8)}, owner ${found.uid}; ` : '';
  const problem = `cannot be ${verb}: permission denied (${mode}this program runs as user ${process.getuid?.() ?? '?'})`;
  return fileFailure(
    folder,
    file,
    problem,
    'Run this as the owner of the folder, or give the folder to this user with chown.',
  );
}

async function readPem(folder: string, file: string, label: string): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile(join(folder, file), 'utf8');
  } catch (error) {
    throw await accessFailure(folder, file, error);
  }
  if (text.trim() === '') throw fileFailure(folder, file, 'is empty');
  const begun = text.split(/^-----BEGIN /m).length - 1;
  if (begun === 0) throw fileFailure(folder, file, 'is not a PEM file');
  const ended = text.split(/^-----END [A-Z0-9 ]+-----\s*$/m).length - 1;
  if (ended < begun) throw fileFailure(folder, file, 'is cut off: it was written by half');
  const blocks = text.match(new RegExp(`^-----BEGIN ${label}-----[^-]+-----END ${label}-----`, 'gm')) ?? [];
  if (blocks.length < begun) throw fileFailure(folder, file, 'holds something else than it should');
  return blocks;
}

/** The certificates of a file, in order; at least one. */
export async function readCertificates(
  folder: string,
  file: string,
): Promise<readonly [X509Certificate, ...X509Certificate[]]> {
  const blocks = await readPem(folder, file, 'CERTIFICATE');
  try {
    const [first = '', ...rest] = blocks;
    return [parseCertificate(first), ...rest.map(parseCertificate)];
  } catch {
    throw fileFailure(folder, file, 'holds a damaged certificate');
  }
}

/** OpenSSL looks at the key of a certificate only when it is asked for: a damaged one is found here, and not later. */
function parseCertificate(pem: string): X509Certificate {
  const certificate = new X509Certificate(pem);
  void certificate.publicKey;
  return certificate;
}

/** The private key of a file. */
export async function readKey(folder: string, file: string): Promise<KeyObject> {
  const [block = ''] = await readPem(folder, file, '(?:EC |RSA )?PRIVATE KEY');
  try {
    return createPrivateKey(block);
  } catch {
    throw fileFailure(folder, file, 'holds a damaged key');
  }
}

/** The client authority's revocation list, verified. It may have expired. */
export async function readRevocationList(
  folder: string,
  authority: X509Certificate,
): Promise<RevocationList & { readonly pem: string }> {
  const file = files.revocationList;
  const [pem = ''] = await readPem(folder, file, 'X509 CRL');
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
  return { ...parseRevocationList(der, authority, (problem) => fileFailure(folder, file, problem)), pem };
}

/** Refuses a certificate outside its time. */
export function assertInDate(folder: string, file: string, certificate: X509Certificate, now: number): void {
  const from = certificate.validFromDate.getTime();
  const to = certificate.validToDate.getTime();
  if (now < from) {
    throw fileFailure(folder, file, `is not valid before ${formatTime(from)}`, 'Check the clock of this machine.');
  }
  if (now > to) {
    const hint = file === files.server ? `Run: ${genCerts(folder, 'renew')} (for the same hosts)` : undefined;
    throw fileFailure(folder, file, `expired on ${formatTime(to)}`, hint);
  }
}
