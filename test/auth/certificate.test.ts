import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadAuthority } from '../../src/pki/authority.ts';
import { type Authority, authorityName, dayMilliseconds, issueAuthority } from '../../src/pki/certificate.ts';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { bits, identifier, integer, octets, sequence, taggedBytes } from '../../src/pki/der.ts';
import { forClient, forServer, isAuthority, isLeaf, mayCertifyAndRevoke } from '../../src/pki/extension.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollUser, line, openAs, WireClient } from '../support/wire-client.ts';
import {
  clientAuthority,
  commonName,
  commonNames,
  dns,
  email,
  extension,
  type KeyPair,
  makeOddCertificate,
  type Oddity,
  otherName,
  signatures,
  uri,
  userUri,
} from './odd-certificate.ts';

const server = shareServer({ mode: 'either' });

/** Shows the certificate, with commands behind it in one write, and expects nothing but the refusal. */
async function expectRefused({ cert, key }: KeyPair, reason: string): Promise<void> {
  // Left to itself our side would not show a certificate as weak as some of these.
  const client = await WireClient.open(server(), { cert, key, ciphers: 'DEFAULT@SECLEVEL=0' });
  client.write(line(1, 'user.add', { user: 'intruder', role: 'admin' }) + line(2, 'hello'));
  expect(await client.reply()).toMatchObject({
    id: null,
    error: { code: 1010, data: { code: 'certificate-refused', reason, hint: expect.any(String) } },
  });
  expect(await client.reply()).toBeUndefined();
  await client.closed;
}

async function isAccepted(pair: KeyPair): Promise<boolean> {
  const reply = await (await WireClient.open(server(), pair)).ask('whoami');
  if (!reply?.result) expect(reply).toMatchObject({ id: null, error: { code: 1010 } });
  return reply?.result !== undefined;
}

const readPem = (file: string) => readFile(join(server().certs, file), 'utf8');

async function expectNoIntruder(): Promise<void> {
  const administrator = await openAs(server(), server().grant['accessToken']);
  const { result } = (await administrator.ask('user.list')) ?? {};
  expect(JSON.stringify(result)).not.toContain('intruder');
}

