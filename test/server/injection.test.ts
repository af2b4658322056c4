import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createServer } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { compilePrograms } from '../../scripts/programs.ts';
import { boundedLinesPerSecondMax } from '../../src/model/limits.ts';
import { ensureCertificates } from '../../src/pki/issue.ts';
import { clientAuthority, makeOddCertificate, type Oddity, uri, userUri } from '../auth/odd-certificate.ts';
import { startProcess } from '../fault/server-process.ts';
import { temporaryFolder } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, line, openAs, testPassword, WireClient } from '../support/wire-client.ts';

const server = shareServer();

/** What a terminal would obey, or show otherwise than it is. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Clears the screen, sets the title, reverses text, forges a line of a log and of our own output. */
const hostileTexts: readonly string[] = [
  '\u001b[2J\u001b[1;1H',
  '\u001b]0;owned\u0007',
  '\u009b2J',
  '\u009d0;owned\u009c',
  'abc\u202ecba',
  '\u2066\u2069\u200f',
  'zero\u200bwidth\ufeff',
  'a\r\nb',
  'line\u2028line\u2029line\u0085line',
  'back\b\b\bspace\u007f',
  'nul\0nul',
  '"}\n{"level":60,"msg":"forged"}',
  '\nhint: Run: rm -rf ~',
];

let client = '';

/** As it is installed, which starts faster than from source. */
beforeAll(async () => {
  const built = await mkdtemp(join(tmpdir(), 'secure-inv-'));
  client = join(built, 'dist', 'secure-inv.js');
  await copyFile(new URL('../../package.json', import.meta.url), join(built, 'package.json')); // It has the version.
  await compilePrograms(join(built, 'dist'));
  return () => rm(built, { recursive: true });
});

interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** `secure-inv` off a terminal, in a home of its own, with lines to read. */
function secureInv(home: string, env: Readonly<Record<string, string>>, words: readonly string[], input = '') {
  return new Promise<Run>((resolve) => {
    const options = { env: { HOME: home, PATH: process.env['PATH'] ?? '', ...env } };
    const child = execFile(process.execPath, [client, ...words], options, (error, out, err) =>
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
    child.stdin?.end(input);
  });
}

function expectPrintable(text: string): void {
  for (const shown of text.split('\n')) expect(shown).not.toMatch(unprintable);
}

/** A server with a certificate that its user trusts, which answers each method as it likes. */
async function startHostileServer(answer: (method: string) => Readonly<Record<string, unknown>>) {
  const folder = await temporaryFolder();
  await ensureCertificates(folder, []);
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  const [key, cert] = [await read('server-key.pem'), await read('server.pem')];
  const listening = createServer({ key, cert, ALPNProtocols: ['secure-inv/1'] }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (text) => {
      for (const request of String(text).trim().split('\n')) {
        const { id, method } = JSON.parse(request);
        socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...answer(method) })}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void listening.close());
  const address = listening.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const env = {
    SECURE_INV_SERVER: `127.0.0.1:${port}`,
    SECURE_INV_CA: join(folder, 'server-ca.pem'),
    SECURE_INV_TOKEN: 'any',
  };
  return (words: readonly string[], input?: string) => secureInv(folder, env, words, input);
}

const all = hostileTexts.join(' ');
const at = new Date(0).toISOString();
const stock = {
  item: all,
  quantity: 1,
  unit: all,
  locations: [{ location: all, quantity: 1 }],
  precision: 0,
  sku: all,
};
const movement = {
  seq: 1,
  at: all,
  kind: all,
  item: all,
  location: all,
  delta: 1,
  balance: 1,
  user: all,
  note: all,
  operation: all,
};
const results: Readonly<Record<string, unknown>> = {
  view: { items: [stock], cursor: all, seq: 1 },
  history: { movements: [movement], cursor: all },
  whoami: {
    user: all,
    role: all,
    permissions: [all],
    expiresAt: all,
    certificate: { serial: all, thumbprint: all, notAfter: all },
  },
  'user.list': { users: [{ user: all, role: all, state: all, locations: [all], createdAt: all }] },
  add: { item: all, location: all, quantity: 1, balance: 1, seq: 1, operation: all, at, created: true },
  move: {
    item: all,
    quantity: 1,
    from: { location: all, balance: 1 },
    to: { location: all, balance: 1 },
    seq: 1,
    operation: all,
    at,
  },
  count: { item: all, location: all, quantity: 1, delta: 1, balance: 1, seq: 1, operation: all, at },
  undo: {
    lines: [{ item: all, location: all, delta: 1, balance: 1, seq: 2, undoes: 1, operation: all, at }],
    operation: all,
  },
};

