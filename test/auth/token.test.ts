import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type KeyRing, openKeyRing } from '../../src/auth/key-ring.ts';
import { type SharedServer, shareServer } from '../support/shared-server.ts';
import { openAs, WireClient } from '../support/wire-client.ts';

const server = shareServer();

type Fields = Readonly<Record<string, unknown>>;

/** A token of the server's, taken apart, and what it takes to put another one together. */
interface Parts {
  readonly header: Fields;
  readonly claims: Fields;
  readonly token: string;
  readonly keys: KeyRing;
  readonly keyFile: string;
  readonly second: number;
}

async function takeApart({ grant, folder }: SharedServer): Promise<Parts> {
  const keyFile = join(folder, 'data', 'token-keys.json');
  const token = grant['accessToken'] ?? '';
  const [header, claims] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
  return {
    header: JSON.parse(header ?? ''),
    claims: JSON.parse(claims ?? ''),
    token,
    keys: await openKeyRing(keyFile),
    keyFile,
    second: Math.floor(Date.now() / 1000),
  };
}

const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

function signed(
  header: unknown,
  claims: unknown,
  key: KeyObject,
  dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363',
): string {
  const content = `${encode(header)}.${encode(claims)}`;
  return `${content}.${sign('sha256', Buffer.from(content), { key, dsaEncoding }).toString('base64url')}`;
}