const oddities: readonly (readonly [string, string, (authority: Authority) => Oddity])[] = [
  [
    'of another authority of the same name',
    'unknown-authority',
    () => ({ signingKey: issueAuthority('client', Date.now()).key }),
  ],
  [
    'of another authority',
    'unknown-authority',
    () => ({ issuer: commonName('other'), signingKey: issueAuthority('client', Date.now()).key }),
  ],
  ['that has expired', 'expired', () => ({ notBefore: Date.now() - 2 * dayMilliseconds, notAfter: Date.now() - 1000 })],
  ['that is not valid yet', 'not-yet-valid', () => ({ notBefore: Date.now() + 3_600_000 })],
  ['for servers', 'wrong-purpose', () => ({ purpose: forServer })],
  ['for e-mail', 'wrong-purpose', () => ({ purpose: extension('2.5.29.37', false, sequence()) })],
  ['with a CN and no SAN', 'no-user-name', () => ({ names: [] })],
  ['with two users', 'no-user-name', () => ({ names: [userUri('admin'), userUri('clerk')] })],
  ['with the same user twice', 'no-user-name', () => ({ names: [userUri('admin'), userUri('admin')] })],
  ['with a user and a host', 'no-user-name', () => ({ names: [userUri('admin'), dns('admin')] })],
  ['with a host and a user', 'no-user-name', () => ({ names: [dns('admin'), userUri('admin')] })],
  ['with a host that looks like a user', 'no-user-name', () => ({ names: [dns('URI:urn:secure-inv:user:admin')] })],
  [
    'with an e-mail address that looks like a user',
    'no-user-name',
    () => ({ names: [email('urn:secure-inv:user:admin')] }),
  ],
  [
    'with a comma and another user',
    'no-user-name',
    () => ({ names: [userUri('clerk, URI:urn:secure-inv:user:admin')] }),
  ],
  ['with a comma', 'no-user-name', () => ({ names: [userUri('admin,')] })],
  ['with a newline', 'no-user-name', () => ({ names: [userUri('admin\n')] })],
  ['with a NUL', 'no-user-name', () => ({ names: [userUri('admin\0')] })],
  ['with a NUL and more', 'no-user-name', () => ({ names: [userUri('admin\0.example.com')] })],
  ['with quotes', 'no-user-name', () => ({ names: [userUri('"admin"')] })],
  ['with capitals', 'no-user-name', () => ({ names: [userUri('Admin')] })],
  ['with a capital scheme', 'no-user-name', () => ({ names: [uri('URN:secure-inv:user:admin')] })],
  ['with a wildcard', 'no-user-name', () => ({ names: [userUri('*')] })],
  ['with an empty user', 'no-user-name', () => ({ names: [userUri('')] })],
  ['with an escape', 'no-user-name', () => ({ names: [userUri('%61dmin')] })],
  ['with a path', 'no-user-name', () => ({ names: [userUri('x/../admin')] })],
  ['with bytes that are no ASCII', 'no-user-name', () => ({ names: [userUri('admin\xff')] })],
  ['with another URI', 'no-user-name', () => ({ names: [uri('https://example.com/urn:secure-inv:user:admin')] })],
  ['of a user who is unknown', 'unknown-user', () => ({ names: [userUri('nobody')] })],
  ['of __proto__', 'no-user-name', () => ({ names: [userUri('__proto__')] })],
  ['of constructor', 'unknown-user', () => ({ names: [userUri('constructor')] })],
  ['that may issue others', 'wrong-purpose', () => ({ constraints: isAuthority, usage: mayCertifyAndRevoke })],
  [
    'with a critical extension that nobody knows',
    'unverifiable',
    () => ({ more: [extension('1.3.6.1.4.1.99999.1', true, octets(Buffer.of(1)))] }),
  ],
  [
    'for anything at all',
    'wrong-purpose',
    () => ({ purpose: extension('2.5.29.37', false, purposeOf('2.5.29.37.0')) }),
  ],
  [
    'for signing of code',
    'wrong-purpose',
    () => ({ purpose: extension('2.5.29.37', false, purposeOf('1.3.6.1.5.5.7.3.3')) }),
  ],
  ['for no purpose', 'wrong-purpose', () => ({ purpose: null })],
  ['of version 1', 'wrong-purpose', () => ({ isVersion1: true })],
  ['with an other name', 'no-user-name', () => ({ names: [otherName('urn:secure-inv:user:admin')] })],
  ['with a user and an other name', 'no-user-name', () => ({ names: [userUri('admin'), otherName('admin')] })],
  ['with two CNs and no SAN', 'no-user-name', () => ({ names: [], subject: commonNames('admin', 'admin') })],
  [
    'with two CNs and two users',
    'no-user-name',
    () => ({ names: [userUri('admin'), userUri('x')], subject: commonNames('admin', 'x') }),
  ],
  ['with no name at all', 'no-user-name', () => ({ names: [], subject: sequence() })],
  ['with a URI that is empty', 'no-user-name', () => ({ names: [uri('')] })],
  ['with a user of 33 characters', 'no-user-name', () => ({ names: [userUri('a'.repeat(33))] })],
  ['with a user of 10,000 characters', 'no-user-name', () => ({ names: [userUri('a'.repeat(10_000))] })],
  ['with a Cyrillic letter in its user', 'no-user-name', () => ({ names: [uriOf('\u0430dmin')] })],
  ['with a wide letter in its user', 'no-user-name', () => ({ names: [uriOf('\uff41dmin')] })],
  ['with a zero-width space in its user', 'no-user-name', () => ({ names: [uriOf('ad\u200bmin')] })],
  ['with an escape sequence in its user', 'no-user-name', () => ({ names: [userUri('\u001b[2Jadmin')] })],
  ['with a space before its user', 'no-user-name', () => ({ names: [userUri(' admin')] })],
  ['with a space behind its user', 'no-user-name', () => ({ names: [userUri('admin ')] })],
  ['with a slash behind its user', 'no-user-name', () => ({ names: [userUri('admin/')] })],
  ['with a query behind its user', 'no-user-name', () => ({ names: [userUri('admin?x')] })],
  ['with a fragment behind its user', 'no-user-name', () => ({ names: [userUri('admin#x')] })],
  ['with a backslash in its user', 'no-user-name', () => ({ names: [userUri('admin\\')] })],
  ['with another URN', 'no-user-name', () => ({ names: [uri('urn:secure-inv:admin')] })],
  ['with capitals in its URN', 'no-user-name', () => ({ names: [uri('urn:Secure-Inv:user:admin')] })],
  ['of toString', 'no-user-name', () => ({ names: [userUri('toString')] })],
  ['with two SANs', 'unknown-authority', () => ({ more: [extension('2.5.29.17', false, sequence(userUri('x')))] })],
  ['with two lists of purposes', 'unknown-authority', () => ({ more: [forClient] })],
  [
    'whose key may encipher only',
    'wrong-purpose',
    () => ({ usage: extension('2.5.29.15', true, bits(Buffer.of(0x20), 5)) }),
  ],
  ['signed with SHA-1', 'unverifiable', () => ({ signature: signatures.ecdsaWithSha1 })],
  ['signed with MD5', 'unknown-authority', () => ({ signature: signatures.rsaWithMd5, signingKey: rsaKey(2048) })],
  [
    'signed by another kind of key',
    'unknown-authority',
    () => ({ signature: signatures.rsaWithSha256, signingKey: rsaKey(2048) }),
  ],
  ['of RSA with 1024 bits', 'unverifiable', () => ({ subjectKey: rsaKey(1024) })],
];

