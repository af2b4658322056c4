import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, formatProblems } from '../../src/config/problem.ts';
import { type ConfigSource, checkServerConfig, flagName, loadServerConfig } from '../../src/config/server.ts';
import { serverSettings } from '../../src/config/server-schema.ts';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'secure-inv-config-'));
  mkdirSync(join(folder, 'config'));
  file = join(folder, 'config', 'server.jsonc');
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string, more: Partial<ConfigSource> = {}) {
  writeFileSync(file, text);
  return loadServerConfig({ file, env: {}, ...more });
}

/** The problems, with FILE in place of the file's path. */
function problems(text: string, more: Partial<ConfigSource> = {}) {
  writeFileSync(file, text);
  return checkServerConfig({ file, env: {}, ...more }).problems.map((problem) => problem.replace(file, 'FILE'));
}

describe('what the server is configured with', () => {
  test('an empty object gives every default, and paths start at the folder above config', () => {
    expect(load('{}')).toEqual({
      config: {
        listen: { host: '127.0.0.1', port: 7443, name: '' },
        store: `sqlite:${folder}/data/secure-inv.db`,
        certs: { folder: `${folder}/certs` },
        pki: { issue: 'enrolment' },
        auth: {
          mode: 'either',
          firstAdmin: 'admin',
          password: { memoryKibibytes: 65536, passes: 3, charactersMin: 12 },
          token: { accessMinutes: 10, refreshIdleHours: 24, refreshDays: 7 },
        },
        audit: { days: 400 },
        notify: { webhooks: [], secretFile: '', ca: '' },
        ops: { port: 0 },
        log: { level: 'info', format: 'auto' },
      },
      overrides: [],
      warnings: [],
      file,
      root: folder,
    });
  });

  test('the file in the package holds exactly the defaults, every one of them', () => {
    const shipped = loadServerConfig({ env: {} });
    expect(shipped.overrides).toMatchObject([...serverSettings.keys()].map((key) => ({ key, origin: 'file' })));
    writeFileSync(file, '{}');
    const elsewhere = JSON.stringify(loadServerConfig({ file, env: {} }).config);
    expect(JSON.stringify(shipped.config).replaceAll(shipped.root, folder)).toBe(elsewhere);
  });

  test('a file outside a folder called config is itself where paths start', () => {
    const lone = join(folder, 'lone.jsonc');
    writeFileSync(lone, '{ "store": "sqlite:stock.db", "certs": { "folder": "/etc/secure-inv" } }');
    const { config, root } = loadServerConfig({ file: lone, env: {} });
    expect([root, config.store, config.certs.folder]).toEqual([folder, `sqlite:${folder}/stock.db`, '/etc/secure-inv']);
  });

  test('a store that is named by a link is the file behind it, beside which its lock lies; a link to nothing stays', () => {
    writeFileSync(join(folder, 'stock.db'), '');
    mkdirSync(join(folder, 'linked'));
    for (const [name, to] of [
      ['inv.db', '../stock.db'],
      ['again.db', 'inv.db'],
      ['nothing.db', 'none'],
    ] as const)
      symlinkSync(to, join(folder, 'linked', name));
    const storeOf = (name: string) => load(JSON.stringify({ store: `sqlite:linked/${name}` })).config.store;
    const real = `sqlite:${realpathSync(folder)}/stock.db`;
    for (const name of ['inv.db', 'again.db']) expect(storeOf(name)).toBe(real);
    expect(storeOf('nothing.db')).toBe(`sqlite:${folder}/linked/nothing.db`);
  });

  test('a flag wins over the environment, that over the file, and the file over the default', () => {
    const text = '{ "listen": { "port": 1, "host": "::", }, "log": { "level": "warn" } } // done';
    const env = { SECURE_INV_LISTEN_PORT: '2', SECURE_INV_LOG_LEVEL: 'debug', OTHER: 'x' };
    const { config, overrides } = load(text, { env, flags: { 'listen.port': '3' } });
    expect([config.listen, config.log.level]).toEqual([{ host: '::', port: 3, name: '' }, 'debug']);
    expect(overrides).toEqual([
      { key: 'listen.port', origin: 'flag', where: '--listen-port' },
      { key: 'listen.host', origin: 'file', where: expect.stringMatching(/server\.jsonc:1:34$/) },
      { key: 'log.level', origin: 'environment', where: 'SECURE_INV_LOG_LEVEL' },
    ]);
  });

  test('the environment and the arguments of the process itself change nothing', () => {
    process.env['SECURE_INV_LISTEN_PORT'] = '1';
    try {
      expect(load('{}').config.listen.port).toBe(7443);
    } finally {
      delete process.env['SECURE_INV_LISTEN_PORT'];
    }
  });

  test('every allowed port and level comes through the file, the environment and a flag alike', () => {
    const port = fc.integer({ min: 0, max: 65535 });
    const level = fc.constantFrom('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent');
    fc.assert(
      fc.property(port, level, (port, level) => {
        const env = { SECURE_INV_LISTEN_PORT: String(port), SECURE_INV_LOG_LEVEL: level };
        const flags = { 'listen.port': String(port), 'log.level': level };
        for (const { config } of [
          load(JSON.stringify({ listen: { port }, log: { level } })),
          load('{}', { env }),
          load('{}', { flags }),
        ])
          expect([config.listen.port, config.log.level]).toEqual([port, level]);
      }),
      { numRuns: 50 },
    );
  });

  test('text that is not wholly an allowed number is never taken for one', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/^(0|[1-9]\d*)$/.test(text));
        expect(problems('{}', { env: { SECURE_INV_LISTEN_PORT: text } })).toHaveLength(1);
      }),
    );
  });

  test('addresses and names are told from other text', () => {
    for (const host of ['::', '::1', 'fe80::1%eth0', '0.0.0.0', 'inv.example.com', 'localhost'])
      expect(load(JSON.stringify({ listen: { host, name: host } })).config.listen.name).toBe(host);
    for (const host of ['localhost:7443', '[::1]', 'https://inv', 'a b', 'a..b', '.'])
      expect(problems(JSON.stringify({ listen: { host, name: host } }))).toHaveLength(2);
  });
});

