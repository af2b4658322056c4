import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadAuthority } from '../../src/pki/authority.ts';
import { type Authority, authorityName, dayMilliseconds, issueAuthority } from '../../src/pki/certificate.ts';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { octets, sequence } from '../../src/pki/der.ts';
import { forServer, isAuthority, isLeaf, mayCertifyAndRevoke } from '../../src/pki/extension.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollUser, line, openAs, WireClient } from '../support/wire-client.ts';
import {
  clientAuthority,
  commonName,
  dns,
  email,
  extension,
  type KeyPair,
  makeOddCertificate,
  type Oddity,
  uri,
  userUri,
} from './odd-certificate.ts';

const server = shareServer({ mode: 'either' });

/** Shows the certificate, with commands behind it in one write, and expects nothing but the refusal. */
async function expectRefused({ cert, key }: KeyPair, reason: string): Promise<void> {
  const client = await WireClient.open(server(), { cert, key });
  client.write(line(1, 'user.add', { user: 'intruder', role: 'admin' }) + line(2, 'hello'));
  expect(await client.replies(3)).toMatchObject([
    { id: null, error: { code: 1010, data: { code: 'certificate-refused', reason, hint: expect.any(String) } } },
  ]);
  await client.closed;
}

async function isAccepted(pair: KeyPair): Promise<boolean> {
  const reply = await (await WireClient.open(server(), pair)).ask('whoami');
  if (!reply?.result) expect(reply).toMatchObject({ id: null, error: { code: 1010 } });
  return reply?.result !== undefined;
}

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
];

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

describe('a good certificate', () => {
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
