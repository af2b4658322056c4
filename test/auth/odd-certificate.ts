import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { loadAuthority } from '../../src/pki/authority.ts';
import { type Authority, authorityName, dayMilliseconds, formatKey } from '../../src/pki/certificate.ts';
import {
  bits,
  boolean,
  type Element,
  ecdsaWithSha256,
  formatDer,
  formatPem,
  formatSigned,
  identifier,
  integer,
  octets,
  pointOf,
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
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** The names in the SAN; none: no SAN at all. */
  readonly names?: readonly Element[];
  readonly purpose?: Element;
  readonly constraints?: Element;
  readonly usage?: Element;
  readonly more?: readonly Element[];
}

export const uri = (text: string): Element => taggedBytes(6, Buffer.from(text, 'latin1'));
export const dns = (text: string): Element => taggedBytes(2, Buffer.from(text));
export const email = (text: string): Element => taggedBytes(1, Buffer.from(text));
export const userUri = (user: string): Element => uri(`urn:secure-inv:user:${user}`);

/** An extension with any OCTET STRING in it. */
export const extension = (dotted: string, critical: boolean, value: Element): Element =>
  sequence(identifier(dotted), ...(critical ? [boolean(true)] : []), octets(formatDer(value)));

export const commonName = (text: string): Element => sequence(setOf(sequence(identifier('2.5.4.3'), utf8(text))));

/** A certificate that differs in exactly this from a good one of the administrator, and its key. */
export function makeOddCertificate(
  authority: Authority,
  oddity: Oddity = {},
): KeyPair & { readonly signing: KeyObject } {
  const privateKey = oddity.subjectKey ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const { names = [userUri('admin')], notBefore = Date.now() - 60_000 } = oddity;
  const p256 = sequence(identifier('1.2.840.10045.2.1'), identifier('1.2.840.10045.3.1.7'));
  const extensions = [
    oddity.constraints ?? isLeaf,
    oddity.usage ?? mayDigitallySign,
    oddity.purpose ?? forClient,
    ...(names.length > 0 ? [extension('2.5.29.17', false, sequence(...names))] : []),
    ...(oddity.more ?? []),
  ];
  const content = sequence(
    tagged(0, integer(2n)),
    integer(BigInt(`0x40${randomBytes(15).toString('hex')}`)),
    ecdsaWithSha256,
    oddity.issuer ?? authorityName('client'),
    sequence(time(notBefore), time(oddity.notAfter ?? Date.now() + dayMilliseconds)),
    commonName(oddity.commonName ?? 'admin'),
    sequence(p256, bits(pointOf(privateKey))),
    tagged(3, sequence(...extensions)),
  );
  const der = formatSigned(content, oddity.signingKey ?? authority.key);
  return { cert: formatPem(der, 'CERTIFICATE'), key: formatKey(privateKey), signing: privateKey };
}

/** The client authority of a test server. */
export const clientAuthority = (certs: string): Promise<Authority> => loadAuthority(certs, 'client', Date.now());
