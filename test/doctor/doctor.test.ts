import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Diagnosis, formatDiagnoses } from '../../src/doctor/diagnosis.ts';
import { backupDaysMax } from '../../src/model/limits.ts';
import { type ServerProcess, startProcess } from '../fault/server-process.ts';
import { freePort } from '../support/ops-port.ts';
import { compiledPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';

/** The machine may be busy. */
const patience = { timeout: 10_000 };

const { server: program } = await compiledPrograms();

interface Examined {
  readonly status: number;
  readonly healthy: boolean;
  readonly diagnoses: readonly Diagnosis[];
  readonly stderr: string;
  /** What is not well. */
  readonly bad: readonly Diagnosis[];
}

async function runDoctor(words: readonly string[], wrapper: readonly string[] = [], cwd?: string) {
  const [command = '', ...args] = [...wrapper, process.execPath, program, 'doctor', ...words];
  const child = execFile(command, args, { cwd });
  const [stdout, stderr, [status]] = await Promise.all([
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    once(child, 'close'),
  ]);
  return { status: Number(status), stdout, stderr };
}

/** The doctor on the files of a server process. */
async function examine(folder: string, listenPort: number, more: readonly string[] = []): Promise<Examined> {
  const flags = ['--config', join(folder, 'server.jsonc'), '--listen-port', String(listenPort)];
  const files = ['--store', `sqlite:${join(folder, 'data', 'inventory.db')}`, '--certs-folder', join(folder, 'certs')];
  const { status, stdout, stderr } = await runDoctor(['--json', ...flags, ...files, ...more], [], folder);
  const { healthy, diagnoses } = JSON.parse(stdout) as Pick<Examined, 'healthy' | 'diagnoses'>; // Its documented form.
  return { status, healthy, diagnoses, stderr, bad: diagnoses.filter(({ level }) => level !== 'ok') };
}

/** A folder as a server leaves it, with a movement in the store. */
async function makeFolder(stop: 'kill' | 'stop' | 'go on') {
  const folder = await temporaryFolder();
  const running = await startProcess(folder, true);
  onTestFinished(() => running.kill());
  const { link } = running;
  if (!link) throw new Error('No link.');
  const client = await WireClient.open(running);
  await enrollAdministrator({ ...running, link: () => link }, client);
  const operation = '0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e';
  expect((await client.ask('add', { item: 'Soap', quantity: 1, operation }))?.result).toBeDefined();
  client.socket.destroy();
  if (stop === 'kill') await running.kill();
  if (stop === 'stop') {
    running.signal('SIGTERM');
    expect(await running.ended).toBe(0);
  }
  return { folder, running };
}

/** Everything that somebody could see of the files, but what every reader of a database does to its shared memory. */
async function stateOf(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder, { recursive: true })).sort();
  const states = names.map(async (name) => {
    const { mode, uid, size, mtimeMs, ino } = await stat(join(folder, name));
    if (name.endsWith('-shm')) return `${name} ${mode} ${uid}`;
    const isFile = (await stat(join(folder, name))).isFile();
    const content = isFile
      ? createHash('sha256')
          .update(await readFile(join(folder, name)))
          .digest('hex')
      : '';
    return `${name} ${mode} ${uid} ${size} ${mtimeMs} ${ino} ${content}`;
  });
  return Promise.all(states);
}

/** A port where something listens that is no server of ours. */
async function takePort(): Promise<number> {
  const other = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo; // It listens on TCP.
  return port;
}

