import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { chmod, chown, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openKeyRing } from '../../src/auth/key-ring.ts';
import { rotateKeys } from '../../src/auth/key-rotation.ts';
import { LiveKeyRing } from '../../src/auth/live-key-ring.ts';
import { slowHash, startServer, type TestServer, type TestServerOptions, temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, openAs, testPassword, WireClient } from '../support/wire-client.ts';

const minute = 60_000;
const keyFileOf = ({ folder }: TestServer) => join(folder, 'data', 'token-keys.json');

function decode(token: string, part: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[part] ?? '', 'base64url').toString());
}
const kidOf = (token: string | undefined) => decode(token ?? '', 0)['kid'];

/** The same token, good for ten minutes from this time, signed by this key under this name. */
function resigned(token: string, now: number, key: KeyObject, kid = kidOf(token)): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const second = Math.floor(now / 1000);
  const claims = { ...decode(token, 1), iat: second, nbf: second, exp: second + 600 };
  const content = `${encode({ ...decode(token, 0), kid })}.${encode(claims)}`;
  return `${content}.${sign('sha256', Buffer.from(content), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

async function logIn(server: TestServer): Promise<Record<string, string>> {
  const client = await WireClient.open(server);
  const reply = await client.ask('login', { user: 'admin', password: testPassword });
  client.socket.destroy();
  return reply?.result as Record<string, string>; // What a login gives is text.
}

async function isGood(server: TestServer, token: string | undefined): Promise<boolean> {
  const client = await openAs(server, token);
  const reply = await client.ask('whoami');
  client.socket.destroy();
  return reply?.result !== undefined;
}

async function startWithLogin(options?: TestServerOptions) {
  const server = await startServer(options);
  const { accessToken: token = '', refreshToken } = await enrollAdministrator(server);
  return { server, file: keyFileOf(server), token, refreshToken };
}

describe('after a rotation', () => {
  test('tokens of the key before are good, new ones carry the new key, and logins go on', async () => {
    const { server, file, token, refreshToken } = await startWithLogin();
    const connected = await openAs(server, token);
    const { kid, replaced } = await rotateKeys(file);
    expect(kidOf(token)).toBe(replaced);
    // The server sees it by itself.
    await expect.poll(async () => kidOf((await logIn(server))['accessToken']), { timeout: 5000 }).toBe(kid);
    expect(await isGood(server, token)).toBe(true);
    expect(await connected.ask('whoami')).toHaveProperty('result');
    const stranger = await WireClient.open(server);
    const refreshed = await stranger.ask('refresh', { refreshToken });
    expect(kidOf(String(refreshed?.result?.['accessToken']))).toBe(kid);
    await server.restart();
    expect(await isGood(server, token)).toBe(true);
  });

  test('the old key verifies for the longest life of a token and 30 s, and not after that', async () => {
    const { server, file, token } = await startWithLogin();
    const old = (await openKeyRing(file)).signing;
    const at = Date.now();
    const { until } = await rotateKeys(file, at);
    expect(until).toBe(at + 60 * minute + 30_000);
    await server.reload();
    server.turnClock(60 * minute);
    expect(await isGood(server, resigned(token, at + 60 * minute, old))).toBe(true);
    server.turnClock(minute);
    expect(await isGood(server, resigned(token, at + 61 * minute, old))).toBe(false);
    const { signing, kid } = await openKeyRing(file);
    expect(await isGood(server, resigned(token, at + 61 * minute, signing, kid))).toBe(true);
    await server.restart();
    expect(await isGood(server, resigned(token, at + 61 * minute, old))).toBe(false);
  });

  test('the next one drops from the file what has ended, and nothing else', async () => {
    const { file, token } = await startWithLogin();
    const kids = async () => JSON.parse(await readFile(file, 'utf8')).keys.map((key: { kid: string }) => key.kid);
    const now = Date.now();
    const first = kidOf(token);
    const second = await rotateKeys(file, now);
    const third = await rotateKeys(file, now + 30 * minute);
    expect(await kids()).toEqual([first, second.kid, third.kid]);
    const fourth = await rotateKeys(file, now + 61 * minute);
    expect(await kids()).toEqual([second.kid, third.kid, fourth.kid]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('a key that is not in the ring is refused, also under the name of one that is', async () => {
    const { server, file, token } = await startWithLogin();
    await rotateKeys(file);
    await server.reload();
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(await isGood(server, resigned(token, Date.now(), privateKey))).toBe(false);
    expect(await isGood(server, resigned(token, Date.now(), privateKey, 'AAAAAAAAAAAA'))).toBe(false);
    const { signing, kid } = await openKeyRing(file);
    expect(await isGood(server, resigned(token, Date.now(), signing))).toBe(false); // The new key, the old name.
    expect(await isGood(server, resigned(token, Date.now(), signing, kid))).toBe(true);
  });
});

test('no login is lost in rotations that happen meanwhile', async () => {
  const { server, file } = await startWithLogin({ flags: slowHash });
  const tokens: string[] = [];
  const logInOften = async () => {
    while (tokens.length < 50) tokens.push((await logIn(server))['accessToken'] ?? '');
  };
  const logins = Promise.all([logInOften(), logInOften(), logInOften()]);
  while (tokens.length < 50) {
    await rotateKeys(file);
    await server.reload();
  }
  await logins;
  expect(new Set(tokens.map(kidOf)).size).toBeGreaterThan(2);
  for (const token of tokens) expect(await isGood(server, token)).toBe(true);
});

test('rotations at the same moment are both there, and the lock is gone', async () => {
  const { file, token } = await startWithLogin();
  const rotations = await Promise.all([rotateKeys(file), rotateKeys(file), rotateKeys(file)]);
  const { verifying } = await openKeyRing(file);
  expect([...verifying.keys()].sort()).toEqual([kidOf(token), ...rotations.map(({ kid }) => kid)].sort());
  await expect(stat(`${file}.lock`)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a file from before keys had times is good for all its keys, until one replaces the last', async () => {
  const { server, file, token } = await startWithLogin();
  const before = JSON.parse(await readFile(file, 'utf8'));
  expect(before.keys[0].since).toBeUndefined();
  const other = JSON.parse(JSON.stringify(before.keys[0]));
  await writeFile(file, JSON.stringify({ ...before, keys: [before.keys[0], { ...other, kid: 'second' }] }));
  await server.reload();
  const { signing } = await openKeyRing(file);
  server.turnClock(23 * 60 * minute);
  expect(await isGood(server, resigned(token, Date.now() + 23 * 60 * minute, signing))).toBe(true);
});

const damages: readonly (readonly [string, (file: string, text: string) => Promise<unknown>])[] = [
  ['half-written', (file, text) => writeFile(file, text.slice(0, 200))],
  ['empty', (file) => writeFile(file, '')],
  ['null', (file) => writeFile(file, 'null')],
  ['without keys', (file, text) => writeFile(file, JSON.stringify({ ...JSON.parse(text), keys: [] }))],
  ['without refresh secret', (file, text) => writeFile(file, JSON.stringify({ keys: JSON.parse(text).keys }))],
  ['with a key that cannot sign our tokens', (file, text) => writeFile(file, withRsaKey(text))],
  ['with a time that is none', (file, text) => writeFile(file, text.replace('"kid"', '"since": "soon", "kid"'))],
  ['open to others', (file) => chmod(file, 0o644)],
  ['missing', (file) => rename(file, `${file}.away`)],
];

function withRsaKey(text: string): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { kid: 'rsa', privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
  const file = JSON.parse(text);
  return JSON.stringify({ ...file, keys: [...file.keys, key] });
}

describe('a key file that is wrong leaves a running server with the keys it has:', () => {
  test.each(damages)('%s', async (_, damage) => {
    const { server, file, token } = await startWithLogin();
    const text = await readFile(file, 'utf8');
    await damage(file, text);
    await server.reload();
    expect(await isGood(server, token)).toBe(true);
    expect(kidOf((await logIn(server))['accessToken'])).toBe(kidOf(token));
    await expect(rotateKeys(file)).rejects.toMatchObject({
      code: 'bad-params',
      message: expect.stringContaining(file),
    });
    // Mended, it is taken up again.
    await rm(file, { force: true });
    await writeFile(file, text, { mode: 0o600 });
    const { kid } = await rotateKeys(file);
    await server.reload();
    expect(kidOf((await logIn(server))['accessToken'])).toBe(kid);
  });

  test('and is told once for each problem, without a word of what is in it', async () => {
    const file = join(await temporaryFolder(), 'token-keys.json');
    const problems: unknown[] = [];
    const onProblem = (problem: unknown) => void problems.push(problem);
    const ring = await LiveKeyRing.open(file, Date.now, { onProblem, onChange: () => undefined });
    onTestFinished(() => ring.close());
    const text = await readFile(file, 'utf8');
    const { refreshSecret } = JSON.parse(text);
    for (let times = 0; times < 3; times++) {
      await writeFile(file, text.slice(0, -5 - times));
      await ring.reload();
    }
    expect(problems).toHaveLength(1);
    expect(String(problems[0])).toMatch(/token-keys\.json is not a key ring of secure-inv/);
    expect(JSON.stringify(problems)).not.toContain(refreshSecret);
    await rm(file);
    await ring.reload();
    await ring.reload();
    expect(problems).toHaveLength(2);
    await writeFile(file, text, { mode: 0o600 });
    await ring.reload();
    await rm(file);
    await ring.reload();
    expect(problems).toHaveLength(3);
  });
});

test.skipIf(process.getuid?.() !== 0)(
  'somebody else’s key file is not rotated, which would take it from them',
  async () => {
    const { file } = await startWithLogin();
    await chown(file, 4711, 4711);
    await expect(rotateKeys(file)).rejects.toMatchObject({
      message: expect.stringContaining('belongs to another user'),
    });
  },
);
