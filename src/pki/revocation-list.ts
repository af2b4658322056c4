import { verify, type X509Certificate } from 'node:crypto';
import { revocationListDays } from '../model/limits.ts';
import { type Authority, authorityName, backdatedMilliseconds, dayMilliseconds } from './certificate.ts';
import {
  bytesOf,
  childrenOf,
  type Element,
  ecdsaWithSha256,
  formatDer,
  formatPem,
  formatSigned,
  identifierOf,
  integer,
  integerOf,
  isInteger,
  isSequence,
  parseDer,
  sequence,
  tagged,
  time,
  timeOf,
} from './der.ts';
import { authorityKey, listNumber, revocationListNumber } from './extension.ts';

/** A certificate that is no longer good, by its serial in upper-case hex, as node:crypto writes it. */
export interface Revocation {
  readonly serial: string;
  readonly at: number;
}

/** The client authority's list of what it takes back. Times are milliseconds since 1970. */
export interface RevocationList {
  /** Grows with every issue, so that an older list can't pass for the newest. */
  readonly number: bigint;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly revocations: readonly Revocation[];
}

/** An empty list. Its number is the time, so that it is higher than that of any list lost before. */
export function newRevocationList(now: number): RevocationList {
  return { number: BigInt(Math.floor(now / 1000)), issuedAt: 0, expiresAt: 0, revocations: [] };
}

/** The next issue of a list, with its number one higher and perhaps one more entry, as PEM. */
export function formatNextRevocationList(
  list: RevocationList,
  authority: Authority,
  now: number,
  revocations = list.revocations,
): string {
  const issuedAt = now - backdatedMilliseconds;
  const entries = revocations.map(({ serial, at }) => sequence(integer(BigInt(`0x${serial}`)), time(at)));
  const content = sequence(
    integer(1n), // version 2
    ecdsaWithSha256,
    authorityName('client'),
    time(issuedAt),
    time(issuedAt + revocationListDays * dayMilliseconds),
    // RFC 5280 section 5.1.2.6: a list of nothing must be absent.
    ...(entries.length > 0 ? [sequence(...entries)] : []),
    tagged(0, sequence(authorityKey(authority.certificate.publicKey), listNumber(list.number + 1n))),
  );
  return formatPem(formatSigned(content, authority.key), 'X509 CRL');
}

/** Where the element that begins at `start` has its contents and its end. Throws when it is not all there. */
function boundsOf(der: Buffer, start: number): { contents: number; end: number } {
  const first = der.readUInt8(start + 1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const contents = start + 2 + lengthBytes;
  const length = lengthBytes === 0 ? first : der.readUIntBE(start + 2, lengthBytes);
  if (contents + length > der.length) throw new RangeError('The element is cut off.');
  return { contents, end: contents + length };
}

/**
 * What was signed, and the signature, of DER in the SIGNED form. Interprets nothing, because who wrote the bytes is not
 * known yet; what the signature does not cover must be exactly as we write it.
 */
function splitSigned(der: Buffer): { content: Buffer; signature: Buffer } {
  const whole = boundsOf(der, 0);
  const content = boundsOf(der, whole.contents);
  const algorithm = boundsOf(der, content.end);
  const signature = boundsOf(der, algorithm.end);
  const isSigned =
    der[0] === 0x30 &&
    whole.end === der.length &&
    der.subarray(content.end, algorithm.end).equals(formatDer(ecdsaWithSha256)) &&
    der[algorithm.end] === 0x03 &&
    der[signature.contents] === 0 &&
    signature.end === der.length;
  if (!isSigned) throw new RangeError('The bytes are not a signed structure.');
  return {
    content: der.subarray(whole.contents, content.end),
    signature: der.subarray(signature.contents + 1, signature.end),
  };
}

function parseEntry(entry: Element): Revocation {
  const [serial, at] = childrenOf(entry);
  if (!serial || !at) throw new Error('An entry needs a serial and a time.');
  // Without the zero byte that only says that the number is positive.
  return { serial: bytesOf(serial).toString('hex').replace(/^00/, '').toUpperCase(), at: timeOf(at) };
}

function parseContent(content: Buffer): RevocationList {
  const all = childrenOf(parseDer(content));
  const [, , issuedAt, expiresAt, ...rest] = isInteger(all[0]) ? all.slice(1) : all;
  if (!issuedAt || !expiresAt) throw new Error('The list has no times.');
  const [entries, extensions] = isSequence(rest[0]) ? rest : [undefined, rest[0]];
  const numbered = (extensions ? childrenOf(extensions) : [])
    .flatMap(childrenOf)
    .map(childrenOf)
    .find(([kind]) => kind && identifierOf(kind) === revocationListNumber);
  const number = numbered?.at(-1);
  if (!number) throw new Error('The list has no number.');
  return {
    number: integerOf(parseDer(bytesOf(number))),
    issuedAt: timeOf(issuedAt),
    expiresAt: timeOf(expiresAt),
    revocations: entries ? childrenOf(entries).map(parseEntry) : [],
  };
}

/**
 * Reads a revocation list, after node:crypto has verified that the authority signed it. `failure` turns a problem, the
 * end of a sentence that begins with the file, into what is thrown.
 */
export function parseRevocationList(
  der: Buffer,
  authority: X509Certificate,
  failure: (problem: string) => Error,
): RevocationList {
  let signed: ReturnType<typeof splitSigned>;
  try {
    signed = splitSigned(der);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw failure('is damaged');
  }
  if (!verify('sha256', signed.content, authority.publicKey, signed.signature)) {
    throw failure('is not signed by client-ca.pem');
  }
  try {
    return parseContent(signed.content);
  } catch (error) {
    throw failure(`is signed, but not a list that gen-certs makes (${error instanceof Error ? error.message : error})`);
  }
}