describe('webhooks', () => {
  const key = 'notify.webhooks';
  const url = 'must be https://HOST/... without user, password, fragment and comma';
  const fix = 'write for example "https://shop.example.com/hook"';
  const of = (...webhooks: readonly unknown[]) => JSON.stringify({ notify: { webhooks } });

  test('come through the file, the environment and a flag alike', () => {
    const list = ['https://a.example/', 'https://10.0.0.1:8443/x?y=z&t[]=%2C', 'https://[::1]/', 'https://b-c.example'];
    const env = { SECURE_INV_NOTIFY_WEBHOOKS: list.join(', ') };
    const flags = { [key]: list.join(',') };
    for (const loaded of [load(of(...list)), load('{}', { env }), load('{}', { flags })])
      expect(loaded.config.notify.webhooks).toEqual(list);
    const none = { SECURE_INV_NOTIFY_WEBHOOKS: '' };
    expect(load(of(...list), { env: none }).config.notify.webhooks).toEqual([]);
  });

  test.for([
    'http://a.example/',
    'HTTPS://a.example/',
    'https://',
    'https:///x',
    'https://clerk@a.example/',
    'https://:@a.example/',
    'https://a.example/#x',
    'https://a.example/a,b',
    'https://a.example/a b',
    'https://a.example/\r\nHost: b',
    'https://a.example\\@b.example/',
    'https://a.example:70000/',
    'https://a.example:0/',
    'https://300.1.1.1/',
    'https://[::::]/',
    'https://ä.example/',
    'file:///etc/passwd',
    'a.example',
    '',
    5,
    null,
  ])('are https and nothing but: not %j', (webhook) => {
    const [problem, ...others] = problems(of('https://good.example/', webhook));
    expect(others).toEqual([]);
    expect(problem).toContain(`FILE:1:48 ${key}[1]: ${url} (got `);
    expect(problem).toContain(`) - ${fix}`);
  });

  test('that are wrong are told each with its place, and without what may be secret in them', () => {
    expect(
      problems(
        `{ "notify": { "webhooks": [\n  "http://a.example/hush?hush",\n  "https://hush:hush@b.example/#hush", 7] } }`,
      ),
    ).toEqual([
      `FILE:2:3 ${key}[0]: ${url} (got "http://a.example/...") - ${fix}`,
      `FILE:3:3 ${key}[1]: ${url} (got "https://...@b.example/...") - ${fix}`,
      `FILE:3:40 ${key}[2]: ${url} (got 7) - ${fix}`,
    ]);
    const env = { SECURE_INV_NOTIFY_WEBHOOKS: 'https://a.example/,http://b.example/hush' };
    expect(problems('{}', { env, flags: { [key]: 'https://a.example/,https://a.example/' } })).toEqual([
      `SECURE_INV_NOTIFY_WEBHOOKS ${key}[1]: ${url} (got "http://b.example/...") - ${fix}`,
      `--notify-webhooks ${key}[1]: is there twice (got "https://a.example/") - keep one of the two`,
    ]);
    expect(problems('{ "notify": { "webhook": "https://a.example/hush" } }')).toEqual([
      'FILE:1:15 notify.webhook: is not a known key (got "https://a.example/...") - did you mean notify.webhooks?',
    ]);
  });

  test.each([
    '"https://a.example/hush" "https://a.example/hush"',
    '"https:/a.example/hush"',
    '"https:a.example/hush"',
    '"https:\\\\a.example\\hush"',
    '"https//a.example/hush"',
    '"https ://a.example/hush"',
    '"htps://a.example/hush"',
    '"https://a.example hush"',
    '"a.example/hush"',
    '"a.example:443/hush"',
    'https://a.example/hush',
    "'https://a.example/hush'",
    '"https://a.example/hush',
    '{ "https://a.example/hush": 1 }',
    '{ "https://a.example/hush" 1 }',
  ])('that are misspelt as %s are a problem that does not tell what may be secret in them', (written) => {
    for (const text of [
      `{ "notify": { "webhooks": [ ${written} ] } }`,
      `{ "notify": ${written} }`,
      `{ ${written}: 1 }`,
    ]) {
      expect(problems(text)).not.toEqual([]);
      expect(problems(text).join()).not.toContain('hush');
    }
  });

  test('are a list of at most 8', () => {
    const list = `must be a list of at most 8 URLs, each ${url.slice('must be '.length)}`;
    const nine = Array.from({ length: 9 }, (_, at) => `https://${at}.example/`);
    expect(problems(of(...nine))).toEqual([`FILE:1:23 ${key}: ${list} (got a list) - write 8 or fewer`]);
    expect(problems('{ "notify": { "webhooks": "https://a.example/hush" } }')).toEqual([
      `FILE:1:27 ${key}: ${list} (got "https://a.example/...") - write for example ["https://shop.example.com/hook"]`,
    ]);
  });

  test('have files whose paths start where all do', () => {
    const { config } = load('{ "notify": { "ca": "shop.pem", "secretFile": "/run/secret" } }');
    expect(config.notify).toEqual({ webhooks: [], ca: `${folder}/shop.pem`, secretFile: '/run/secret' });
  });
});

