import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { Failure } from '../model/failure.ts';

/** A name or an address under which a server is reached, as a certificate holds it. */
export interface Host {
  /** A DNS name in lower case, or an address in its shortest form. */
  readonly name: string;
  /** The 4 or 16 bytes of an address. */
  readonly address?: Buffer;
}

/** Under these the server is always reached, from its own machine. */
const ownHosts = ['localhost', '127.0.0.1', '::1'];

const nameCharactersMax = 253; // RFC 1035 section 2.3.4, without the final point.
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function refuse(text: string, problem: string): never {
  throw new Failure('bad-params', `host ${JSON.stringify(text.slice(0, 80))} ${problem}.`, {
    hint: 'A host is a DNS name such as inv.example.com, or an IPv4 or IPv6 address.',
  });
}

function addressBytes(shortest: string): Buffer {
  if (isIP(shortest) === 4) return Buffer.from(shortest.split('.').map(Number));
  const [head = [], tail = []] = shortest.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** The host that an operator wrote. Throws `bad-params` for wildcards, underscores, zones and anything that no client could dial. */
export function parseHost(text: string): Host {
  if (text.includes('*')) refuse(text, 'is a wildcard; a certificate names each host');
  if (text.includes('%')) refuse(text, 'has a zone, which only means something on one machine');
  const version = isIP(text);
  if (version !== 0) {
    const name = version === 4 ? text : new URL(`http://[${text}]`).hostname.slice(1, -1);
    return { name, address: addressBytes(name) };
  }
  const name = text.toLowerCase();
  if (name.includes('_')) refuse(text, 'has an underscore, which no host name may have');
  if (/\P{ASCII}/u.test(name)) refuse(text, 'is not ASCII; write its xn-- form');
  if (name.length > nameCharactersMax) refuse(text, `is longer than ${nameCharactersMax} characters`);
  const labels = name.split('.');
  if (!labels.every((part) => label.test(part))) refuse(text, 'is not a host name');
  // Programs read a name that ends in a number as a badly written IPv4 address.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) refuse(text, 'ends in a number but is no address');
  return { name };
}

/** The hosts of a server certificate: its own machine's, then the given ones, each once. */
export function parseHosts(texts: readonly string[]): readonly Host[] {
  const hosts = [...ownHosts, ...texts].map(parseHost);
  return [...new Map(hosts.map((host) => [host.name, host])).values()];
}

function tryParseHost(text: string): readonly Host[] {
  try {
    return [parseHost(text)];
  } catch {
    return []; // What gen-certs would not write, it does not keep either.
  }
}

/** The hosts that a server certificate is for. */
export function hostsOf(certificate: X509Certificate): readonly Host[] {
  const names = certificate.subjectAltName?.split(', ') ?? [];
  return names.flatMap((name) => tryParseHost(name.replace(/^(DNS|IP Address):/, '')));
}
