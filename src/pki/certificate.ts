import { createPublicKey, generateKeyPairSync, hash, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { Failure } from '../model/failure.ts';
import {
  authorityDays,
  certificateBackdatedSeconds,
  clientCertificateDays,
  serverCertificateDays,
} from '../model/limits.ts';
import {
  bits,
  type Element,
  ecdsaWithSha256,
  formatPem,
  formatSigned,
  identifier,
  integer,
  pointOf,
  sequence,
  setOf,
  tagged,
  time,
  utf8,
} from './der.ts';
import * as extension from './extension.ts';
import type { Host } from './host.ts';

/** There are two authorities, so that neither can speak for the other: one for servers, one for clients. */
export type AuthorityRole = 'server' | 'client';

/** An authority that can issue. */
export interface Authority {
  readonly role: AuthorityRole;
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

/** Lifetimes are counted in days of 24 hours. */
export const dayMilliseconds = 24 * 60 * 60 * 1000;

export const backdatedMilliseconds = certificateBackdatedSeconds * 1000;

const name = (commonName: string): Element => sequence(setOf(sequence(identifier('2.5.4.3'), utf8(commonName))));

/** The name of an authority, as issuer of certificates and of the revocation list. */
export const authorityName = (role: AuthorityRole): Element => name(`secure-inv ${role} authority`);

/** 128 random bits but two: the first byte says that the number is positive and never shorter. */
function newSerial(): bigint {
  const bytes = randomBytes(16);
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return BigInt(`0x${bytes.toString('hex')}`);
}

interface Contents {
  readonly issuer: Element;
  readonly subject: Element;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly key: KeyObject;
  readonly extensions: readonly Element[];
}

function signCertificate(contents: Contents, signingKey: KeyObject): X509Certificate {
  const p256 = sequence(identifier('1.2.840.10045.2.1'), identifier('1.2.840.10045.3.1.7'));
  const toBeSigned = sequence(
    tagged(0, integer(2n)), // X.509 version 3
    integer(newSerial()),
    ecdsaWithSha256,
    contents.issuer,
    sequence(time(contents.notBefore), time(contents.notAfter)),
    contents.subject,
    sequence(p256, bits(pointOf(contents.key))),
    tagged(3, sequence(...contents.extensions)),
  );
  return new X509Certificate(formatSigned(toBeSigned, signingKey));
}

/** A new private key, of the only kind that is certified here. */
export const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** Refuses, as `bad-params`, a key of another kind or on another curve, whoever brought it. */
function assertP256(key: KeyObject): void {
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const kind = [key.asymmetricKeyType ?? key.type, ...(curve ? [curve] : [])].join(' ');
  throw new Failure('bad-params', `A certificate is not made for a key of the kind ${kind}.`, {
    hint: 'Allowed are EC keys on the curve P-256 (prime256v1). With gen-certs renew, --rekey makes a new one.',
  });
}

/** A new authority, signed by itself. */
export function issueAuthority(role: AuthorityRole, now: number): Authority {
  const key = newKey();
  const notBefore = now - backdatedMilliseconds;
  const contents = {
    issuer: authorityName(role),
    subject: authorityName(role),
    notBefore,
    notAfter: notBefore + authorityDays * dayMilliseconds,
    key,
    extensions: [
      extension.isAuthority,
      extension.mayCertifyAndRevoke,
      extension.subjectKey(key),
      extension.authorityKey(key),
    ],
  };
  return { role, certificate: signCertificate(contents, key), key };
}

function issueLeaf(
  authority: Authority,
  subject: string,
  days: number,
  now: number,
  key: KeyObject,
  names: readonly Element[],
): X509Certificate {
  assertP256(key);
  const notBefore = now - backdatedMilliseconds;
  const contents = {
    issuer: authorityName(authority.role),
    subject: name(subject),
    notBefore,
    // Nothing that an authority says holds longer than itself.
    notAfter: Math.min(notBefore + days * dayMilliseconds, authority.certificate.validToDate.getTime()),
    key,
    extensions: [
      extension.isLeaf,
      extension.mayDigitallySign,
      extension.subjectKey(key),
      extension.authorityKey(createPublicKey(authority.key)),
      ...names,
    ],
  };
  const certificate = signCertificate(contents, authority.key);
  if (!certificate.checkIssued(authority.certificate)) {
    throw new Failure(
      'bad-params',
      `The ${authority.role} authority was not made by gen-certs, so it cannot issue here.`,
    );
  }
  return certificate;
}

/** A certificate for a server that is reached under each of the hosts. Failures: `bad-params` when the key is not P-256. */
export function issueServerCertificate(
  authority: Authority,
  hosts: readonly Host[],
  publicKey: KeyObject,
  now: number,
): X509Certificate {
  const names = [extension.forServer, extension.serverNames(hosts)];
  return issueLeaf(authority, 'secure-inv server', serverCertificateDays, now, publicKey, names);
}

/**
 * A certificate with which a user, whose name was checked before, works without a password. The private key may be
 * anywhere. Failures: `bad-params` when the key is not P-256. The caller records it before handing it out (issued.ts).
 */
export function issueClientCertificate(
  authority: Authority,
  user: string,
  publicKey: KeyObject,
  now: number,
): X509Certificate {
  const names = [extension.forClient, extension.userName(user)];
  return issueLeaf(authority, user, clientCertificateDays, now, publicKey, names);
}

/** A certificate as PEM. */
export const formatCertificate = (certificate: X509Certificate): string => formatPem(certificate.raw, 'CERTIFICATE');

/** A private key as PEM, PKCS #8, not encrypted: the server starts without anybody to ask. */
export const formatKey = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** The SHA-256 of a certificate's DER as `openssl x509 -fingerprint -sha256` shows it: `AA:BB:…`. */
export function formatFingerprint(der: Uint8Array): string {
  return hash('sha256', der)
    .toUpperCase()
    .replace(/..(?!$)/g, '$&:');
}
