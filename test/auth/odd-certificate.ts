import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { loadAuthority } from '../../src/pki/authority.ts';
import { type Authority, authorityName, dayMilliseconds, formatKey } from '../../src/pki/certificate.ts';
import {
  bits,
  boolean,
  type Element,
  ecdsaWithSha256,
  formatDer,
  formatPem,
  identifier,
  integer,
  octets,
  parseDer,
  sequence,
  setOf,
  tagged,
  taggedBytes,
  time,
  utf8,
} from '../../src/pki/der.ts';
import { forClient, isLeaf, mayDigitallySign } from '../../src/pki/extension.ts';

/** What a TLS client shows. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** How a certificate differs from one that gen-certs makes for the administrator. */
export interface Oddity {
  readonly issuer?: Element;
  readonly signingKey?: KeyObject;
  /** The key it is for. */
  readonly subjectKey?: KeyObject;
  readonly commonName?: string;
  /** The whole name of its subject. */
  readonly subject?: Element;
  /** The INTEGER, which may be none that is allowed. */
  readonly serial?: Element;
  /** Absent extensions make it version 1. */
  readonly isVersion1?: boolean;
  readonly signature?: { readonly algorithm: Element; readonly hash: string };
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** The names in the SAN; none: no SAN at all. */
  readonly names?: readonly Element[];
  readonly purpose?: Element | null;
  readonly constraints?: Element;
  readonly usage?: Element;
  readonly more?: readonly Element[];
}

export const uri = (text: string): Element => taggedBytes(6, Buffer.from(text, 'latin1'));
export const dns = (text: string): Element => taggedBytes(2, Buffer.from(text));
export const email = (text: string): Element => taggedBytes(1, Buffer.from(text));
/** An `otherName` with text in it, such as a user principal name. */
export const otherName = (text: string): Element =>
  tagged(0, identifier('1.3.6.1.4.1.311.20.2.3'), tagged(0, utf8(text)));
export const userUri = (user: string): Element => uri(`urn:secure-inv:user:${user}`);

/** An extension with any OCTET STRING in it. */
export const extension = (dotted: string, critical: boolean, value: Element): Element =>
  sequence(identifier(dotted), ...(critical ? [boolean(true)] : []), octets(formatDer(value)));

export const commonName = (text: string): Element => sequence(setOf(sequence(identifier('2.5.4.3'), utf8(text))));

/** Several CNs, one after the other. */
export const commonNames = (...texts: readonly string[]): Element =>
  sequence(...texts.map((text) => setOf(sequence(identifier('2.5.4.3'), utf8(text)))));

/** A signature by hashes that were broken, or by another kind of key. */
export const signatures = {
  ecdsaWithSha1: { algorithm: sequence(identifier('1.2.840.10045.4.1')), hash: 'sha1' },
  rsaWithSha256: { algorithm: sequence(identifier('1.2.840.113549.1.1.11')), hash: 'sha256' },
  rsaWithMd5: { algorithm: sequence(identifier('1.2.840.113549.1.1.4')), hash: 'md5' },
} as const;

/** A certificate that differs in exactly this from a good one of the administrator, and its key. */
export function makeOddCertificate(
  authority: Authority,
  oddity: Oddity = {},
): KeyPair & { readonly signing: KeyObject } {
  const privateKey = oddity.subjectKey ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const { names = [userUri('admin')], notBefore = Date.now() - 60_000 } = oddity;
  const extensions = [
    oddity.constraints ?? isLeaf,
    oddity.usage ?? mayDigitallySign,
    ...(oddity.purpose === null ? [] : [oddity.purpose ?? forClient]),
    ...(names.length > 0 ? [extension('2.5.29.17', false, sequence(...names))] : []),
    ...(oddity.more ?? []),
  ];
  const { algorithm, hash } = oddity.signature ?? { algorithm: ecdsaWithSha256, hash: 'sha256' };
  const content = sequence(
    ...(oddity.isVersion1 ? [] : [tagged(0, integer(2n))]),
    oddity.serial ?? integer(BigInt(`0x40${randomBytes(15).toString('hex')}`)),
    algorithm,
    oddity.issuer ?? authorityName('client'),
    sequence(time(notBefore), time(oddity.notAfter ?? Date.now() + dayMilliseconds)),
    oddity.subject ?? commonName(oddity.commonName ?? 'admin'),
    parseDer(createPublicKey(privateKey).export({ type: 'spki', format: 'der' })),
    ...(oddity.isVersion1 ? [] : [tagged(3, sequence(...extensions))]),
  );
  const signed = sign(hash, formatDer(content), oddity.signingKey ?? authority.key);
  const der = formatDer(sequence(content, algorithm, bits(signed)));
  return { cert: formatPem(der, 'CERTIFICATE'), key: formatKey(privateKey), signing: privateKey };
}

/** The client authority of a test server. */
export const clientAuthority = (certs: string): Promise<Authority> => loadAuthority(certs, 'client', Date.now());