describe('a hostile server cannot steer the terminal of its client', () => {
  test('by the texts of its results, also as JSON and in the menu', async () => {
    const run = await startHostileServer((method) => ({ result: results[method] ?? {} }));
    const runs = await Promise.all([
      ...[['view'], ['view', '--json'], ['history'], ['whoami'], ['user', 'list'], ['add', 'Soap', '1']].map((words) =>
        run(words),
      ),
      run(['move', 'Soap', '1', '--from', 'main', '--to', 'cellar']),
      run(['count', 'Soap', '1']),
      run(['undo', '1']),
      run(['menu'], '2\n1\nSoap\n1\n3\n'),
    ]);
    for (const { status, out, err } of runs) {
      expect(err).toBe('');
      expect(status).toBe(0);
      expect(out).toContain('owned');
      expectPrintable(out);
    }
  });

  test('by its refusals: message, hint, reason and code', async () => {
    const data = { code: 'not-found', hint: all, reason: all, request: all };
    const run = await startHostileServer((method) =>
      method === 'authenticate' || method === 'whoami'
        ? { result: results['whoami'] }
        : { error: { code: 1005, message: all, data } },
    );
    const runs = await Promise.all([run(['view']), run(['view', '--json']), run(['menu'], '2\n3\n')]);
    for (const { out, err } of runs) {
      expect(out + err).toContain('owned');
      expectPrintable(out);
      expectPrintable(err);
    }
    // One message and one hint: a line in the message is no hint of ours.
    expect(runs[0]?.err.trimEnd().split('\n')).toHaveLength(2);
    expect(runs[0]?.status).toBe(5);
  });

  test('by results of the wrong shape, which are refused without a trace of the program', async () => {
    const wrong = [{ items: [{ item: { a: all } }], seq: all }, all];
    for (const result of wrong) {
      const run = await startHostileServer(() => ({ result }));
      const { status, out, err } = await run(['view']);
      expect(out).toBe('');
      expect(err).toMatch(/^secure-inv: The server sent a result that this program does not understand\.\nhint: .*\n$/);
      expect(status).toBe(2);
    }
  });

  test('by a refusal whose message is no text', async () => {
    const message = { toString: 1, valueOf: 1 };
    const run = await startHostileServer(() => ({ error: { code: 1005, message, data: { code: 'not-found' } } }));
    const { status, err } = await run(['view']);
    expect(err).toMatch(/^secure-inv: The server refused, and did not say why\.\n/);
    expect(status).toBe(5);
  });

  test('by an enrolment code with a command of the shell in it', async () => {
    const code = "x'; touch /tmp/x; '";
    const run = await startHostileServer(() => ({ result: { user: 'a', role: 'clerk', code, expiresAt: at } }));
    const { out, err } = await run(['user', 'add', 'clerk1', '--role', 'clerk']);
    expect(out).toBe('');
    expect(err).toContain('does not understand');
    expect(err).not.toContain('touch');
  });
});

test('what stands in a delivery note comes back printable', async () => {
  for (const text of hostileTexts) {
    for (const words of [`${text} 5`, `Soap ${text}`, `Soap 5\n${text}5x`]) {
      const { status, err } = await secureInv(server().folder, {}, ['add', '-'], words);
      expect(status).not.toBe(0);
      expectPrintable(err);
      expect(err.split('\n').length).toBeLessThan(4);
    }
  }
});

test('what a person types, or a script passes on, comes back printable, from the client and from the server', async () => {
  const { folder, port, certs, grant } = server();
  const env = {
    SECURE_INV_SERVER: `127.0.0.1:${port}`,
    SECURE_INV_CA: join(certs, 'server-ca.pem'),
    SECURE_INV_TOKEN: grant['accessToken'] ?? '',
  };
  const text = hostileTexts.filter((one) => !one.includes('\0')).join(' ');
  const commandLines = [
    ['add', text, '1'],
    ['add', 'Soap', text],
    ['add', 'Soap', '1', text, '1'],
    ['take', 'Soap', '1', 'Towels', text],
    ['move', text, '1', '--from', 'main', '--to', 'cellar'],
    ['move', 'Soap', '1', '--from', text, '--to', text],
    ['count', 'Soap', text],
    ['count', 'Soap', '1', '--if-seq', text],
    ['undo', text],
    ['add', 'Soap', '1', '--at', text],
    ['view', text],
    ['view', '--search', text.slice(0, 100), '--sort', text],
    [text],
    [`--${text}`],
    ['view', '--context', text],
    ['view', '--server', text],
    ['view', '--ca', text],
    ['login', '--user', text, '--ca', text],
    ['enroll', text],
    ['context', 'use', text],
  ];
  const runs = await Promise.all(commandLines.map((words) => secureInv(folder, env, words)));
  for (const { status, out, err } of runs) {
    expect(status).not.toBe(0);
    expectPrintable(out);
    expectPrintable(err);
    expect(err).toMatch(/^secure-inv: /);
    expect(err.split('\n').length).toBeLessThan(4);
  }
});

