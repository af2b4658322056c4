import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import forge from 'node-forge';

const { asn1 } = forge;
const { Class, Type } = asn1;

/** One ASN.1 value, before it is bytes or after. */
export type Element = forge.asn1.Asn1;

// forge keeps bytes in strings, one character each.
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const primitive = (type: forge.asn1.Type, bytes: string): Element => asn1.create(Class.UNIVERSAL, type, false, bytes);

/** SEQUENCE of the given elements. */
export const sequence = (...elements: readonly Element[]): Element =>
  asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...elements]);

/** SET OF the given elements, in the order that DER demands: that of their bytes. */
export const setOf = (...elements: readonly Element[]): Element => {
  const sorted = elements.toSorted((a, b) => Buffer.compare(formatDer(a), formatDer(b)));
  return asn1.create(Class.UNIVERSAL, Type.SET, true, sorted);
};

/** OBJECT IDENTIFIER, from its dotted form. */
export const identifier = (dotted: string): Element => primitive(Type.OID, asn1.oidToDer(dotted).getBytes());
/** BOOLEAN. */
export const boolean = (value: boolean): Element => primitive(Type.BOOLEAN, value ? '\xff' : '\0');
/** OCTET STRING. */
export const octets = (bytes: Uint8Array): Element => primitive(Type.OCTETSTRING, latin1(bytes));
/** NULL, which some algorithms have in the place of parameters. */
export const nothing = (): Element => primitive(Type.NULL, '');
/** BMPString. Of this type alone forge makes the bytes itself, two a character. */
export const bmp = (text: string): Element => primitive(Type.BMPSTRING, text);
/** UTF8String. */
export const utf8 = (text: string): Element => primitive(Type.UTF8, latin1(Buffer.from(text)));

/** INTEGER, not negative. */
export function integer(value: bigint): Element {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  // A first bit that is set would make the number negative.
  return primitive(Type.INTEGER, latin1((bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes])));
}

/** BIT STRING whose last byte has `unused` bits that do not count. */
export const bits = (bytes: Uint8Array, unused = 0): Element =>
  primitive(Type.BITSTRING, String.fromCharCode(unused) + latin1(bytes));

/** A time in milliseconds since 1970, in the form that RFC 5280 section 4.1.2.5 demands: two digits of year until 2049. */
export function time(at: number): Element {
  const date = new Date(at);
  return date.getUTCFullYear() < 2050
    ? primitive(Type.UTCTIME, asn1.dateToUtcTime(date))
    : primitive(Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

/** A context-specific tag around elements: `[tag] EXPLICIT`. */
export const tagged = (tag: number, ...elements: readonly Element[]): Element =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag, true, [...elements]);

/** A context-specific tag in place of a primitive's own: `[tag] IMPLICIT`. */
export const taggedBytes = (tag: number, bytes: Uint8Array): Element =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag, false, latin1(bytes));

/** The DER of an element. */
export const formatDer = (element: Element): Buffer => Buffer.from(asn1.toDer(element).getBytes(), 'latin1');

/** Reads strict DER. Only ever given the operator's own list after its signature was verified, or what node:crypto made. */
export const parseDer = (der: Uint8Array): Element => asn1.fromDer(latin1(der), true);

/** The elements inside a constructed one; none inside a primitive. */
export const childrenOf = (element: Element): readonly Element[] =>
  typeof element.value === 'string' ? [] : element.value;
/** The contents of a primitive element. */
export const bytesOf = (element: Element): Buffer =>
  Buffer.from(typeof element.value === 'string' ? element.value : '', 'latin1');
/** The value of an INTEGER that is not negative. */
export const integerOf = (element: Element): bigint => BigInt(`0x${bytesOf(element).toString('hex')}`);
/** The dotted form of an OBJECT IDENTIFIER. */
export const identifierOf = (element: Element): string => asn1.derToOid(bytesOf(element).toString('latin1'));

/** The milliseconds since 1970 of either kind of time. */
export function timeOf(element: Element): number {
  const text = bytesOf(element).toString('latin1');
  const date = element.type === Type.UTCTIME ? asn1.utcTimeToDate(text) : asn1.generalizedTimeToDate(text);
  return date.getTime();
}

/** Whether an optional element is there and an INTEGER. */
export const isInteger = (element: Element | undefined): boolean => element?.type === Type.INTEGER;
/** Whether an optional element is there and a SEQUENCE. */
export const isSequence = (element: Element | undefined): boolean => element?.type === Type.SEQUENCE;

/** The uncompressed point of a P-256 key: 65 bytes. */
export function pointOf(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  // Not the end of its SubjectPublicKeyInfo: there a key that somebody sent compressed stays compressed.
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}

/** The only signature algorithm here. */
export const ecdsaWithSha256 = sequence(identifier('1.2.840.10045.4.3.2'));

/** The SIGNED form of RFC 5280: what is signed, the algorithm, and the signature by a P-256 key. */
export function formatSigned(content: Element, key: KeyObject): Buffer {
  return formatDer(sequence(content, ecdsaWithSha256, bits(sign('sha256', formatDer(content), key))));
}

/** DER as PEM, RFC 7468. */
export function formatPem(der: Uint8Array, label: string): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