function hmac(header: unknown, claims: unknown, secret: string | Uint8Array): string {
  const content = `${encode(header)}.${encode(claims)}`;
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

/** Signed by the server's own key: only what is changed can be what is wrong. */
const ours =
  (header: Fields, claims: Fields = {}) =>
  (parts: Parts) =>
    signed(without({ ...parts.header, ...header }), without({ ...parts.claims, ...claims }), parts.keys.signing);

/** Absent, not undefined. */
const without = (fields: Fields): Fields => JSON.parse(JSON.stringify(fields));

const publicKey = ({ keys }: Parts) => createPublicKey(keys.signing);
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' });

function tampered(part: number, change: (fields: Record<string, unknown>) => void) {
  return ({ token }: Parts) => {
    const all = token.split('.');
    const fields = JSON.parse(Buffer.from(all[part] ?? '', 'base64url').toString());
    change(fields);
    all[part] = encode(fields);
    return all.join('.');
  };
}

function withSignature(change: (signature: Buffer) => Buffer) {
  return ({ token }: Parts) => {
    const [header, claims, signature = ''] = token.split('.');
    return `${header}.${claims}.${change(Buffer.from(signature, 'base64url')).toString('base64url')}`;
  };
}

const forged: readonly (readonly [string, (parts: Parts) => unknown])[] = [
  ['signed by another key', ({ header, claims }) => signed(header, claims, stranger.privateKey)],
  [
    'signed by another key under its own kid',
    ({ header, claims }) => signed({ ...header, kid: 'mine' }, claims, stranger.privateKey),
  ],
  ['of algorithm none', ({ header, claims }) => `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`],
  ['of algorithm None', ({ header, claims }) => `${encode({ ...header, alg: 'None' })}.${encode(claims)}.`],
  ['of algorithm none with the true signature', tampered(0, (header) => (header['alg'] = 'none'))],
  [
    'of algorithm HS256 with the public key in PEM',
    (parts) =>
      hmac(
        { ...parts.header, alg: 'HS256' },
        parts.claims,
        publicKey(parts).export({ type: 'spki', format: 'pem' }).toString(),
      ),
  ],
  [
    'of algorithm HS256 with the public key in PEM, trimmed',
    (parts) =>
      hmac(
        { ...parts.header, alg: 'HS256' },
        parts.claims,
        publicKey(parts).export({ type: 'spki', format: 'pem' }).toString().trim(),
      ),
  ],
  [
    'of algorithm HS256 with the public key in DER',
    (parts) =>
      hmac({ ...parts.header, alg: 'HS256' }, parts.claims, publicKey(parts).export({ type: 'spki', format: 'der' })),
  ],
  [
    'of algorithm HS256 with the public key as JWK',
    (parts) => hmac({ ...parts.header, alg: 'HS256' }, parts.claims, JSON.stringify(jwkOf(publicKey(parts)))),
  ],
  ['of algorithm HS256 with an empty secret', ({ header, claims }) => hmac({ ...header, alg: 'HS256' }, claims, '')],
  [
    'of algorithm ES256 with an HMAC in place of a signature',
    (parts) => hmac(parts.header, parts.claims, publicKey(parts).export({ type: 'spki', format: 'der' })),
  ],
  ['of algorithm ES384', ({ header, claims }) => signed({ ...header, alg: 'ES384' }, claims, p384)],
  ['of algorithm RS256', ({ header, claims }) => signed({ ...header, alg: 'RS256' }, claims, rsa)],
  ['of algorithm ES256K by our key', ours({ alg: 'ES256K' })],
  ['without algorithm', ours({ alg: undefined })],
  ['of algorithm es256', ours({ alg: 'es256' })],
  ['with another sub', tampered(1, (claims) => (claims['sub'] = '2'))],
  ['with a later exp', tampered(1, (claims) => (claims['exp'] = Number(claims['exp']) + 3600))],
  ['with a header that was changed', tampered(0, (header) => (header['x'] = 1))],
  [
    'with a bit of its signature turned',
    withSignature((signature) => Buffer.concat([Buffer.of((signature[0] ?? 0) ^ 1), signature.subarray(1)])),
  ],
  ['with an empty signature', withSignature(() => Buffer.alloc(0))],
  ['with a signature of zeros', withSignature(() => Buffer.alloc(64))],
  ['with half a signature', withSignature((signature) => signature.subarray(0, 32))],
  ['with a signature that is too long', withSignature((signature) => Buffer.concat([signature, Buffer.alloc(1)]))],
  ['with its signature in DER', ({ header, claims, keys }) => signed(header, claims, keys.signing, 'der')],
  ['without signature', ({ token }) => token.split('.').slice(0, 2).join('.')],
  ['of four parts', ({ token }) => `${token}.${token.split('.')[2]}`],
  ['of another issuer', ours({}, { iss: 'urn:secure-inv:store:00000000-0000-4000-8000-000000000000' })],
  ['without issuer', ours({}, { iss: undefined })],
  ['of issuers in a list', ours({}, { iss: ['urn:secure-inv:store:x'] })],
  ['for another audience', ours({}, { aud: 'other' })],
  ['for several audiences', ours({}, { aud: ['secure-inv', 'other'] })],
  ['without audience', ours({}, { aud: undefined })],
  ['without exp', ours({}, { exp: undefined })],
  ['with exp as text', ours({}, { exp: '9999999999' })],
  ['with exp past all numbers', ours({}, { exp: 1e300 })],
  ['with exp as a fraction', ours({}, { exp: 4e9 + 0.5 })],
  ['without sub', ours({}, { sub: undefined })],
  ['with a number as sub', ours({}, { sub: 1 })],
  ['with sub 01', ours({}, { sub: '01' })],
  ['with sub 1e0', ours({}, { sub: '1e0' })],
  ['with a sub that nobody has', ours({}, { sub: '999' })],
  ['without sid', ours({}, { sid: undefined })],
  ['with a sid that never was', ours({}, { sid: 'AAAAAAAAAAAAAAAA' })],
  ['without nbf', ours({}, { nbf: undefined })],
  ['not valid yet', ours({}, { nbf: Math.floor(Date.now() / 1000) + 3600 })],
  ['without iat', ours({}, { iat: undefined })],
  ['without jti', ours({}, { jti: undefined })],
  ['without epoch', ours({}, { epoch: undefined })],
  ['of an earlier epoch', ours({}, { epoch: -1 })],
  ['bound to a certificate', ours({}, { cnf: { 'x5t#S256': 'A'.repeat(43) } })],
  ['bound to nothing we know', ours({}, { cnf: { jkt: 'A'.repeat(43) } })],
  ['with cnf null', ours({}, { cnf: null })],
  ['without kid', ours({ kid: undefined })],
  ['of an unknown kid', ours({ kid: 'AAAAAAAAAAAA' })],
  ['with a path as kid', ours({ kid: '../../../../dev/null' })],
  ['with the key file as kid', (parts) => ours({ kid: parts.keyFile })(parts)],
  ['with SQL as kid', ours({ kid: "x' UNION SELECT 'key" })],
  ['with __proto__ as kid', ours({ kid: '__proto__' })],
  ['with a number as kid', ours({ kid: 0 })],
  ['with a list as kid', (parts) => ours({ kid: [parts.keys.kid] })(parts)],
  ['with an unknown crit', ours({ crit: ['exp'] })],
  ['with b64 false', ours({ b64: false, crit: ['b64'] })],
  [
    'with a jwk of its own',
    ({ header, claims }) => signed({ ...header, jwk: jwkOf(stranger.publicKey) }, claims, stranger.privateKey),
  ],
  ['with a jku', ours({ jku: 'https://example.com/keys' })],
  ['with an x5u', ours({ x5u: 'https://example.com/cert.pem' })],
  ['with an x5c', ours({ x5c: ['AAAA'] })],
  ['with a cty', ours({ cty: 'JWT' })],
  ['of typ JWT', ours({ typ: 'JWT' })],
  ['of typ AT+JWT', ours({ typ: 'AT+JWT' })],
  ['without typ', ours({ typ: undefined })],
  ['of more than 2 KiB', ours({}, { jti: 'x'.repeat(2000) })],
  [
    'with its header twice',
    ({ header, claims, keys }) => signed(`${JSON.stringify(header).slice(0, -1)},"alg":"none"}`, claims, keys.signing),
  ],
  ['whose claims are no object', ({ header, keys }) => signed(header, '"text"', keys.signing)],
  ['whose claims are a list', ({ header, keys }) => signed(header, '[]', keys.signing)],
  ['whose claims are null', ({ header, keys }) => signed(header, 'null', keys.signing)],
  ['whose claims are no JSON', ({ header, keys }) => signed(header, '{', keys.signing)],
  ['whose header is null', ({ claims, keys }) => signed('null', claims, keys.signing)],
  ['in JSON serialization', ({ token }) => JSON.stringify({ token })],
  ['that is a refresh token', () => server().grant['refreshToken']],
  ['that is empty', () => ''],
  ['of dots', () => '..'],
  ['of white space around', ({ token }) => ` ${token}`],
  ['of a newline behind', ({ token }) => `${token}\n`],
  ['of padding', ({ token }) => `${token}==`],
];

const wrongTypes = [null, 0, true, {}, []];

test.each(forged)('a token %s is refused, and does not log in', async (_, make) => {
  const client = await WireClient.open(server());
  const reply = await client.ask('authenticate', { token: make(await takeApart(server())) });
  expect(reply?.error?.data.code).toMatch(/^(login-required|session-expired)$/);
  expect(await client.ask('view')).toMatchObject({ error: { code: 1001 } });
});

test('the true token is accepted, so that the others are refused for what they are', async () => {
  const parts = await takeApart(server());
  for (const token of [parts.token, ours({})(parts)]) {
    const client = await openAs(server(), token);
    expect(await client.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
  }
});

test('what is no text is refused as a parameter', async () => {
  const client = await WireClient.open(server());
  for (const token of wrongTypes) {
    expect(await client.ask('authenticate', { token })).toMatchObject({ error: { data: { code: 'bad-params' } } });
  }
});

describe('time', () => {
  test('an expired token says when it expired; 30 s of skew are allowed', async () => {
    const parts = await takeApart(server());
    const at = (exp: number) => ours({}, { iat: exp - 600, nbf: exp - 600, exp })(parts);
    const client = await WireClient.open(server());
    expect(await client.ask('authenticate', { token: at(parts.second - 60) })).toMatchObject({
      error: {
        code: 1002,
        message: expect.stringMatching(/^Your session expired at \d\d:\d\d UTC\.$/),
        data: { code: 'session-expired' },
      },
    });
    expect(await client.ask('authenticate', { token: at(parts.second - 10) })).toMatchObject({
      result: { user: 'admin' },
    });
  });

  test('a token that expires on an open connection ends there, too', async () => {
    const parts = await takeApart(server());
    const client = await openAs(server(), ours({}, { exp: parts.second - 28 })(parts));
    expect(await client.ask('whoami')).toHaveProperty('result');
    await expect
      .poll(async () => (await client.ask('whoami'))?.error?.data.code, { timeout: 4000 })
      .toBe('session-expired');
    expect(await client.ask('authenticate', { token: parts.token })).toHaveProperty('result');
    expect(await client.ask('whoami')).toHaveProperty('result');
  });
});

test('the key file is its owner’s alone, and no reply quotes it', async () => {
  const { keyFile } = await takeApart(server());
  const { refreshSecret } = JSON.parse(await readFile(keyFile, 'utf8'));
  const client = await openAs(server(), server().grant['accessToken']);
  expect(JSON.stringify(await client.ask('rpc.discover'))).not.toContain(refreshSecret);
});