/** Odd, and no attack: only our own authority can have signed it, so it is whom it names. */
const harmless: readonly (readonly [string, () => Oddity])[] = [
  ['of RSA with 2048 bits', () => ({ subjectKey: rsaKey(2048) })],
  ['of P-384', () => ({ subjectKey: ecKey('P-384') })],
  ['of P-521', () => ({ subjectKey: ecKey('P-521') })],
  ['of Ed25519', () => ({ subjectKey: generateKeyPairSync('ed25519').privateKey })],
  ['with serial 0', () => ({ serial: integer(0n) })],
  ['with a negative serial', () => ({ serial: negative })],
  ['with a serial of 400 bits', () => ({ serial: integer(1n << 400n) })],
  ['with a CN of 6,000 characters', () => ({ commonName: 'x'.repeat(6000) })],
  ['with two CNs', () => ({ subject: commonNames('clerk', 'root') })],
  ['with an empty subject', () => ({ subject: sequence() })],
  ['with a CN of another user', () => ({ commonName: 'clerk' })],
  ['with an extension of 90 KB', () => ({ more: [unknownExtension(90_000)] })],
  ['with an unknown extension twice', () => ({ more: [unknownExtension(1), unknownExtension(2)] })],
];

const rsaKey = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).privateKey;
const ecKey = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const negative = taggedBytes(2, Buffer.of(0xff));
negative.tagClass = 0; // UNIVERSAL: an INTEGER.
const unknownExtension = (bytes: number) => extension('1.3.6.1.4.1.99999.1', false, octets(Buffer.alloc(bytes)));

const purposeOf = (dotted: string) => sequence(identifier(dotted));
/** A URI is ASCII; this one has UTF-8 in it all the same. */
const uriOf = (user: string) => uri(Buffer.from(`urn:secure-inv:user:${user}`).toString('latin1'));

describe('a certificate is refused with its reason, and nothing behind it is carried out', () => {
  test.each(oddities)('one %s', async (_, reason, oddity) => {
    const authority = await clientAuthority(server().certs);
    await expectRefused(makeOddCertificate(authority, oddity(authority)), reason);
    await expectNoIntruder();
  });

  test('one of the server’s own authority, and the server’s own', async () => {
    const { certs } = server();
    const authority = await loadAuthority(certs, 'server', Date.now());
    await expectRefused(makeOddCertificate(authority, { issuer: authorityName('server') }), 'unknown-authority');
    const [cert, key] = await Promise.all([
      readFile(join(certs, 'server.pem'), 'utf8'),
      readFile(join(certs, 'server-key.pem'), 'utf8'),
    ]);
    await expectRefused({ cert, key }, 'unknown-authority');
  });

  test('one that is signed by itself', async () => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const authority = await clientAuthority(server().certs);
    for (const issuer of [commonName('admin'), authorityName('client')]) {
      const oddity = { issuer, commonName: 'admin', subjectKey: keys.privateKey, signingKey: keys.privateKey };
      await expectRefused(makeOddCertificate(authority, oddity), 'unknown-authority');
    }
  });

  test('the authority itself', async () => {
    const { certs } = server();
    const [cert, key] = await Promise.all([
      readFile(join(certs, 'client-ca.pem'), 'utf8'),
      readFile(join(certs, 'client-ca-key.pem'), 'utf8'),
    ]);
    expect(await isAccepted({ cert, key })).toBe(false);
  });

  test('one that a user signed with the key of their own certificate', async () => {
    const authority = await clientAuthority(server().certs);
    const user = makeOddCertificate(authority, { commonName: 'clerk', names: [userUri('clerk')] });
    const forged = makeOddCertificate(authority, { issuer: commonName('clerk'), signingKey: user.signing });
    const issuing = makeOddCertificate(authority, {
      commonName: 'sub',
      constraints: isAuthority,
      usage: mayCertifyAndRevoke,
    });
    const below = makeOddCertificate(authority, { issuer: commonName('sub'), signingKey: issuing.signing });
    expect(await isAccepted({ cert: below.cert + issuing.cert, key: below.key })).toBe(false);
    for (const cert of [forged.cert, forged.cert + user.cert]) {
      expect(await isAccepted({ cert, key: forged.key })).toBe(false);
    }
  });
});

