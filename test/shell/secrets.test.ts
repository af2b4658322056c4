import { spawn } from 'node:child_process';
import { closeSync, globSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { parseEnrolmentLink } from '../../src/model/enrolment-link.ts';
import { type Clone, makeClone } from '../support/clone.ts';
import { filesBelow, Secrets } from '../support/secrets.ts';

/** Programs in a clone, each with its output in a file there, as a careless operator would keep it. */
class Run {
  readonly clone: Clone;
  #outputs = 0;

  constructor(clone: Clone) {
    this.clone = clone;
  }

  start(account: string, command: string) {
    const env = this.clone.environment(account);
    mkdirSync(env['HOME'] ?? '', { recursive: true });
    const file = join(this.clone.folder, `output-${this.#outputs++}`);
    const output = openSync(file, 'a');
    const child = spawn('bash', ['-c', command], { cwd: this.clone.folder, env, stdio: ['ignore', output, output] });
    closeSync(output);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, ended, read: () => readFileSync(file, 'utf8') };
  }

  /** What a command prints, when it has ended with this status. */
  async shell(account: string, command: string, status = 0): Promise<string> {
    const { ended, read } = this.start(account, command);
    expect([command, await ended, read()]).toEqual([command, status, expect.anything()]);
    return read();
  }

  /** Makes a file with a secret, as a script would have it. */
  give(name: string, secret: string): string {
    const file = join(this.clone.folder, 'given', name);
    mkdirSync(join(this.clone.folder, 'given'), { recursive: true });
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    return file;
  }
}

