import { Failure } from './failure.ts';

/**
 * What a new user is given: where the server is, a one-time code, and the SHA-256 of the server authority's DER, so
 * that one paste establishes trust, too. Code and fingerprint are base64url of 16 and 32 bytes.
 */
export interface EnrolmentLink {
  readonly host: string;
  readonly port: number;
  readonly code: string;
  readonly fingerprint: string;
}

const form = /^secure-inv:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})\/enroll#([\w-]{22})\.([\w-]{43})$/;

/** The link in a pasted text. Failures: `bad-params`. */
export function parseEnrolmentLink(text: string): EnrolmentLink {
  const [, host, port, code, fingerprint] = form.exec(text.trim()) ?? [];
  if (host === undefined || code === undefined || fingerprint === undefined || Number(port) > 65535) {
    throw new Failure('bad-params', 'This is not an enrolment link.', {
      hint: "It looks like secure-inv://HOST:PORT/enroll#CODE.FINGERPRINT; quote it ('…'), and copy all of it.",
    });
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port), code, fingerprint };
}

/** The link as it is printed and pasted. */
export function formatEnrolmentLink({ host, port, code, fingerprint }: EnrolmentLink): string {
  return `secure-inv://${formatAddress(host, port)}/enroll#${code}.${fingerprint}`;
}

/** HOST:PORT, with brackets around an IPv6 address (RFC 3986 section 3.2.2). */
export function formatAddress(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