describe('a chain', () => {
  test('with certificates behind it that have nothing to do with it is judged by its leaf', async () => {
    const authority = await clientAuthority(server().certs);
    const good = makeOddCertificate(authority);
    const bad = makeOddCertificate(authority, { names: [userUri('nobody')] });
    const others = await Promise.all(['client-ca.pem', 'server-ca.pem', 'server.pem'].map((file) => readPem(file)));
    expect(await isAccepted({ cert: good.cert + bad.cert + others.join(''), key: good.key })).toBe(true);
    await expectRefused({ cert: bad.cert + good.cert + others.join(''), key: bad.key }, 'unknown-user');
  });

  test('of more than 100 KB ends its connection, and nothing else', async () => {
    const good = makeOddCertificate(await clientAuthority(server().certs));
    const cert = good.cert + (await readPem('client-ca.pem')).repeat(300);
    const client = await WireClient.open(server(), { cert, key: good.key });
    expect(await client.ask('whoami')).toBeUndefined();
    await client.closed;
    expect(await isAccepted(good)).toBe(true);
  });
});

describe('a good certificate', () => {
  test.each(harmless)('may be one %s', async (_, oddity) => {
    const authority = await clientAuthority(server().certs);
    const client = await WireClient.open(server(), makeOddCertificate(authority, oddity()));
    expect(await client.ask('whoami')).toMatchObject({ result: { user: 'admin', certificate: {} } });
  });

  test('of a key on a curve that TLS 1.3 does not have is not shown at all: its owner is a stranger', async () => {
    const authority = await clientAuthority(server().certs);
    const client = await WireClient.open(server(), makeOddCertificate(authority, { subjectKey: ecKey('secp256k1') }));
    expect(await client.ask('whoami')).toMatchObject({ error: { data: { code: 'login-required' } } });
  });

  test('is enough for a user who never chose a password, and for nobody who was never added', async () => {
    const administrator = await openAs(server(), server().grant['accessToken']);
    const authority = await clientAuthority(server().certs);
    const pair = makeOddCertificate(authority, { names: [userUri('ivy')] });
    await expectRefused(pair, 'unknown-user');
    await administrator.ask('user.add', { user: 'ivy', role: 'viewer' });
    const client = await WireClient.open(server(), pair);
    expect(await client.ask('whoami')).toMatchObject({ result: { user: 'ivy', role: 'viewer' } });
  });

  test('is its user, until its user is disabled; then the open connection ends, too', async () => {
    const { certs, grant } = server();
    const administrator = await openAs(server(), grant['accessToken']);
    await enrollUser(server(), administrator, 'carl', 'clerk');
    const authority = await clientAuthority(certs);
    const pair = makeOddCertificate(authority, { names: [userUri('carl')], commonName: 'admin' });
    const client = await WireClient.open(server(), pair);
    expect(await client.ask('whoami')).toMatchObject({ result: { user: 'carl', role: 'clerk' } });
    await administrator.ask('user.edit', { user: 'carl', role: 'viewer' });
    expect(await client.ask('whoami')).toMatchObject({ result: { role: 'viewer' } });
    await administrator.ask('user.disable', { user: 'carl' });
    client.write(line(8, 'whoami') + line(9, 'whoami'));
    expect((await client.replies(3))[0]).toMatchObject({ error: { code: 1010, data: { reason: 'unknown-user' } } });
    await client.closed;
    await expectRefused(pair, 'unknown-user');
    await administrator.ask('user.enable', { user: 'carl' });
    expect(await (await WireClient.open(server(), pair)).ask('whoami')).toHaveProperty('result');
  });

  test('that expires on an open connection is refused at the next request', async () => {
    const authority = await clientAuthority(server().certs);
    const pair = makeOddCertificate(authority, { notAfter: Math.ceil(Date.now() / 1000) * 1000 + 1000 });
    const client = await WireClient.open(server(), pair);
    expect(await client.ask('whoami')).toHaveProperty('result');
    await expect.poll(async () => (await client.ask('whoami'))?.error?.data.reason, { timeout: 4000 }).toBe('expired');
    await client.closed;
  });

  test('that is revoked is refused after a restart; others of the same user are not', async () => {
    const { certs } = server();
    const first = await makeClientCertificate(certs, 'admin');
    const read = async () => ({
      cert: await readFile(join(certs, first.certificateFile), 'utf8'),
      key: await readFile(join(certs, first.keyFile), 'utf8'),
    });
    const old = await read();
    expect(await (await WireClient.open(server(), old)).ask('whoami')).toMatchObject({ result: { user: 'admin' } });
    await revoke(certs, 'admin');
    await makeClientCertificate(certs, 'admin', true);
    await server().restart();
    await expectRefused(old, 'revoked');
    expect(await (await WireClient.open(server(), await read())).ask('whoami')).toMatchObject({
      result: { user: 'admin' },
    });
  });
});

test('without any oddity the certificate is accepted, so that the others are refused for what they are', async () => {
  const authority = await clientAuthority(server().certs);
  const client = await WireClient.open(server(), makeOddCertificate(authority, { constraints: isLeaf }));
  expect(await client.ask('whoami')).toMatchObject({
    result: { user: 'admin', certificate: { serial: expect.any(String) } },
  });
});