const linkIn = (text: string): string => /secure-inv:\/\/[^\s']+/.exec(text)?.[0] ?? '';

test('a full run at the most talkative log leaves no secret anywhere but in the files made for it', async () => {
  const clone = await makeClone();
  onTestFinished(() => clone.remove());
  const run = new Run(clone);
  const secrets = new Secrets();
  const codeOf = (name: string, link: string) => secrets.keep(name, parseEnrolmentLink(link).code);

  const server = run.start('operator', 'exec secure-invd --log-level trace --log-format json --pki-issue on 2> log');
  onTestFinished(() => void server.child.kill('SIGKILL'));
  await expect.poll(() => linkIn(server.read()), { timeout: 10_000 }).not.toBe('');
  const first = linkIn(server.read());
  codeOf('first link', first);

  const password = secrets.keep('password of admin', 'Violet-harbour-lantern-17');
  await run.shell('admin', `secure-inv enroll '${first}' --password-stdin < ${run.give('admin', password)}`);
  const clerkLink = linkIn(await run.shell('admin', 'secure-inv user add clerk1 --role clerk'));
  codeOf('link of clerk1', clerkLink);
  const [old, wrong, next] = [
    secrets.keep('first password of clerk1', 'Quiet-copper-mountain-42'),
    secrets.keep('mistyped password of clerk1', 'Quiet-copper-mountian-42'),
    secrets.keep('second password of clerk1', 'Loud-silver-valley-"93"\\'),
  ];
  await run.shell('clerk1', `secure-inv enroll '${clerkLink}' --password-stdin < ${run.give('clerk', old)}`);
  const login = 'secure-inv login --user clerk1 --password-stdin <';
  await run.shell('clerk1', `${login} ${run.give('wrong', wrong)}`, 3);
  await run.shell('clerk1', `SECURE_INV_PASSWORD_FILE=${run.give('clerk', old)} secure-inv login --user clerk1`);
  await run.shell('clerk1', `secure-inv passwd --password-stdin < ${run.give('change', `${old}\n${next}`)}`);
  await run.shell('clerk1', 'secure-inv add Soap 200 && secure-inv refresh && secure-inv view && secure-inv history');
  await run.shell(
    'clerk1',
    `SECURE_INV_TOKEN=${secrets.keep('a wrong token', 'eyJhbGciOiJub25lIn0.e30.')} secure-inv view`,
    3,
  );
  await run.shell('admin', `secure-inv enroll '${clerkLink}' --password-stdin < ${run.give('late', next)}`, 3);

  // A bug in the midst of a login, once the server has seen the damage: its error, with its cause, goes to the log.
  const store = new DatabaseSync(join(clone.folder, 'data', 'secure-inv.db'));
  const hash = store.prepare("SELECT password_hash FROM user WHERE name = 'clerk1'").get()?.['password_hash'] ?? null;
  const setHash = (value: typeof hash) =>
    store.prepare("UPDATE user SET password_hash = ? WHERE name = 'clerk1'").run(value);
  setHash('damaged');
  await expect.poll(() => run.start('clerk1', `${login} ${run.give('next', next)}`).ended, { timeout: 10_000 }).toBe(2);
  setHash(hash);
  await expect.poll(() => run.start('clerk1', `${login} ${run.give('next', next)}`).ended, { timeout: 10_000 }).toBe(0);
  store.close();
  const made = JSON.parse(await run.shell('admin', 'secure-inv --json token create scanner --role clerk'));
  const machine = `SECURE_INV_TOKEN_FILE=${run.give('token', secrets.keep('API token', made.token))} secure-inv`;
  secrets.keep('secret of the API token', made.token.split('.').at(-1));
  const { host, port } = parseEnrolmentLink(first);
  await run.shell('machine', `${machine} --server ${host}:${port} --ca certs/server-ca.pem add Soap 1`);
  await run.shell('admin', 'secure-inv token list && secure-inv session list && secure-inv whoami --verbose');
  await run.shell('admin', 'secure-inv cert request && secure-inv add Soap 2 && secure-inv server status');
  await run.shell('operator', 'secure-invd keys rotate');
  const bundle = secrets.keep('password of the bundle', 'Crimson-anchor-meadow-58');
  await run.shell('operator', `npm run gen-certs -- client clerk1 --p12 --password-stdin < ${run.give('p12', bundle)}`);
  await run.shell('admin', 'secure-inv user reset clerk1 && secure-inv audit && secure-inv user list');

  for (const file of globSync('home/*/.local/state/**/*.json', { cwd: clone.folder })) {
    const tokens: Record<string, string> = JSON.parse(readFileSync(join(clone.folder, file), 'utf8'));
    for (const name of ['accessToken', 'refreshToken', 'device']) {
      if (tokens[name]) secrets.keep(`${name} in ${file}`, tokens[name].split('.').at(-1) ?? '');
    }
  }
  const keyFiles = globSync(['certs/*-key.pem', 'home/*/.config/**/*.pem'], { cwd: clone.folder });
  expect(keyFiles.length).toBeGreaterThan(4);
  for (const file of [...keyFiles, 'data/token-keys.json']) {
    const text = readFileSync(join(clone.folder, file), 'utf8');
    const [key = ''] = /-----BEGIN PRIVATE KEY-----[^-]+/.exec(text) ?? [];
    for (const [line] of key.matchAll(/[\w+/]{64}/g)) secrets.keep(`a key in ${file}`, line);
    if (file.endsWith('.json')) secrets.keep('refreshSecret', JSON.parse(text).refreshSecret);
  }
  expect(secrets.size).toBeGreaterThan(15);

  const { pid } = server.child;
  for (const list of ['cmdline', 'environ']) expect(secrets.in(readFileSync(`/proc/${pid}/${list}`))).toEqual([]);
  server.child.kill('SIGTERM');
  expect(await server.ended).toBe(0);

  const log = readFileSync(join(clone.folder, 'log'), 'utf8').trim().split('\n');
  expect(log.length).toBeGreaterThan(10);
  expect(log.map((line) => JSON.parse(line)).some(({ msg }) => msg === 'a request failed because of a bug')).toBe(true);

  const isMeantFor = (file: string, secret: string) =>
    /^(given\/|data\/token-keys\.json$|certs\/.*-key\.pem$|home\/[^/]+\/\.(local\/state|config)\/)/.test(file) ||
    // Links and API tokens are printed, for whoever may have them to pass them on; these links are spent.
    (/^(output-|data\/enrolment-link$)/.test(file) && /link|API token/.test(secret));
  expect(secrets.inFiles(clone.folder, isMeantFor)).toEqual([]);
  for (const file of filesBelow(clone.folder).filter(
    (one) => secrets.in(readFileSync(join(clone.folder, one))).length > 0,
  )) {
    if (!file.startsWith('output-')) expect([file, statSync(join(clone.folder, file)).mode & 0o077]).toEqual([file, 0]);
  }
});
