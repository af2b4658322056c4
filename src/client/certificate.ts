import { createHash, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type * as v from 'valibot';
import { certChallenge } from '../command/cert/challenge.ts';
import { certRequest } from '../command/cert/request.ts';
import type { Command } from '../command/command.ts';
import type { grant } from '../command/field.ts';
import { parseCertificateUser } from '../model/certificate-user.ts';
import { Failure } from '../model/failure.ts';
import { tokensOf } from './call.ts';
import type { ContextStore } from './context.ts';
import { unlessLocked, withFileLock } from './file-lock.ts';

const dayMilliseconds = 86_400_000;

/** Asks one command of the server. Both steps of a request must go over the same connection. */
export type CallCommand = <C extends Command>(
  command: C,
  params: Readonly<Record<string, unknown>>,
) => Promise<v.InferOutput<C['result']>>;

/** A certificate that a server issued to this client. */
export interface NewCertificate {
  /** The certificate and then its key, PEM: one file, which TLS takes for both. Secret. */
  readonly pem: string;
  readonly serial: string;
  /** RFC 3339. */
  readonly expiresAt: string;
  /** What takes the place of a login that was bound to the certificate before. */
  readonly login: v.InferOutput<typeof grant> | undefined;
}

/** What can be told of a certificate without its server. Times: milliseconds since 1970. */
export interface CertificateFacts {
  readonly user: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly from: number;
  readonly to: number;
}

/** The file in which a context keeps a certificate that was issued to this client. */
export interface KeptCertificate {
  readonly store: ContextStore;
  readonly context: string;
}

/**
 * Makes a key, which never leaves this machine, and gets a certificate for it by signing the server's nonce. Failures:
 * `forbidden`, `conflict`, `busy`, as the server says.
 */
export async function requestCertificate(call: CallCommand, user: string): Promise<NewCertificate> {
  const { nonce } = await call(certChallenge, {});
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const fingerprint = createHash('sha256').update(der).digest();
  const purpose = Buffer.from('secure-inv cert.request v1\n');
  const statement = Buffer.concat([purpose, Buffer.from(nonce, 'base64url'), fingerprint, Buffer.from(user)]);
  const signature = sign('sha256', statement, privateKey);
  const { certificate, serial, expiresAt, login } = await call(certRequest, {
    publicKey: der.toString('base64'),
    signature: signature.toString('base64'),
  });
  const issued = parseCertificate(certificate);
  if (!issued?.checkPrivateKey(privateKey) || readFacts(issued.toString())?.user !== user) {
    throw new Failure('untrusted', `The server issued a certificate that is not for ${user} and this key.`);
  }
  return { pem: `${issued}${privateKey.export({ type: 'pkcs8', format: 'pem' })}`, serial, expiresAt, login };
}

function parseCertificate(base64: string): X509Certificate | undefined {
  try {
    return new X509Certificate(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

/** Writes a new certificate down for its context, and the login that goes with it. Failures: what the disk says. */
export async function keepCertificate({ store, context }: KeptCertificate, made: NewCertificate): Promise<void> {
  await store.writeCertificate(context, made.pem);
  const { login } = made;
  if (!login) return;
  await withFileLock(await store.lockFile(context), async () =>
    store.writeTokens(context, { ...(await store.readTokens(context)), ...tokensOf(login) }),
  );
}

/** What a certificate in PEM says. Undefined for what is none, or names no user. */
export function readFacts(pem: string): CertificateFacts | undefined {
  try {
    const { subjectAltName, serialNumber, validFromDate, validToDate } = new X509Certificate(pem);
    const user = parseCertificateUser(subjectAltName);
    if (user === undefined) return undefined;
    return { user, serial: serialNumber.toLowerCase(), from: validFromDate.getTime(), to: validToDate.getTime() };
  } catch {
    return undefined;
  }
}

/** Whole days until then; 0 when it has passed. */
export function daysUntil(at: number, now: number): number {
  return Math.max(0, Math.floor((at - now) / dayMilliseconds));
}

/** When a certificate is renewed: with a third of its life left there is time for a client that is seldom used. */
export function renewalTime({ from, to }: Pick<CertificateFacts, 'from' | 'to'>): number {
  return from + ((to - from) * 2) / 3;
}

/**
 * Renews a kept certificate that is due, unless another process is at it; true when it did. The old one stays good, and
 * in the file until the new one is there as a whole. Failures: as `requestCertificate`, and what the disk says.
 */
export async function renewWhenDue(
  { store, context }: KeptCertificate,
  call: CallCommand,
  now = Date.now(),
): Promise<boolean> {
  const due = async () => {
    const facts = readFacts(await readFile(store.certificateFile(context), 'utf8'));
    return facts && now >= renewalTime(facts) ? facts : undefined;
  };
  let isRenewed = false;
  if (!(await due())) return isRenewed;
  await unlessLocked(await store.certificateLockFile(context), async () => {
    const facts = await due(); // Again: it may just have been renewed.
    if (!facts) return;
    await keepCertificate({ store, context }, await requestCertificate(call, facts.user));
    isRenewed = true;
  });
  return isRenewed;
}
