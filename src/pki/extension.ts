import { hash, type KeyObject } from 'node:crypto';
import { formatCertificateUser } from '../model/certificate-user.ts';
import {
  bits,
  boolean,
  type Element,
  formatDer,
  identifier,
  integer,
  octets,
  pointOf,
  sequence,
  taggedBytes,
} from './der.ts';
import type { Host } from './host.ts';

function extension(dotted: string, critical: boolean, value: Element): Element {
  // DER leaves out what is the default, and `critical` is false by default.
  return sequence(identifier(dotted), ...(critical ? [boolean(true)] : []), octets(formatDer(value)));
}

/** RFC 7093 section 2, method 1: the first 160 bits of the SHA-256 of the public key. */
const keyIdentifier = (key: KeyObject): Buffer => hash('sha256', pointOf(key), 'buffer').subarray(0, 20);

/** Names the key of the certificate itself. */
export const subjectKey = (key: KeyObject): Element => extension('2.5.29.14', false, octets(keyIdentifier(key)));

/** Names the key that signed, which tells apart authorities of the same name. */
export const authorityKey = (key: KeyObject): Element =>
  extension('2.5.29.35', false, sequence(taggedBytes(0, keyIdentifier(key))));

/** Marks an authority under which there can only be leaves: path length 0. */
export const isAuthority = extension('2.5.29.19', true, sequence(boolean(true), integer(0n)));
/** Marks a certificate that may issue nothing. */
export const isLeaf = extension('2.5.29.19', true, sequence());

/** All that a TLS 1.3 peer does with its key. */
export const mayDigitallySign = extension('2.5.29.15', true, bits(Buffer.of(0x80), 7));
/** What an authority does with its key. */
export const mayCertifyAndRevoke = extension('2.5.29.15', true, bits(Buffer.of(0x06), 1));

const purpose = (dotted: string): Element => extension('2.5.29.37', false, sequence(identifier(dotted)));

/** The two extended key usages, as node:crypto lists them. */
export const purposes = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;
/** Good for a TLS server only. */
export const forServer = purpose(purposes.server);
/** Good for a TLS client only. */
export const forClient = purpose(purposes.client);

const hostName = (host: Host): Element =>
  host.address ? taggedBytes(7, host.address) : taggedBytes(2, Buffer.from(host.name));

/** The names under which a server is reached. */
export const serverNames = (hosts: readonly Host[]): Element =>
  extension('2.5.29.17', false, sequence(...hosts.map(hostName)));

/** The one name that the server takes from a client's certificate. */
export const userName = (user: string): Element =>
  extension('2.5.29.17', false, sequence(taggedBytes(6, Buffer.from(formatCertificateUser(user)))));

/** The kind of the extension that numbers a revocation list. */
export const revocationListNumber = '2.5.29.20';
/** The number of a revocation list, by which a newer one is known. */
export const listNumber = (number: bigint): Element => extension(revocationListNumber, false, integer(number));
