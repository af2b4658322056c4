import { constants, createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type KeyRing, openKeyRing } from '../../src/auth/key-ring.ts';
import { startServer } from '../support/server.ts';
import { type SharedServer, shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, openAs, WireClient } from '../support/wire-client.ts';

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

function hmac(header: unknown, claims: unknown, secret: string | Uint8Array, hash = 'sha256'): string {
  const content = `${encode(header)}.${encode(claims)}`;
  return `${content}.${createHmac(hash, secret).update(content).digest('base64url')}`;
}

/** Signed by a key that is none of ours, in the way of another algorithm. */
const foreign =
  (alg: string, hash: string | null, key: KeyObject, padding?: number) =>
  ({ header, claims }: Parts) => {
    const content = `${encode({ ...header, alg })}.${encode(claims)}`;
    const how = { key, dsaEncoding: 'ieee-p1363' as const, ...(padding === undefined ? {} : { padding }) };
    return `${content}.${sign(hash, Buffer.from(content), how).toString('base64url')}`;
  };

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
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey;
const ed25519 = generateKeyPairSync('ed25519').privateKey;
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' });
const publicPem = (parts: Parts) => publicKey(parts).export({ type: 'spki', format: 'pem' }).toString();

/** The order of P-256. */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const number32 = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
const numberOf = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`);

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

/** Only our own key could make these: what is not as we write it is refused all the same. */
const badClaims: readonly (readonly [string, Fields])[] = [
  ['with a number as issuer', { iss: 1 }],
  ['with an issuer of other capitals', { iss: 'URN:SECURE-INV:STORE:X' }],
  ['for a list with nobody', { aud: [] }],
  ['for a list with us alone', { aud: ['secure-inv'] }],
  ['for an object', { aud: { 'secure-inv': true } }],
  ['for us with a space', { aud: 'secure-inv ' }],
  ['for us in capitals', { aud: 'SECURE-INV' }],
  ['for null', { aud: null }],
  ['with sub null', { sub: null }],
  ['with an empty sub', { sub: '' }],
  ['with sub 0', { sub: '0' }],
  ['with sub -1', { sub: '-1' }],
  ['with a space in its sub', { sub: ' 1' }],
  ['with a newline behind its sub', { sub: '1\n' }],
  ['with a wide digit as sub', { sub: '\uff11' }],
  ['with a sub past 2^53', { sub: '9007199254740993' }],
  ['with a fraction as sub', { sub: '1.0' }],
  ['with the name as sub', { sub: 'admin' }],
  ['with a list as sub', { sub: ['1'] }],
  ['with an object as sub', { sub: { toString: '1' } }],
  ['with a number as sid', { sid: 1 }],
  ['with sid null', { sid: null }],
  ['with an empty sid', { sid: '' }],
  ['with a list as sid', { sid: ['x'] }],
  ['with sid __proto__', { sid: '__proto__' }],
  ['with sid constructor', { sid: 'constructor' }],
  ['with SQL as sid', { sid: "' OR '1'='1" }],
  ['with text as epoch', { epoch: '0' }],
  ['with a fraction as epoch', { epoch: 0.5 }],
  ['with epoch null', { epoch: null }],
  ['with epoch false', { epoch: false }],
  ['of a later epoch', { epoch: 1_000_000 }],
  ['of an epoch past all numbers', { epoch: 1e300 }],
  ['with iat as text', { iat: '1' }],
  ['with iat null', { iat: null }],
  ['with iat as a fraction', { iat: 0.5 }],
  ['that was issued in the future', { iat: Math.floor(Date.now() / 1000) + 3600 }],
  ['with nbf as text', { nbf: '0' }],
  ['with nbf null', { nbf: null }],
  ['with nbf past all numbers', { nbf: 1e300 }],
  ['with nbf beyond the skew', { nbf: Math.floor(Date.now() / 1000) + 60, iat: Math.floor(Date.now() / 1000) + 60 }],
  ['with exp null', { exp: null }],
  ['with exp 0', { exp: 0 }],
  ['with a negative exp', { exp: -1 }],
  ['with exp before all dates', { exp: -1e300 }],
  ['with exp in milliseconds before all dates', { exp: -9e15 }],
  ['with exp after all dates', { exp: Number.MAX_SAFE_INTEGER }],
  ['with exp as a list', { exp: [9_999_999_999] }],
  ['with exp as a date', { exp: '2099-01-01T00:00:00Z' }],
  ['with a number as jti', { jti: 7 }],
  ['with jti null', { jti: null }],
  ['with text as cnf', { cnf: 'A'.repeat(43) }],
  ['with an empty cnf', { cnf: {} }],
  ['with a number as cnf', { cnf: 0 }],
  ['with false as cnf', { cnf: false }],
  ['with a list as cnf', { cnf: [] }],
  ['bound to null', { cnf: { 'x5t#S256': null } }],
  ['bound to an empty thumbprint', { cnf: { 'x5t#S256': '' } }],
  ['bound to a list', { cnf: { 'x5t#S256': ['A'.repeat(43)] } }],
  ['bound to a key', { cnf: { jwk: jwkOf(stranger.publicKey) } }],
];

const badHeaders: readonly (readonly [string, Fields])[] = [
  ['with kid null', { kid: null }],
  ['with an empty kid', { kid: '' }],
  ['with an object as kid', { kid: { toString: 'x' } }],
  ['with constructor as kid', { kid: 'constructor' }],
  ['with a NUL as kid', { kid: '\0' }],
  ['with a URL as kid', { kid: 'https://example.com/key' }],
  ['with a known crit', { crit: ['alg'] }],
  ['with an empty crit', { crit: [] }],
  ['with text as crit', { crit: 'exp' }],
  ['with crit null', { crit: null }],
  ['with b64 true', { b64: true }],
  ['with a zip', { zip: 'DEF' }],
  ['with an enc', { enc: 'A128GCM' }],
  ['with an x5t', { 'x5t#S256': 'A'.repeat(43) }],
  ['with a jwk of ours', { jwk: { kty: 'EC' } }],
  ['with jwks', { jwks: { keys: [] } }],
  ['with a header that nobody knows', { 'urn:x': 1 }],
  ['of typ null', { typ: null }],
  ['of typ at+jwt in a list', { typ: ['at+jwt'] }],
  ['of typ application/at+jwt', { typ: 'application/at+jwt' }],
  ['of typ at+jwt and a space', { typ: 'at+jwt ' }],
  ['of algorithms in a list', { alg: ['ES256'] }],
  ['of algorithm null', { alg: null }],
  ['of algorithm constructor', { alg: 'constructor' }],
];

const forgedElsewhere: readonly (readonly [string, (parts: Parts) => unknown])[] = [
  ...['NONE', 'nOnE', 'none ', ''].map(
    (alg) =>
      [
        `of algorithm ${JSON.stringify(alg)}`,
        ({ header, claims }: Parts) => `${encode({ ...header, alg })}.${encode(claims)}.`,
      ] as const,
  ),
  ['of algorithm none in two parts', ({ header, claims }) => `${encode({ ...header, alg: 'none' })}.${encode(claims)}`],
  ...['sha384', 'sha512'].map(
    (hash) =>
      [
        `of algorithm HS${hash.slice(3)} with the public key in PEM`,
        (parts: Parts) => hmac({ ...parts.header, alg: `HS${hash.slice(3)}` }, parts.claims, publicPem(parts), hash),
      ] as const,
  ),
  [
    'of algorithm HS256 with the public point',
    (parts) => {
      const { x = '', y = '' } = jwkOf(publicKey(parts));
      const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
      return hmac({ ...parts.header, alg: 'HS256' }, parts.claims, point);
    },
  ],
  ['of algorithm HS256 with the kid', (parts) => hmac({ ...parts.header, alg: 'HS256' }, parts.claims, parts.keys.kid)],
  ['of algorithm ES384 by a P-384 key', foreign('ES384', 'sha384', p384)],
  ['of algorithm ES512', foreign('ES512', 'sha512', p521)],
  ['of algorithm ES256 by a P-384 key', foreign('ES256', 'sha256', p384)],
  ['of algorithm ES256 by an RSA key', foreign('ES256', 'sha256', rsa)],
  ['of algorithm PS256', foreign('PS256', 'sha256', rsa, constants.RSA_PKCS1_PSS_PADDING)],
  ['of algorithm EdDSA', foreign('EdDSA', null, ed25519)],
  ['with r = 0', withSignature((signature) => Buffer.concat([Buffer.alloc(32), signature.subarray(32)]))],
  ['with s = 0', withSignature((signature) => Buffer.concat([signature.subarray(0, 32), Buffer.alloc(32)]))],
  ['with r = n', withSignature((signature) => Buffer.concat([number32(order), signature.subarray(32)]))],
  ['with s = n', withSignature((signature) => Buffer.concat([signature.subarray(0, 32), number32(order)]))],
  ['with r = s = n', withSignature(() => Buffer.concat([number32(order), number32(order)]))],
  ['with r and s past n', withSignature(() => Buffer.alloc(64, 0xff))],
  ['with r = s = 1', withSignature(() => Buffer.concat([number32(1n), number32(1n)]))],
  [
    'with its signature turned round',
    withSignature((signature) => Buffer.concat([signature.subarray(32), signature.subarray(0, 32)])),
  ],
  ['with a zero before its signature', withSignature((signature) => Buffer.concat([Buffer.alloc(1), signature]))],
  ['of five parts, as if it were encrypted', ({ token }) => `${token}.${encode('x')}.${encode('y')}`],
  [
    'that is a JWE',
    (parts) => [{ ...parts.header, alg: 'dir', enc: 'A256GCM' }, '', 'iv', 'text', 'tag'].map(encode).join('.'),
  ],
  [
    'in flattened JSON serialization',
    ({ token }) => {
      const [header, payload, signature] = token.split('.');
      return JSON.stringify({ protected: header, payload, signature });
    },
  ],
  ['with a space in it', ({ token }) => token.replace('.', ' .')],
  ['with a newline in it', ({ token }) => token.replace('.', '\n.')],
  ['with a carriage return behind', ({ token }) => `${token}\r`],
  ['with padding in its header', ({ token }) => token.replace('.', '=.')],
  ['with a NUL behind', ({ token }) => `${token}\0`],
  ['with a word in front', ({ token }) => `Bearer ${token}`],
  ['with an escape', ({ token }) => token.replace('.', '%2E')],
  ['with a part too many in front', ({ token }) => `.${token}`],
  ['with letters that are no ASCII', ({ token }) => `\uff45${token.slice(1)}`],
  ['of emoji', () => '\u{1f511}'.repeat(40)],
  ['with an escape sequence', () => '\u001b[2J.\u009b.\u202e'],
  ['of half a surrogate pair', ({ token }) => `${token}\ud800`],
  [
    'whose header is no UTF-8',
    ({ token }) => token.replace(/^[^.]+/, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]).toString('base64url')),
  ],
  ['whose header is a list', ({ claims, keys }) => signed('[]', claims, keys.signing)],
  [
    'whose header is deep',
    ({ claims, keys }) => signed(`{"alg":${'['.repeat(400)}${']'.repeat(400)}}`, claims, keys.signing),
  ],
  [
    'whose header has a byte order mark',
    ({ header, claims, keys }) => signed(`\ufeff${JSON.stringify(header)}`, claims, keys.signing),
  ],
  [
    'whose claims have another user twice',
    ({ header, claims, keys }) => signed(header, `${JSON.stringify(claims).slice(0, -1)},"sub":"2"}`, keys.signing),
  ],
  ['whose claims are swapped with its header', ({ token }) => token.split('.').toReversed().join('.')],
  [
    'with the claims of another token',
    ({ token, claims }) => token.replace(/\.[^.]+\./, `.${encode({ ...claims, sub: '2' })}.`),
  ],
];

const allForged = [
  ...forged,
  ...forgedElsewhere,
  ...badHeaders.map(([what, header]) => [what, ours(header)] as const),
  ...badClaims.map(([what, claims]) => [what, ours({}, claims)] as const),
];

const wrongTypes = [null, 0, true, {}, []];

test.each(allForged)('a token %s is refused, does not log in, and leaves its connection usable', async (_, make) => {
  const client = await WireClient.open(server());
  const parts = await takeApart(server());
  const reply = await client.ask('authenticate', { token: make(parts) });
  expect(reply?.error?.data.code).toMatch(/^(login-required|session-expired)$/);
  expect(await client.ask('view')).toMatchObject({ error: { code: 1001 } });
  expect(await client.ask('authenticate', { token: parts.token })).toMatchObject({ result: { user: 'admin' } });
});

test('no two of these attacks have the same name', () => {
  expect(new Set(allForged.map(([what]) => what)).size).toBe(allForged.length);
});

describe('a token that is good', () => {
  test('and whose signature was turned into its twin (s to n - s) says the same, and no more', async () => {
    // Anybody can do that to any ECDSA signature. It makes no new claim, and a session ends by its sid, not by its bytes.
    const turn = withSignature((signature) =>
      Buffer.concat([signature.subarray(0, 32), number32(order - numberOf(signature.subarray(32)))]),
    );
    const administrator = await openAs(server(), server().grant['accessToken']);
    const { client, grant } = await enrollUser(server(), administrator, 'twin', 'viewer');
    const twin = turn({ ...(await takeApart(server())), token: grant['accessToken'] ?? '' });
    const other = await openAs(server(), twin);
    expect(await other.ask('whoami')).toMatchObject({ result: { user: 'twin', role: 'viewer' } });
    await client.ask('logout');
    expect(await other.ask('whoami')).toMatchObject({ error: { data: { code: 'session-expired' } } });
    const again = await WireClient.open(server());
    expect(await again.ask('authenticate', { token: twin })).toMatchObject({ error: { code: 1002 } });
  });

  test('of one user is not good with the id or the session of another', async () => {
    const administrator = await openAs(server(), server().grant['accessToken']);
    const { grant } = await enrollUser(server(), administrator, 'other', 'viewer');
    const parts = await takeApart(server());
    const claims = JSON.parse(Buffer.from(grant['accessToken']?.split('.')[1] ?? '', 'base64url').toString());
    const mixed: readonly Fields[] = [
      { sub: claims.sub },
      { sid: claims.sid },
      { sub: claims.sub, epoch: claims.epoch },
      { sid: claims.sid, epoch: claims.epoch },
    ];
    for (const taken of mixed) {
      const client = await WireClient.open(server());
      const token = ours({}, taken)(parts);
      expect(await client.ask('authenticate', { token })).toMatchObject({
        error: { data: { code: 'session-expired' } },
      });
      expect(await client.ask('whoami')).toMatchObject({ error: { code: 1001 } });
    }
    // Nor may a connection change hands.
    const client = await openAs(server(), server().grant['accessToken']);
    expect(await client.ask('authenticate', { token: grant['accessToken'] })).toMatchObject({ error: { code: 1001 } });
    expect(await client.ask('whoami')).toMatchObject({ result: { user: 'admin' } });
  });

  test('is worth nothing at another server, nor as a refresh token', async () => {
    const elsewhere = await startServer();
    const { accessToken } = await enrollAdministrator(elsewhere);
    const client = await WireClient.open(server());
    expect(await client.ask('authenticate', { token: accessToken })).toMatchObject({ error: { code: 1001 } });
    const refreshToken = server().grant['accessToken'];
    expect(await client.ask('refresh', { refreshToken })).toMatchObject({
      error: { data: { code: 'login-required' } },
    });
    expect(await client.ask('whoami')).toMatchObject({ error: { code: 1001 } });
  });
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
