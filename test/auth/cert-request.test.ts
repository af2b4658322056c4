import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AuthMode, IssuePolicy } from '../../src/model/user.ts';
import { revoke } from '../../src/pki/revocation.ts';
import { openssl } from '../pki/folder.ts';
import {
  certificateOf,
  claimOf,
  newKeys,
  nonceOf,
  requestCertificate,
  spkiOf,
  statementOf,
} from '../support/key-claim.ts';
import { startServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, line, openAs, testPassword, WireClient } from '../support/wire-client.ts';

const minute = 60_000;
const start = (mode: AuthMode, issue: IssuePolicy) => startServer({ mode, flags: { 'pki.issue': issue } });
const pemOf = (key: ReturnType<typeof newKeys>['privateKey']) => key.export({ type: 'pkcs8', format: 'pem' });

/** The certificates that the server says it has issued. */
async function recorded(certs: string): Promise<Record<string, string>[]> {
  const text = await readFile(join(certs, 'client-issued.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter(Boolean)
    .map((one) => JSON.parse(one));
}

describe('where pki.issue is on', () => {
  const server = shareServer({ mode: 'either', flags: { 'pki.issue': 'on' } });
  let users = 0;

  /** A new user with a connection that is logged in, because nobody may have many certificates. */
  async function newUser() {
    const administrator = await openAs(server(), server().grant['accessToken']);
    const user = `user${++users}`;
    return { user, ...(await enrollUser(server(), administrator, user, 'clerk')) };
  }

  test('a user gets a certificate that is theirs, for clients, for 30 days and for their own key', async () => {
    const { user, client } = await newUser();
    const keys = newKeys();
    const reply = await requestCertificate(client, user, keys);
    const { certificate: _der, serial, expiresAt, ...rest } = reply?.result ?? {};
    expect(rest).toEqual({ user });
    const issued = new X509Certificate(certificateOf(reply));
    expect(issued.checkPrivateKey(keys.privateKey)).toBe(true);
    expect(issued.subjectAltName).toBe(`URI:urn:secure-inv:user:${user}`);
    expect(issued.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(issued.serialNumber.toLowerCase()).toBe(serial);
    expect(issued.validToDate.toISOString()).toBe(expiresAt);
    expect(issued.validToDate.getTime() - issued.validFromDate.getTime()).toBe(30 * 24 * 60 * minute);
    expect(await recorded(server().certs)).toContainEqual({ serial: issued.serialNumber, user, notAfter: expiresAt });
    expect((await stat(join(server().certs, 'client-issued.jsonl'))).mode & 0o777).toBe(0o600);
    await writeFile(join(server().folder, 'got.pem'), certificateOf(reply));
    const words = ['-x509_strict', '-purpose', 'sslclient', '-crl_check', '-CRLfile', 'certs/client-crl.pem'];
    const verdict = await openssl(server().folder, 'verify', ...words, '-CAfile', 'certs/client-ca.pem', 'got.pem');
    expect(verdict).toEqual({ status: 0, text: 'got.pem: OK\n' });
  });

  test('it is a login by itself, renews itself, and ends when the operator revokes its serial', async () => {
    const { user, client } = await newUser();
    const keys = newKeys();
    const reply = await requestCertificate(client, user, keys);
    const { serial } = reply?.result ?? {};
    const certified = await WireClient.open(server(), { cert: certificateOf(reply), key: pemOf(keys.privateKey) });
    expect(await certified.ask('whoami')).toMatchObject({ result: { user, certificate: { serial } } });
    expect(await requestCertificate(certified, user)).toMatchObject({ result: { user } });
    await revoke(server().certs, String(serial));
    expect(await certified.reply()).toMatchObject({ error: { data: { reason: 'revoked' } } });
    await certified.closed;
  });

  test('a nonce is good once, for its own connection, for a minute, until there is a newer one', async () => {
    const { user, client, grant } = await newUser();
    const before = await recorded(server().certs);
    const other = await openAs(server(), grant['accessToken']);
    const refused = { error: { data: { code: 'conflict' } } };
    expect(await client.ask('cert.request', claimOf('', user))).toMatchObject(refused);
    expect(await other.ask('cert.request', claimOf(await nonceOf(client), user))).toMatchObject(refused);
    const old = await nonceOf(client);
    const newer = await nonceOf(client);
    expect(newer).not.toBe(old);
    const invalid = { error: { data: { code: 'bad-params' } } };
    expect(await client.ask('cert.request', claimOf(old, user))).toMatchObject(invalid);
    // The wrong signature has spent it.
    expect(await client.ask('cert.request', claimOf(newer, user))).toMatchObject(refused);
    const late = await nonceOf(client);
    server().turnClock(minute);
    expect(await client.ask('cert.request', claimOf(late, user))).toMatchObject(refused);
    expect(await recorded(server().certs)).toEqual(before);
    const used = await nonceOf(client);
    expect(await client.ask('cert.request', claimOf(used, user))).toHaveProperty('result');
    expect(await client.ask('cert.request', claimOf(used, user))).toMatchObject(refused);
  });

  const keys = newKeys();
  const der = spkiOf(keys.publicKey);
  const point = der.subarray(-64);
  const compressed = Buffer.concat([
    Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
    Buffer.of(2 + ((point.at(-1) ?? 0) & 1)),
    point.subarray(0, 32),
  ]);
  const offCurve = Buffer.from(der);
  offCurve[90] = (offCurve[90] ?? 0) ^ 1;
  const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const signed = (statement: Uint8Array) => ({
    publicKey: encode(der),
    signature: encode(sign('sha256', statement, keys.privateKey)),
  });
  const claiming = (publicKey: Uint8Array, nonce: unknown, user: string) => ({
    publicKey: encode(publicKey),
    signature: encode(sign('sha256', statementOf(nonce, publicKey, user), keys.privateKey)),
  });
  const withKey = (
    pair: { publicKey: Parameters<typeof spkiOf>[0]; privateKey: Parameters<typeof pemOf>[0] },
    digest: string | null,
    nonce: unknown,
    user: string,
  ) => {
    const bytes = spkiOf(pair.publicKey);
    return {
      publicKey: encode(bytes),
      signature: encode(sign(digest, statementOf(nonce, bytes, user), pair.privateKey)).slice(0, 100),
    };
  };

  test.for<[string, (nonce: unknown, user: string) => object]>([
    ['a signature by another key', (nonce, user) => ({ ...claimOf(nonce, user), publicKey: encode(der) })],
    ['a signature for another user', (nonce) => claimOf(nonce, 'clerk', keys)],
    ['a signature for another nonce', (_, user) => claimOf(randomBytes(32).toString('base64url'), user, keys)],
    ['a signature for another key', (nonce, user) => signed(statementOf(nonce, spkiOf(newKeys().publicKey), user))],
    ['a signature of the nonce alone', (nonce) => signed(Buffer.from(String(nonce), 'base64url'))],
    ['a signature for another purpose', (nonce, user) => signed(statementOf(nonce, der, user).subarray(1))],
    ['a signature that is none', () => ({ publicKey: encode(der), signature: encode(randomBytes(70)) })],
    [
      'a signature in the other form',
      (nonce, user) => {
        const key = { key: keys.privateKey, dsaEncoding: 'ieee-p1363' as const };
        return { publicKey: encode(der), signature: encode(sign('sha256', statementOf(nonce, der, user), key)) };
      },
    ],
    [
      'an RSA key',
      (nonce, user) => withKey(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'sha256', nonce, user),
    ],
    [
      'a small RSA key',
      (nonce, user) => withKey(generateKeyPairSync('rsa', { modulusLength: 768 }), 'sha256', nonce, user),
    ],
    [
      'a P-384 key',
      (nonce, user) => withKey(generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'sha256', nonce, user),
    ],
    [
      'a secp256k1 key',
      (nonce, user) => withKey(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), 'sha256', nonce, user),
    ],
    ['an SM2 key', (nonce, user) => withKey(generateKeyPairSync('ec', { namedCurve: 'SM2' }), 'sha256', nonce, user)],
    ['an Ed25519 key', (nonce, user) => withKey(generateKeyPairSync('ed25519'), null, nonce, user)],
    ['a compressed key', (nonce, user) => claiming(compressed, nonce, user)],
    ['a key off the curve', (nonce, user) => claiming(offCurve, nonce, user)],
    ['a key with a byte after it', (nonce, user) => claiming(Buffer.concat([der, Buffer.of(0)]), nonce, user)],
    ['garbage for a key', (nonce, user) => claiming(randomBytes(91), nonce, user)],
    ['a name beside the key', (nonce, user) => ({ ...claimOf(nonce, user), user: 'admin' })],
    ['a certificate request', (nonce, user) => ({ ...claimOf(nonce, user), csr: 'MIIB' })],
    ['no base64', (nonce, user) => ({ ...claimOf(nonce, user), publicKey: '!'.repeat(124) })],
    ['a key of 60 KiB', (nonce, user) => ({ ...claimOf(nonce, user), publicKey: 'A'.repeat(60 * 1024) })],
  ])('%s is refused, and leaves nothing', async ([, make]) => {
    const administrator = await openAs(server(), server().grant['accessToken']);
    const before = await recorded(server().certs);
    const reply = await administrator.ask('cert.request', make(await nonceOf(administrator), 'admin'));
    expect(reply).toMatchObject({ error: { data: { code: 'bad-params' } } });
    expect(await recorded(server().certs)).toEqual(before);
  });

  test('a line that is longer than any may be ends the connection', async () => {
    const { user, client } = await newUser();
    const claim = { ...claimOf(await nonceOf(client), user), publicKey: 'A'.repeat(64 * 1024) };
    expect(await client.ask('cert.request', claim)).toMatchObject({ error: { data: { code: 'bad-frame' } } });
    await client.closed;
  });

  test('whose access ends while the certificate is made does not get it', async () => {
    const { user, client } = await newUser();
    const administrator = await openAs(server(), server().grant['accessToken']);
    const claim = claimOf(await nonceOf(client), user);
    const lock = join(server().certs, '.gen-certs.lock');
    await writeFile(lock, '');
    client.write(line('cert', 'cert.request', claim) + line('ping', 'ping'));
    expect(await client.reply()).toMatchObject({ id: 'ping' }); // By now the other one was let in, and waits.
    await administrator.ask('user.reset', { user });
    await rm(lock);
    expect(await client.reply()).toMatchObject({ id: 'cert', error: { data: { code: 'session-expired' } } });
  });

  test('nobody gets more than five within an hour, at once or one by one, and others get theirs', async () => {
    const { user, grant } = await newUser();
    const other = await newUser();
    const clients = await Promise.all(Array.from({ length: 7 }, () => openAs(server(), grant['accessToken'])));
    const replies = await Promise.all(clients.map((client) => requestCertificate(client, user)));
    const refused = replies.filter((reply) => reply?.error);
    expect(refused).toHaveLength(2);
    for (const reply of refused) {
      expect(reply?.error?.data.code).toBe('busy');
      expect(reply?.error?.data.retryAfter).toBeGreaterThan(3500);
    }
    expect((await recorded(server().certs)).filter((one) => one['user'] === user)).toHaveLength(5);
    expect(await requestCertificate(other.client, other.user)).toHaveProperty('result');
  });
});

test('after an hour there is another one', async () => {
  const server = await start('either', 'on');
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  const keys = newKeys();
  const reply = await requestCertificate(client, 'admin', keys);
  const certified = await WireClient.open(server, { cert: certificateOf(reply), key: pemOf(keys.privateKey) });
  for (let count = 1; count < 5; count++) expect(await requestCertificate(certified, 'admin')).toHaveProperty('result');
  expect(await requestCertificate(certified, 'admin')).toHaveProperty('error');
  server.turnClock(60 * minute);
  expect(await requestCertificate(certified, 'admin')).toHaveProperty('result');
});

test('without its key, or without a record, nothing is issued; nothing is counted, and no path is told', async () => {
  const server = await start('either', 'on');
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  const key = join(server.certs, 'client-ca-key.pem');
  await rename(key, `${key}.away`);
  for (let count = 0; count < 6; count++) {
    expect(await requestCertificate(client, 'admin')).toMatchObject({
      error: {
        message: "This server cannot issue certificates: the client authority's key is not there.",
        data: { code: 'conflict', hint: expect.stringContaining('client-ca-key.pem') },
      },
    });
  }
  await rename(`${key}.away`, key);
  const issued = join(server.certs, 'client-issued.jsonl');
  await mkdir(issued);
  const reply = await requestCertificate(client, 'admin');
  expect(reply).toMatchObject({ error: { data: { code: 'conflict' } } });
  expect(JSON.stringify(reply)).not.toContain(server.certs);
  await rm(issued, { recursive: true });
  expect(await requestCertificate(client, 'admin')).toHaveProperty('result');
});

describe('pki.issue decides who gets one', () => {
  test.for<[AuthMode, IssuePolicy, string]>([
    ['token', 'on', 'conflict'],
    ['either', 'off', 'forbidden'],
    ['either', 'enrolment', 'forbidden'],
    ['mutual', 'off', 'forbidden'],
    ['both', 'off', 'forbidden'],
  ])('%s, %s: whoever has just enrolled is told %s', async ([mode, issue, code]) => {
    const server = await start(mode, issue);
    const client = await WireClient.open(server);
    await enrollAdministrator(server, client);
    const refused = { error: { data: { code } } };
    expect(await client.ask('cert.challenge')).toMatchObject(refused);
    expect(await client.ask('cert.request', claimOf('', 'admin'))).toMatchObject(refused);
    expect(await recorded(server.certs)).toEqual([]);
  });

  test.for<AuthMode>(['mutual', 'both'])('%s: enrolment gives one certificate, and nothing else', async (mode) => {
    const server = await start(mode, 'enrolment');
    const client = await WireClient.open(server);
    const missing = { error: { data: { code: 'login-required' } } };
    expect(await client.ask('cert.challenge')).toMatchObject(missing);
    await client.ask('enroll', { code: server.link().code });
    expect(await client.ask('cert.challenge')).toMatchObject(missing);
    const { accessToken } = (await client.ask('enroll', { password: testPassword }))?.result ?? {};
    for (const method of ['view', 'whoami', 'user.list', 'ping', 'rpc.discover', 'refresh', 'authenticate']) {
      expect(await client.ask(method)).toMatchObject(missing);
    }
    const keys = newKeys();
    const reply = await requestCertificate(client, 'admin', keys);
    expect(reply).toMatchObject({ result: { user: 'admin' } });
    expect(reply?.result).not.toHaveProperty('login');
    expect(await client.ask('cert.challenge')).toMatchObject(missing);
    expect(await client.ask('view')).toMatchObject(missing);
    expect(await recorded(server.certs)).toHaveLength(1);
    const pair = { cert: certificateOf(reply), key: pemOf(keys.privateKey) };
    const certified = await WireClient.open(server, pair);
    // What enrolment gave is of use only with the certificate, and where logins are of use at all.
    if (mode === 'both') {
      expect(await certified.ask('view')).toMatchObject(missing);
      expect(await requestCertificate(certified, 'admin')).toMatchObject(missing);
      await certified.ask('authenticate', { token: accessToken });
    }
    expect(await certified.ask('view')).toHaveProperty('result');
    expect(await requestCertificate(certified, 'admin')).toHaveProperty('result');
  });

  test('mutual: the login that enrolment gave besides can be ended, by whoever enrolled', async () => {
    const server = await start('mutual', 'enrolment');
    const client = await WireClient.open(server);
    const missing = { error: { data: { code: 'login-required' } } };
    expect(await client.ask('logout')).toMatchObject(missing);
    await enrollAdministrator(server, client);
    const keys = newKeys();
    const reply = await requestCertificate(client, 'admin', keys);
    const certified = await WireClient.open(server, { cert: certificateOf(reply), key: pemOf(keys.privateKey) });
    expect((await certified.ask('session.list'))?.result?.['sessions']).toHaveLength(1);
    expect(await client.ask('logout')).toHaveProperty('result');
    expect((await certified.ask('session.list'))?.result?.['sessions']).toEqual([]);
    expect(await client.ask('logout')).toMatchObject(missing);
  });

  test('two requests at once on a connection that enrolled get one certificate', async () => {
    const server = await start('mutual', 'enrolment');
    const client = await WireClient.open(server);
    await enrollAdministrator(server, client);
    const first = claimOf(await nonceOf(client), 'admin');
    client.write(line('a', 'cert.request', first) + line('b', 'cert.challenge'));
    const replies = await client.replies(2);
    expect(replies.find(({ id }) => id === 'a')).toHaveProperty('result');
    expect(replies.find(({ id }) => id === 'b')).toMatchObject({ error: { data: { code: 'login-required' } } });
  });
});

test('a login that is bound to the certificate goes on with the new one, and no longer than before', async () => {
  const server = await start('both', 'enrolment');
  const enrolled = await WireClient.open(server);
  await enrollAdministrator(server, enrolled);
  const open = async (reply: Awaited<ReturnType<typeof requestCertificate>>, keys: ReturnType<typeof newKeys>) =>
    WireClient.open(server, { cert: certificateOf(reply), key: pemOf(keys.privateKey) });
  const oldKeys = newKeys();
  const first = await requestCertificate(enrolled, 'admin', oldKeys);
  const old = await open(first, oldKeys);
  await old.ask('login', { user: 'admin', password: testPassword });
  server.turnClock(50_000); // Certificates are backdated a minute: to TLS, whose clock is not turned, it is in date.
  const newKeyPair = newKeys();
  const second = await requestCertificate(old, 'admin', newKeyPair);
  const login = second?.result?.['login'] as Record<string, string>; // What a login gives is text.
  expect(await old.ask('view')).toHaveProperty('result');
  const again = await open(second, newKeyPair);
  expect(await again.ask('authenticate', { token: login['accessToken'] })).toHaveProperty('result');
  const thief = await open(first, oldKeys);
  expect(await thief.ask('authenticate', { token: login['accessToken'] })).toHaveProperty('error');
  // Kept alive day by day, it ends seven days after the password was asked, and not after the new certificate.
  let { refreshToken } = login;
  for (let day = 1; day <= 7; day++) {
    server.turnClock(24 * 60 * minute - minute);
    refreshToken = String((await again.ask('refresh', { refreshToken }))?.result?.['refreshToken']);
  }
  server.turnClock(7 * minute - 40_000);
  expect(await again.ask('refresh', { refreshToken })).toMatchObject({ error: { data: { code: 'session-expired' } } });
});
