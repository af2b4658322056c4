import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { serverOptions } from '../../scripts/programs.ts';
import { serverSettings } from '../../src/config/server-schema.ts';
import { backupDaysMax, drainSecondsMax } from '../../src/model/limits.ts';
import { backUpStore } from '../../src/store/files.ts';
import { freePort, getPage } from '../support/ops-port.ts';
import { startServer, temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';

/** The machine may be busy. */
const patience = { timeout: 10_000 };

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const has = (program: string, word = '--version') => spawnSync(program, [word]).status === 0;
const skipped = (program: string, isThere: boolean) => (isThere ? '' : ` (skipped: ${program} is not installed)`);

describe('config/alerts.yml', () => {
  interface Rule {
    readonly alert: string;
    readonly expr: string;
    readonly for?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }
  const file = parse(read('config/alerts.yml')) as { groups: { name: string; rules: Rule[] }[] }; // Checked just below.
  const rules = file.groups.flatMap(({ rules: some }) => some);

  test('has rules of the form that Prometheus reads, each with a name of its own and what to do', () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const rule of rules) {
      expect(rule).toEqual({
        alert: expect.stringMatching(/^SecureInv[A-Z]\w+$/),
        expr: expect.any(String),
        ...(rule.for === undefined ? {} : { for: expect.stringMatching(/^\d+[smh]$/) }),
        labels: { severity: expect.stringMatching(/^(page|ticket)$/) },
        annotations: { summary: expect.stringMatching(/\.$/), description: expect.any(String) },
      });
    }
  });

  test('asks for no metric, and for no label of one, that a real server does not have', async () => {
    const port = await freePort();
    const server = await startServer({ flags: { 'ops.port': String(port) } });
    const client = await WireClient.open(server);
    await enrollAdministrator(server, client);
    await (await WireClient.open(server)).ask('login', { user: 'x', password: 'y' });
    await WireClient.open(server, { ALPNProtocols: ['other/1'] }).catch(() => undefined);
    await backUpStore(
      `sqlite:${join(server.folder, 'data', 'inventory.db')}`,
      join(server.folder, 'backup.db'),
      () => undefined,
    );
    const series = async () =>
      (await getPage(port, '/metrics')).text.split('\n').filter((one) => one.startsWith('secure_inv_'));
    await expect
      .poll(async () => (await series()).join('\n'), patience)
      .toContain('secure_inv_handshake_failures_total{');
    const lines = await series();
    const known = new Set(lines.map((one) => one.replace(/[{ ].*/, '')));
    for (const { alert, expr } of rules) {
      const asked = [...expr.matchAll(/(secure_inv_[a-z_]+)(?:\{([^}]*)\})?/g)];
      if (!expr.includes('up{')) expect([alert, asked.length > 0]).toEqual([alert, true]);
      for (const [, name = '', selector = ''] of asked) {
        expect([alert, name, known.has(name)]).toEqual([alert, name, true]);
        const labels = [...selector.matchAll(/(\w+)\s*(=~|!~|=|!=)\s*"/g)].map(([, label]) => label);
        const own = lines.find((one) => one.startsWith(`${name}{`)) ?? '';
        for (const label of labels) expect([alert, own]).toEqual([alert, expect.stringMatching(`[{,]${label}="`)]);
      }
    }
  });

  test('calls a backup too old when the doctor does', () => {
    const [age] = rules.filter(({ alert }) => alert === 'SecureInvBackupIsOld');
    expect(age?.expr).toBe(`secure_inv_backup_age_seconds > ${backupDaysMax} * 86400`);
  });

  const promtool = has('promtool');
  test.skipIf(!promtool)(`is accepted by promtool${skipped('promtool', promtool)}`, () => {
    const { status, stderr } = spawnSync('promtool', ['check', 'rules', join(root, 'config', 'alerts.yml')]);
    expect([status, String(stderr)]).toEqual([0, '']);
  });
});

describe('config/secure-invd.service', () => {
  const unit = read('config/secure-invd.service');
  const analyze = has('systemd-analyze');

  /** The unit with a program that is here. */
  async function unitFile(): Promise<string> {
    const path = join(await temporaryFolder(), 'secure-invd.service');
    await writeFile(path, unit.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`));
    return path;
  }

  test.skipIf(!analyze)(`is accepted by systemd without a word${skipped('systemd-analyze', analyze)}`, async () => {
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', await unitFile()]);
    expect([status, String(stderr)]).toEqual([0, '']);
  });

  test.skipIf(!analyze)(
    `leaves little to attack: systemd’s own measure is below 2 of 10${skipped('systemd-analyze', analyze)}`,
    async () => {
      const words = ['security', '--offline=true', '--no-pager', '--threshold=20', await unitFile()];
      const { status, stdout } = spawnSync('systemd-analyze', words);
      expect([status, String(stdout)]).toEqual([
        0,
        expect.stringMatching(/exposure level for secure-invd\.service: [01]\./),
      ]);
    },
  );

  test('lets systemd-notify speak, gives a drain its time, and leaves no core file', () => {
    const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1];
    expect([value('Type'), value('NotifyAccess'), value('LimitCORE')]).toEqual(['notify', 'all', '0']);
    expect(Number(value('TimeoutStopSec'))).toBeGreaterThan(drainSecondsMax);
    expect(value('ExecReload')).toContain('-HUP');
    const [node = '', ...more] = value('ExecStart')?.split(' ') ?? [];
    const program = more[serverOptions.length] ?? '';
    expect(more.slice(0, serverOptions.length)).toEqual(serverOptions);
    expect([node, program].map((path) => path.startsWith('/opt/secure-inv/'))).toEqual([true, true]);
    expect(existsSync(join(root, 'src', program.replace(/^.*\/dist\//, '').replace(/js$/, 'ts')))).toBe(true);
  });
});

test('npm start starts the server with the options that it is measured with', () => {
  const { start } = JSON.parse(read('package.json')).scripts;
  expect(start).toContain(`exec node ${serverOptions.join(' ')} dist/secure-invd.js`);
});

describe('Containerfile', () => {
  /** Its instructions in order, with continued lines joined. */
  const instructions = read('Containerfile')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((one) => one !== '' && !one.startsWith('#'))
    .map((one) => {
      const [word = '', ...rest] = one.split(' ');
      return { word, rest: rest.join(' ') };
    });
  const all = (word: string) => instructions.filter((one) => one.word === word).map(({ rest }) => rest);
  const env = Object.fromEntries(all('ENV').map((one) => one.split('=', 2)));

  test('has only instructions that there are, and two stages', () => {
    const words = new Set('FROM WORKDIR COPY RUN USER VOLUME ENV EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT'.split(' '));
    for (const { word } of instructions) expect(words).toContain(word);
    expect(all('FROM')).toHaveLength(2);
  });

  test('copies files that exist, and that .dockerignore lets in: neither keys nor data', () => {
    const letIn = read('.dockerignore').split('\n');
    expect(letIn[0]).toBe('*');
    const copied = all('COPY').filter((rest) => !rest.startsWith('--from='));
    for (const path of copied.flatMap((rest) => rest.split(' ').slice(0, -1))) {
      expect([path, existsSync(join(root, path)), letIn.includes(`!${path}`)]).toEqual([path, true, true]);
    }
    for (const secret of ['certs', 'data', 'config', 'node_modules', '.git']) expect(letIn).not.toContain(`!${secret}`);
  });

  test('runs as nobody in particular, and needs to write in its volume alone', () => {
    expect(all('USER')).toEqual(['10001:10001']);
    expect(all('VOLUME')).toEqual(['/data']);
    const user = instructions.findIndex(({ word }) => word === 'USER');
    expect(instructions.slice(user).some(({ word }) => word === 'RUN' || word === 'COPY')).toBe(false);
    expect(env['SECURE_INV_STORE']).toMatch(/^sqlite:\/data\//);
    expect(env['SECURE_INV_CERTS_FOLDER']).toMatch(/^\/data\//);
  });

  test('sets only what can be set, and its health check asks for what is served there', async () => {
    const known = new Set([...serverSettings.values()].map((setting) => setting.env));
    for (const name of Object.keys(env)) if (name.startsWith('SECURE_INV_')) expect(known).toContain(name);
    const [check = ''] = all('HEALTHCHECK');
    const words: string[] = JSON.parse(check.slice(check.indexOf('[')));
    const [program, option, script = ''] = words;
    expect([program, option, script.includes(`127.0.0.1:${env['SECURE_INV_OPS_PORT']}/livez`)]).toEqual([
      'node',
      '-e',
      true,
    ]);
    const port = await freePort();
    const ask = () => {
      const here = script.replace(String(env['SECURE_INV_OPS_PORT']), String(port));
      return new Promise((resolve) => execFile(process.execPath, ['-e', here]).once('exit', resolve));
    };
    expect(await ask()).toBe(1);
    await startServer({ flags: { 'ops.port': String(port) } });
    expect(await ask()).toBe(0);
  });

  test('starts a program that the build makes', () => {
    const [entry = ''] = all('ENTRYPOINT');
    expect(JSON.parse(entry)).toEqual(['node', ...serverOptions, 'dist/secure-invd.js']);
    expect(JSON.parse(read('package.json'))['bin']['secure-invd']).toBe('dist/secure-invd.js');
    expect(all('RUN')[0]).toContain('npm ci');
  });
});