describe('names of keys', () => {
  test('an environment variable is the path in capitals, a flag the path in small letters', () => {
    for (const [key, { env }] of serverSettings) {
      expect(env).toBe(`SECURE_INV_${key.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase()}`);
      expect(flagName(key)).toBe(`--${env.slice('SECURE_INV_'.length).toLowerCase().replaceAll('_', '-')}`);
    }
  });
});

describe('a mistake in the file is told with its place and what to write', () => {
  const port = 'must be a whole number from 0 to 65535';
  const modes = 'must be one of token, mutual, either, both';
  const cases: Record<string, [text: string, ...problems: string[]]> = {
    'a key that does not exist': [
      '{\n  "listen": {\n    "prot": 7444\n  }\n}',
      'FILE:3:5 listen.prot: is not a known key (got 7444) - did you mean listen.port?',
    ],
    'a group that does not exist': [
      '{ "listn": { "port": 1 } }',
      'FILE:1:3 listn: is not a known key (got an object) - did you mean listen?',
    ],
    'a key in the wrong group': [
      '{ "port": 1, "listen": { "store": "x" } }',
      'FILE:1:3 port: is not a known key (got 1) - did you mean listen.port?',
      'FILE:1:26 listen.store: is not a known key (got "x") - did you mean store?',
    ],
    'a key like no other': [
      '{ "colour": "blue" }',
      'FILE:1:3 colour: is not a known key (got "blue") - remove it; config/README.md lists every key',
    ],
    'a path written as one key': [
      '{ "listen.port": 1 }',
      'FILE:1:3 "listen.port": is not a known key (got 1) - write a group as an object: { "listen": { "port": 7443 } }',
    ],
    'a key that every object inherits': [
      '{ "__proto__": 1 }',
      'FILE:1:3 __proto__: is not a known key (got 1) - remove it; config/README.md lists every key',
    ],
    'a number in quotes': [
      '{ "listen": { "port": "7443" } }',
      `FILE:1:23 listen.port: ${port} (got "7443") - remove the quotes`,
    ],
    'text for a number': [
      '{ "listen": { "port": "12x" } }',
      `FILE:1:23 listen.port: ${port} (got "12x") - write for example 7443`,
    ],
    'a fraction': [
      '{ "listen": { "port": 7443.5 } }',
      `FILE:1:23 listen.port: ${port} (got 7443.5) - write for example 7443`,
    ],
    'nothing for a number': [
      '{ "listen": { "port": null } }',
      `FILE:1:23 listen.port: ${port} (got null) - write for example 7443`,
    ],
    'a number for text': [
      '{ "store": 5 }',
      'FILE:1:12 store: must be sqlite:FILE (got 5) - write for example "sqlite:data/secure-inv.db"',
    ],
    'a value for a group': [
      '{ "listen": 7443 }',
      'FILE:1:13 listen: must be an object (got 7443) - write { "host": ... }',
    ],
    'a group for a value': [
      '{ "store": { } }',
      'FILE:1:12 store: must be sqlite:FILE (got an object) - write for example "sqlite:data/secure-inv.db"',
    ],
    'too large a number': [
      '{ "listen": { "port": 65536 } }',
      `FILE:1:23 listen.port: ${port} (got 65536) - write 65535 or less`,
    ],
    'cheap password hashes': [
      '{ "auth": { "password": { "memoryKibibytes": 64, "passes": 1 } } }',
      'FILE:1:46 auth.password.memoryKibibytes: must be a whole number from 19456 to 1048576 (got 64) - write 19456 or more',
      'FILE:1:60 auth.password.passes: must be a whole number from 2 to 16 (got 1) - write 2 or more',
    ],
    'a word nearly right': [
      '{ "auth": { "mode": "Tokn" } }',
      `FILE:1:21 auth.mode: ${modes} (got "Tokn") - did you mean "token"?`,
    ],
    'a word far off': [
      '{ "auth": { "mode": "none" } }',
      `FILE:1:21 auth.mode: ${modes} (got "none") - write for example "either"`,
    ],
    'a key written twice': [
      '{\n  "listen": { "port": 1 },\n  "listen": { "port": 2 }\n}',
      'FILE:3:3 listen: is written twice (got an object) - keep one of the two',
    ],
    'logins that go idle after their end': [
      '{ "auth": { "token": {\n  "refreshIdleHours": 48,\n  "refreshDays": 1\n} } }',
      'FILE:2:23 auth.token.refreshIdleHours: must not be longer than auth.token.refreshDays, 24 hours (got 48) - write 24 or less, or more refreshDays',
    ],
    'one port for users and for whoever watches': [
      '{ "listen": { "port": 9464 }, "ops": { "port": 9464 } }',
      'FILE:1:48 ops.port: must not be listen.port, which is taken on 127.0.0.1 by then (got 9464) - write another, or 0 for none',
    ],
    'the same on two addresses is none': [
      '{ "listen": { "host": "10.0.0.1", "port": 9464 }, "ops": { "port": 9464 } }',
    ],
    'lists in lists without end': [
      '['.repeat(200_000),
      'FILE file: is nested too deeply (got thousands of levels) - write groups of keys only; config/README.md lists every key',
    ],
    'a list for the whole file': ['[1]', 'FILE:1:1 file: must be an object (got a list) - write { "listen": ... }'],
    'an empty file': [
      '',
      'FILE:1:1 file: a value is missing (got the end of the file) - write one; a file of defaults is { }',
    ],
    'a missing comma': [
      '{\n  "listen": {\n    "port": 7443\n    "host": "::"\n  }\n}',
      'FILE:4:5 listen.host: a comma is missing before this (got ") - write a comma after the value that precedes it',
    ],
    'a missing value': [
      '{ "store": }',
      'FILE:1:12 store: a value is missing (got }) - write one; a file of defaults is { }',
    ],
    'a missing quote': [
      '{ "store":5,\n  "log": { "level": "info },\n  "listen": {}\n}',
      'FILE:1:11 store: must be sqlite:FILE (got 5) - write for example "sqlite:data/secure-inv.db"',
      'FILE:2:21 log.level: the text has no closing quote (got ") - write " at its end, on the same line',
    ],
    'an unquoted key': [
      '{ listen: { "port": 1 } }',
      'FILE:1:3 file: is not JSON (got l) - write keys and text in double quotes',
    ],
    'a number with a zero before it': [
      '{ "listen": { "port": 01 } }',
      'FILE:1:24 listen.port: a comma is missing before this (got 1) - write a comma after the value that precedes it',
    ],
    'two closing braces': [
      '{}}',
      'FILE:1:3 file: something follows the closing brace (got }) - remove it, or the brace that closes too early',
    ],
    'a file half written': [
      '{\n  "listen": {\n    "port": 74',
      'FILE:3:15 listen.port: the file ends before its closing brace (got the end of the file) - write } or restore the lost end of the file',
    ],
    'several mistakes at once': [
      '{\n  "lisen": {},\n  "auth": { "mode": "non" },\n  "log": {\n    "level": "inof"\n    "format": "json"\n  },\n  "store": "x"\n}',
      'FILE:2:3 lisen: is not a known key (got an object) - did you mean listen?',
      `FILE:3:21 auth.mode: ${modes} (got "non") - write for example "either"`,
      'FILE:5:14 log.level: must be one of trace, debug, info, warn, error, fatal, silent (got "inof") - did you mean "info"?',
      'FILE:6:5 log.format: a comma is missing before this (got ") - write a comma after the value that precedes it',
      'FILE:8:12 store: must be sqlite:FILE (got "x") - write for example "sqlite:data/secure-inv.db"',
    ],
  };
  test.each(Object.entries(cases))('%s', (_, [text, ...expected]) => {
    expect(problems(text)).toEqual(expected);
  });
});