describe('a server that is well', () => {
  test.for(['stop', 'kill'] as const)('is found so after a %s, and none of its files is touched', async (stop) => {
    const { folder } = await makeFolder(stop);
    const before = await stateOf(folder);
    const examined = await examine(folder, await freePort());
    expect(examined.bad).toMatchObject([{ check: 'backup', level: 'warning' }]);
    expect([examined.status, examined.healthy, examined.stderr]).toEqual([0, true, '']);
    const checks = ['node', 'config', 'certificates', 'disk', 'store', 'backup', 'clock', 'token keys', 'port'];
    expect(examined.diagnoses.map(({ check }) => check)).toEqual(checks);
    expect(await stateOf(folder)).toEqual(before);
  });

  test('is found so while it runs, which goes on, and its ports are known to be its own', async () => {
    const folder = await temporaryFolder();
    const opsPort = await freePort();
    const flags = { 'ops-port': String(opsPort) };
    const running = await startProcess(folder, true, { flags });
    onTestFinished(() => running.kill());
    await expect.poll(() => existsSync(join(folder, 'data', 'enrolment-link')), patience).toBe(true); // Written last.
    const before = await stateOf(folder);
    const examined = await examine(folder, running.port, ['--ops-port', String(opsPort)]);
    expect(examined.bad).toEqual([]);
    const messages = examined.diagnoses.map(({ message }) => message);
    expect(messages).toContain(`Port ${running.port} on 127.0.0.1 is in use by this server.`);
    expect(messages).toContain(`Port ${opsPort} on 127.0.0.1 is in use by a server that says it is ready.`);
    const unchanged = before.filter((state) => !state.includes('-wal')); // Readiness was asked for: a write.
    expect((await stateOf(folder)).filter((state) => !state.includes('-wal'))).toEqual(unchanged);
    expect((await (await WireClient.open(running)).ask('hello'))?.result).toBeDefined();
  });

  test('that was never started is well, and nothing is made', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'server.jsonc'), '{}');
    const examined = await examine(folder, await freePort());
    expect(examined.bad).toEqual([]);
    expect(await readdir(folder)).toEqual(['server.jsonc']);
  });

  test('is told to a person in lines that say so', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'server.jsonc'), '{}');
    const words = ['--config', join(folder, 'server.jsonc'), '--listen-port', '0'];
    const { status, stdout } = await runDoctor(words);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ok {7}node {9}Node\.js .*\n(ok {7}.*\n)+Nothing to see to\.\n$/);
  });
});