describe('over the wire', () => {
  test.each(hostileTexts.map((text) => [JSON.stringify(text), text]))(
    '%s is never echoed as it is',
    async (_, text) => {
      const session = await openAs(server(), server().grant['accessToken']);
      const operation = randomUUID();
      const asked: readonly (readonly [string, unknown])[] = [
        [text, {}],
        ['add', { item: text, quantity: 1, operation }],
        ['add', { item: 'x', quantity: 1, location: text, operation }],
        ['add', { item: 'x', quantity: 1, note: text, operation }],
        ['add', { item: 'x', quantity: text, operation }],
        ['add', { item: 'x', quantity: 1, operation: text }],
        ['view', { [text]: 1 }],
        ['view', { sort: text }],
        ['view', { cursor: text }],
        ['view', { category: text, limit: text }],
        ['history', { user: text }],
        ['history', { since: text }],
        ['user.add', { user: text, role: 'clerk' }],
        ['user.add', { user: 'x', role: text }],
        ['user.disable', { user: text }],
        ['authenticate', { token: text }],
        ['refresh', { refreshToken: text }],
        ['login', { user: text, password: text }],
      ];
      for (const [method, params] of asked) {
        const reply = await session.ask(method, params);
        // A message may quote it, written out; whatever it quotes is short.
        expect(reply?.error?.message ?? '').not.toMatch(unprintable);
        expect(reply?.error?.data.hint ?? '').not.toMatch(unprintable);
        expect(reply?.error?.message.length ?? 0).toBeLessThan(400);
        expect(reply?.error?.data.code).not.toBe('internal');
      }
    },
  );
});

test('the log stays one JSON object a line, whoever writes what, and has no secret and no control character', async () => {
  const folder = await temporaryFolder();
  let log = '';
  const own = await startProcess(folder, true, { logLevel: 'trace', onLog: (text) => (log += text) });
  onTestFinished(() => own.kill());
  const link = () => own.link ?? expect.fail('there is no link');
  const grant = await enrollAdministrator({ ...own, link });
  const secret = 'Very-secret-passphrase-44';
  const member = await openAs(own, grant['accessToken']);
  for (const text of hostileTexts) {
    await member.ask(text, { [text]: text });
    await member.ask('add', { item: text, quantity: 1, note: text, operation: randomUUID() });
    await member.ask('user.add', { user: text, role: text });
    const stranger = await WireClient.open(own);
    await stranger.ask('login', { user: text, password: secret, device: text });
    await stranger.ask('authenticate', { token: `${text}${secret}` });
    await stranger.ask('refresh', { refreshToken: `${secret}${text}` });
    await stranger.ask('enroll', { code: `${secret}${text}` });
    stranger.write(`${line(text.slice(0, 60), text)}{"id":${text}${secret}\n`);
    await stranger.closed;
    for (const options of [{ ALPNProtocols: [text] }, { ALPNProtocols: [] }, { servername: 'x.example.com\u0001' }]) {
      const odd = await WireClient.open(own, options).catch(() => undefined);
      odd?.write(line(1, 'ping'));
    }
  }
  await member.ask('login', { user: 'admin', password: 'wrong' });
  await member.ask('passwd', { current: testPassword, password: secret });

  const authority = await clientAuthority(join(folder, 'certs'));
  const oddities: readonly Oddity[] = hostileTexts.flatMap((text) => [
    { names: [userUri(text)], commonName: text },
    { names: [uri(text)] },
  ]);
  for (const [at, oddity] of [...oddities, { notAfter: Date.now() - 5000, commonName: all }].entries()) {
    // Strangers do not fill the log: of what they do in one second, so many lines are told.
    if (at % (boundedLinesPerSecondMax - 1) === 0) await setTimeout(1100);
    const refused = await WireClient.open(own, makeOddCertificate(authority, oddity));
    expect(await refused.reply()).toMatchObject({ id: null, error: { data: { code: 'certificate-refused' } } });
  }

  const lines = () =>
    log
      .split('\n')
      .slice(0, -1)
      .map((one) => JSON.parse(one) as Record<string, unknown>); // Or it throws.
  const refusals = () => lines().filter(({ msg }) => msg === 'certificate refused');
  await expect.poll(() => refusals().length, { timeout: 5000 }).toBe(oddities.length + 1);
  for (const one of log.split('\n')) expect(one).not.toMatch(unprintable);
  for (const { level, time, msg } of lines()) {
    expect([20, 30, 40]).toContain(level); // No bug was found, and no line is forged.
    expect([typeof time, typeof msg]).toEqual(['string', 'string']);
  }
  expect(log).not.toContain('forged');
  for (const given of [
    secret,
    testPassword,
    ...Object.values(grant).filter((value) => value.length > 20 && !value.endsWith('Z')),
  ]) {
    expect(log).not.toContain(given);
  }
});
