import { createHmac, hash, type KeyObject, randomBytes, type X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import {
  bmp,
  type Element,
  formatDer,
  identifier,
  integer,
  nothing,
  octets,
  parseDer,
  sequence,
  setOf,
  tagged,
} from './der.ts';

/** What a bundle holds. */
export interface Pkcs12Content {
  /** What the importing program shows. */
  readonly name: string;
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
  readonly authority: X509Certificate;
}

const macRounds = 2048; // What node:crypto takes for the key, too: an attacker tries the weaker of the two.
const macSaltBytes = 8; // As openssl makes it: with 16 bytes, macOS takes the right password for a wrong one.
const macKeyId = 3; // RFC 7292 appendix B.3.

const data = (content: Element): Element =>
  sequence(identifier('1.2.840.113549.1.7.1'), tagged(0, octets(formatDer(content))));

const bag = (kind: string, value: Element, ...attributes: readonly Element[]): Element =>
  sequence(
    identifier(`1.2.840.113549.1.12.10.1.${kind}`),
    tagged(0, value),
    ...(attributes.length > 0 ? [setOf(...attributes)] : []),
  );

const attribute = (kind: string, value: Element): Element =>
  sequence(identifier(`1.2.840.113549.1.9.${kind}`), setOf(value));

const certificateBag = (certificate: X509Certificate, ...attributes: readonly Element[]): Element =>
  bag('3', sequence(identifier('1.2.840.113549.1.9.22.1'), tagged(0, octets(certificate.raw))), ...attributes);

function macOf(content: Buffer, password: string): Element {
  const salt = randomBytes(macSaltBytes);
  const saltBuffer = forge.util.createBuffer(salt.toString('latin1'));
  const sha256 = forge.md.sha256.create();
  const derived = forge.pkcs12.generateKey(password, saltBuffer, macKeyId, macRounds, 32, sha256);
  const digest = createHmac('sha256', Buffer.from(derived.getBytes(), 'latin1')).update(content).digest();
  const algorithm = sequence(identifier('2.16.840.1.101.3.4.2.1'), nothing());
  return sequence(sequence(algorithm, octets(digest)), octets(salt), integer(BigInt(macRounds)));
}

/**
 * A key with its certificate and authority as PKCS #12 (RFC 7292), DER, for what does not take PEM: browsers, Windows,
 * macOS, phones. The key is encrypted (AES-256, PBKDF2), the certificates are not secret; the password, which must be
 * ASCII to mean the same everywhere, also guards the whole against changes.
 */
export function formatPkcs12(content: Pkcs12Content, password: string): Buffer {
  const { name, key, certificate, authority } = content;
  // What belongs together is known by these.
  const attributes = [attribute('20', bmp(name)), attribute('21', octets(hash('sha1', certificate.raw, 'buffer')))];
  const shrouded = key.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: password });
  const safe = sequence(
    data(sequence(certificateBag(certificate, ...attributes), certificateBag(authority))),
    data(sequence(bag('2', parseDer(shrouded), ...attributes))),
  );
  return formatDer(sequence(integer(3n), data(safe), macOf(formatDer(safe), password)));
}