describe('what is wrong is found, with what to do', () => {
  let folder = '';
  let port = 0;
  const cleanings: (() => unknown)[] = [];
  let running: ServerProcess | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder((clean) => void cleanings.push(clean));
    running = await startProcess(folder, true);
    running.signal('SIGTERM');
    await running.ended;
    port = await freePort();
  });
  afterAll(async () => {
    for (const clean of cleanings) await clean();
  });

  /** Breaks something, examines, and mends it again. */
  async function found(harm: () => Promise<unknown>, mend: () => Promise<unknown>): Promise<Examined> {
    await harm();
    try {
      return await examine(folder, port);
    } finally {
      await mend();
    }
  }

  test.for([
    ['certs/server-key.pem', 0o640, 0o600, 'certificates', 'chmod 600'],
    ['certs/client-crl.pem', 0o666, 0o644, 'certificates', 'chmod 644'],
    ['certs', 0o770, 0o700, 'certificates', 'chmod 750'],
    ['data/inventory.db', 0o644, 0o600, 'store', 'chmod 600'],
    ['data/token-keys.json', 0o604, 0o600, 'token keys', 'chmod 600'],
    ['server.jsonc', 0o666, 0o644, 'config', 'chmod 644'],
  ] as const)('%s that is open to others', async ([name, mode, right, check, todo]) => {
    const file = join(folder, name);
    const harm = () => chmod(file, mode);
    const { status, bad } = await found(harm, () => chmod(file, right));
    expect([status, bad.map((one) => one.check)]).toEqual([1, [check]]);
    expect(bad[0]?.message).toContain(file);
    expect(bad[0]?.todo).toContain(todo);
  });

  test.for(['certs/server.pem', 'certs/client-crl.pem', 'data/token-keys.json'])('%s cut off', async (name) => {
    const file = join(folder, name);
    const content = await readFile(file);
    const harm = () => writeFile(file, content.subarray(0, 200));
    const { status, bad } = await found(harm, () => writeFile(file, content));
    expect(status).toBe(1);
    expect(bad[0]).toMatchObject({ level: 'problem', todo: expect.any(String) });
    expect(bad[0]?.message).toContain(name.split('/')[1]);
    // Also from beside that folder, which is not where npm starts a script.
    if (name.startsWith('certs/')) expect(bad[0]?.todo).toContain(` --folder ${join(folder, 'certs')} `);
  });

  test('a store of which a page was overwritten', async () => {
    const file = join(folder, 'data', 'inventory.db');
    await copyFile(file, `${file}.kept`);
    const overwrite = async () => {
      const handle = await open(file, 'r+');
      await handle.write(Buffer.alloc(4096, 7), 0, 4096, 4096 * 3);
      await handle.close();
    };
    const { status, bad } = await found(overwrite, () => rename(`${file}.kept`, file));
    expect(status).toBe(1);
    expect(bad).toMatchObject([{ check: 'store', level: 'problem', todo: expect.stringContaining('backup') }]);
    expect(bad[0]?.message).toMatch(/damaged|malformed/);
  });

  test('what is no store at all', async () => {
    const file = join(folder, 'data', 'inventory.db');
    const harm = async () => {
      await rename(file, `${file}.kept`);
      await writeFile(file, 'This is no database, but a text of some length.'.repeat(100), { mode: 0o600 });
    };
    const { bad } = await found(harm, () => rename(`${file}.kept`, file));
    expect(bad).toMatchObject([
      { check: 'store', level: 'problem', message: expect.stringContaining('not a database') },
    ]);
  });

  test('a log from a crash without its index is not opened, for that would make files', async () => {
    const file = join(folder, 'data', 'inventory.db-wal');
    const harm = () => writeFile(file, '', { mode: 0o600 });
    const { status, bad } = await found(harm, () => rm(file));
    expect([status, bad]).toMatchObject([0, [{ check: 'store', level: 'warning' }]]);
    expect(await readdir(join(folder, 'data'))).not.toContain('inventory.db-shm');
  });

  test('a store that was emptied, and one that a server has found damaged', async () => {
    const file = join(folder, 'data', 'inventory.db');
    await copyFile(file, `${file}.kept`);
    const empty = await found(
      () => writeFile(file, ''),
      () => rename(`${file}.kept`, file),
    );
    expect([empty.status, empty.bad]).toMatchObject([
      1,
      [{ check: 'store', message: expect.stringContaining('is empty') }],
    ]);
    const harm = () => writeFile(`${file}-damage`, 'Movement 7 is not what was written.\n');
    const { status, bad } = await found(harm, () => rm(`${file}-damage`));
    expect([status, bad]).toMatchObject([1, [{ check: 'store', message: expect.stringContaining('Movement 7 is') }]]);
    expect(bad[0]?.todo).toContain('secure-invd ledger verify');
  });

  test('a secret of the webhooks that is not there', async () => {
    const secret = join(folder, 'none');
    const { status, bad } = await examine(folder, port, ['--notify-secret-file', secret]);
    expect([status, bad]).toMatchObject([1, [{ check: 'webhooks', message: expect.stringContaining(secret) }]]);
  });

  test('a file where the folder of the store should be', async () => {
    const data = join(folder, 'data');
    const harm = async () => {
      await rename(data, `${data}.kept`);
      await writeFile(data, '');
    };
    const mend = async () => {
      await rm(data);
      await rename(`${data}.kept`, data);
    };
    const { status, bad } = await found(harm, mend);
    expect([status, bad]).toMatchObject([1, [{ check: 'store', message: `${data} is no folder.` }]]);
  });

  test.skipIf(process.getuid?.() !== 0 || !existsSync('/usr/bin/setpriv')).each([
    ['data', 0o000, 'This user may not make files in'],
    ['data', 0o500, 'This user may not make files in'],
    ['data/inv.db', 0o400, 'This user may not read and write'],
  ])('%s that its own user may use no further than %o (needs root and setpriv)', async (name, mode, message) => {
    const own = await temporaryFolder();
    await mkdir(join(own, 'data'));
    await writeFile(join(own, 'data', 'inv.db'), '');
    await writeFile(join(own, 'server.jsonc'), '{ "listen": { "port": 0 }, "store": "sqlite:data/inv.db" }');
    await chmod(join(own, name), mode);
    for (const file of ['', 'data', 'data/inv.db', 'server.jsonc']) await chown(join(own, file), 65_534, 65_534);
    const dropped = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const { status, stdout } = await runDoctor(['--config', join(own, 'server.jsonc')], dropped);
    expect([status, stdout]).toEqual([1, expect.stringContaining(`${message} ${join(own, name)}.`)]);
  });

  test('token keys that vanished beside a store', async () => {
    const file = join(folder, 'data', 'token-keys.json');
    const { status, bad } = await found(
      () => rename(file, `${file}.kept`),
      () => rename(`${file}.kept`, file),
    );
    expect([status, bad]).toMatchObject([0, [{ check: 'token keys', level: 'warning' }]]);
  });

  test('a port that another program has', async () => {
    const [taken, takenToo] = [await takePort(), await takePort()];
    const examined = await examine(folder, taken, ['--ops-port', String(takenToo)]);
    expect([examined.status, examined.bad.map(({ check }) => check)]).toEqual([1, ['port', 'ops port']]);
    expect(examined.bad[1]?.todo).toContain('SECURE_INV_OPS_PORT');
  });

  test('and that says what a terminal would obey, or says it without end', async () => {
    let isEndless = false;
    let sent = 0;
    const other = createHttpServer((_, response) => {
      const more = () => {
        while (!response.destroyed && sent < 64e6 && response.write('x'.repeat(65_536))) sent += 65_536;
      };
      if (isEndless) response.on('drain', more);
      if (isEndless) more();
      else response.end('[-] store: \u001b]0;owned\u0007\u001b[2J\u009b1m\nnot ready\n');
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port: taken } = other.address() as AddressInfo; // It listens on TCP.
    const ops = ['--ops-port', String(taken)];
    const { bad } = await examine(folder, 0, ops);
    expect(bad.map(({ message }) => message)).toEqual([
      'The server says it is not ready: [-] store: \\u{1b}]0;owned\\u{7}\\u{1b}[2J\\u{9b}1m',
    ]);
    isEndless = true;
    expect((await examine(folder, 0, ops)).bad).toMatchObject([{ check: 'ops port', level: 'problem' }]);
    expect(sent).toBeLessThan(64e6);
  });

  test('nothing that stands in a file tells the terminal anything', () => {
    const named = { check: 'store', level: 'problem', message: 'a\u001b[2Jb', todo: 'rm \u202ec' } as const;
    expect(formatDiagnoses([named])).toContain('a\\u{1b}[2Jb\n                      rm \\u{202e}c\n');
  });

  test('every mistake in the configuration, without looking further', async () => {
    const file = join(folder, 'wrong.jsonc');
    await writeFile(file, '{ "listen": { "port": "x" }, "oops": 1 }');
    const { status, stdout } = await runDoctor(['--config', file]);
    expect(status).toBe(1);
    expect(stdout.match(/^problem +config /gm)).toHaveLength(2);
    expect(stdout).toContain('To see to: 2 problem(s), 0 warning(s).');
    expect(stdout).not.toContain('store');
  });

  test('certificates that end soon and are not renewed here', async () => {
    const keys = ['server-ca-key.pem', 'client-ca-key.pem'].map((file) => join(folder, 'certs', file));
    const { diagnose } = await import('../../src/doctor/doctor.ts');
    const { assertCoversName, checkNotify, keyFile, storePath } = await import('../../src/daemon.ts');
    const source = {
      file: join(folder, 'server.jsonc'),
      env: {},
      flags: {
        'listen.port': '0',
        store: `sqlite:${join(folder, 'data', 'inventory.db')}`,
        'certs.folder': join(folder, 'certs'),
      },
    };
    for (const key of keys) await rename(key, `${key}.kept`);
    try {
      const soon = Date.now() + 20 * 86_400_000;
      const diagnoses: Diagnosis[] = [];
      for await (const one of diagnose(source, { assertCoversName, checkNotify, keyFile, storePath }, soon))
        diagnoses.push(one);
      const warnings = diagnoses.filter(({ level }) => level !== 'ok');
      expect(warnings).toMatchObject([
        { check: 'certificates', level: 'warning', message: expect.stringMatching(/client-crl\.pem ends in 9 days/) },
      ]);
    } finally {
      for (const key of keys) await rename(`${key}.kept`, key);
    }
  });
});

test("a clock that is behind the store's last movement is a problem, and a backup that is too old a warning", async () => {
  const { folder } = await makeFolder('stop');
  const { examineStore } = await import('../../src/doctor/stored.ts');
  const store = join(folder, 'data', 'inventory.db');
  const wrong = async (now: number) => {
    const found: Diagnosis[] = [];
    for await (const one of examineStore(store, now)) found.push(one);
    return found.filter(({ level }) => level !== 'ok');
  };
  const day = 86_400_000;
  expect(await wrong(Date.now() - day)).toMatchObject([{ check: 'backup' }, { check: 'clock', level: 'problem' }]);
  await writeFile(`${store}-backup`, `${new Date().toISOString()}\n`);
  expect(await wrong(Date.now() + (backupDaysMax - 1) * day)).toEqual([]);
  const message = expect.stringContaining(`, ${backupDaysMax} days ago.`);
  expect(await wrong(Date.now() + backupDaysMax * day)).toMatchObject([{ check: 'backup', level: 'warning', message }]);
});