describe('a mistake elsewhere', () => {
  test('in the environment and in flags is told with its name, also when something else overrides it', () => {
    const env = { SECURE_INV_LISTEN_PORT: '12x', SECURE_INV_AUTH_TOKEN_ACCESS_MINUTES: '0' };
    expect(problems('{}', { env, flags: { 'listen.port': '70000', 'log.level': 'wrn' } })).toEqual([
      'SECURE_INV_LISTEN_PORT listen.port: must be a whole number from 0 to 65535 (got "12x") - write for example 7443',
      'SECURE_INV_AUTH_TOKEN_ACCESS_MINUTES auth.token.accessMinutes: must be a whole number from 1 to 60 (got 0) - write 1 or more',
      '--listen-port listen.port: must be a whole number from 0 to 65535 (got 70000) - write 65535 or less',
      '--log-level log.level: must be one of trace, debug, info, warn, error, fatal, silent (got "wrn") - did you mean "warn"?',
    ]);
  });

  test('in the name of a variable is told; the variables of others and of the client are left alone', () => {
    const others = {
      SECURE_INV_SERVER: 'x',
      SECURE_INV_CERT: 'x',
      SECURE_INV_TOKEN: 'x',
      SECURE_INV_PORT: 'tcp://10.0.0.1',
    };
    expect(problems('{}', { env: { ...others, SECURE_INV_AUTH_MOED: 'both' } })).toEqual([
      'SECURE_INV_AUTH_MOED auth.mode: is not a known variable (got "both") - did you mean SECURE_INV_AUTH_MODE?',
    ]);
  });

  test('of a variable that is not nearly one of ours is no mistake, and is warned of without its value', () => {
    const service = {
      SECURE_INV_SERVICE_HOST: '10.0.0.1',
      SECURE_INV_SERVICE_PORT_HTTPS: '7443',
      SECURE_INV_PORT_7443_TCP_ADDR: '10.0.0.1',
      SECURE_INV_TOKEN_FILE: 'x',
    };
    const strange = { SECURE_INV_PORT: '7444', SECURE_INV_TOKENS: 'hush', SECURE_INV_COLOUR: 'red', OTHER: 'x' };
    expect(load('{}', { env: { ...service, ...strange } }).warnings).toEqual([
      'SECURE_INV_PORT is not a known variable, and is ignored - did you mean SECURE_INV_LISTEN_PORT?',
      'SECURE_INV_TOKENS is not a known variable, and is ignored - did you mean SECURE_INV_TOKEN?',
      'SECURE_INV_COLOUR is not a known variable, and is ignored - config/README.md lists every variable',
    ]);
  });

  test('a file that was named but is missing, or is a folder, is told', () => {
    const missing = join(folder, 'none.jsonc');
    expect(checkServerConfig({ file: missing, env: {} }).problems).toEqual([
      `${missing} file: does not exist (got ENOENT) - correct the path`,
    ]);
    expect(checkServerConfig({ file: folder, env: {} }).problems).toEqual([
      `${folder} file: is a folder (got EISDIR) - name the file in it, such as server.jsonc`,
    ]);
  });

  test('loading throws all problems as one error', () => {
    const lines = ['FILE:1:3 a: is not a known key (got 1) - remove it; config/README.md lists every key'];
    expect(formatProblems(lines)).toBe(
      `A problem in the configuration; nothing was started or changed:\n  ${lines[0]}`,
    );
    expect(() => load('{ "a": 1, "b": 2 }')).toThrow(ConfigError);
    expect(() => load('{ "a": 1, "b": 2 }')).toThrow(/^2 problems in the configuration.*\n {2}.* a: .*\n {2}.* b: /);
  });
});
