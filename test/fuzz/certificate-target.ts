import fc from 'fast-check';
import { integer, utf8 } from '../../src/pki/der.ts';
import { forClient, forServer } from '../../src/pki/extension.ts';
import {
  clientAuthority,
  commonName,
  dns,
  email,
  extension,
  makeOddCertificate,
  type Oddity,
  otherName,
  signatures,
  uri,
  userUri,
} from '../auth/odd-certificate.ts';
import { line } from '../support/wire-client.ts';
import { mutate, mutations } from './bytes.ts';
import { openServer } from './fuzzed-server.ts';
import { assertSoon, hangMilliseconds } from './slow.ts';
import { defineTarget, type Target } from './target.ts';
import { judgeLine, type Said } from './verdict.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('ada', '*', 'ada\0', 'a'.repeat(3000)),
);
const names = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('ada', 'ghost', 'Ada', '', 'ada\0', 'ada,URI:x').map(userUri) },
  anyText.map(uri),
  anyText.map(dns),
  anyText.map(email),
  anyText.map(otherName),
);
const oddities: fc.Arbitrary<Oddity> = fc.record(
  {
    commonName: anyText,
    serial: fc.bigInt({ min: -(2n ** 170n), max: 2n ** 170n }).map(integer),
    isVersion1: fc.boolean(),
    signature: fc.constantFrom(...Object.values(signatures)),
    notBefore: fc.constantFrom(0, Date.UTC(1951, 0, 1), Date.UTC(2049, 11, 31), Date.UTC(9999, 0, 1)),
    notAfter: fc.constantFrom(0, Date.UTC(2050, 0, 1), Date.UTC(9999, 11, 31)),
    names: fc.array(names, { maxLength: 4 }),
    purpose: fc.constantFrom(null, forClient, forServer),
    more: fc.array(
      fc
        .tuple(fc.constantFrom('2.5.29.17', '2.5.29.31', '1.2.3.4', '2.5.29.54'), fc.boolean(), anyText)
        .map(([dotted, critical, text]) => extension(dotted, critical, utf8(text))),
      { maxLength: 2 },
    ),
    subject: anyText.map(commonName),
  },
  { requiredKeys: [] },
);

/** Certificates that no authority makes, or that are damaged, each with somebody's token behind it. */
export const certificates: Target = defineTarget(
  'client certificates',
  25,
  fc.record({
    oddity: oddities,
    mutations: fc.option(mutations, { freq: 3 }),
    token: fc.constantFrom('<access>', '<api>', 'a.b.c'),
    tokenOf: fc.constantFrom('ada', 'cleo'),
  }),
  async (shared) => {
    const { server, closeServer } = await openServer(shared);
    const authority = await clientAuthority(server.certs);
    return {
      server,
      async attempt({ oddity, mutations, token, tokenOf }) {
        const { cert, key } = makeOddCertificate(authority, oddity);
        const since = performance.now();
        // A handshake that fails is one way to be refused, by either end.
        const shown = mutations ? mutatePem(cert, mutations) : cert;
        const peer = await server.connect({ cert: shown, key }).catch(() => undefined);
        const asked = [line(1, 'whoami'), line(2, 'authenticate', { token }), line(3, 'whoami')].join('');
        await peer?.write(server.fill(Buffer.from(asked), tokenOf));
        const isAnswered = await peer?.until(() => peer.isClosed || peer.lines.length > 2, hangMilliseconds);
        peer?.close();
        assertSoon('A handshake and its answers', performance.now() - since);
        if (!peer) return;
        if (!isAnswered) throw new Error('The server does not answer this certificate.');
        assertOneUser(peer.lines.map((text) => judgeLine(text, () => undefined)));
      },
      close: closeServer,
    };
  },
);

/** A certificate and a token of different users are nobody. */
function assertOneUser(said: readonly Said[]): void {
  const users = new Set(said.flatMap(({ result }) => (result && 'user' in result ? [result['user']] : [])));
  if (users.size > 1) throw new Error(`One connection is of ${[...users].join(' and ')}.`);
}

function mutatePem(pem: string, all: Parameters<typeof mutate>[1]): string {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
  return `-----BEGIN CERTIFICATE-----\n${mutate(der, all).toString('base64')}\n-----END CERTIFICATE-----\n`;
}
