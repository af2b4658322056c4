import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { startServer, temporaryFolder } from '../support/server.ts';
import { shareClone } from '../support/shared-clone.ts';
import { enrollAdministrator } from '../support/wire-client.ts';

const clone = shareClone();

const nodes = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node'));
/** The distribution's own Node.js, older than the one that this project brings along. */
const older = nodes.find((node) => existsSync(node) && majorVersion(node) >= 20 && majorVersion(node) < 24);
const reason = older ? '' : ' (skipped: no Node.js 20 to 23 is installed here)';

function majorVersion(node: string): number {
  return Number.parseInt(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.slice(1), 10);
}

/** Runs a program of the clone with the older Node.js. */
async function run(program: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { folder, environment } = clone();
  const options = { cwd: folder, env: { ...environment('traditionalist'), ...env } };
  const child = execFile(older ?? '', [join('dist', program), ...words], options);
  const [stdout, stderr, [status]] = await Promise.all([
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    once(child, 'close'),
  ]);
  return { status, stdout, stderr };
}

test.skipIf(!older)(`a server on an older Node.js says in one line what it needs${reason}`, async () => {
  const { status, stdout, stderr } = await run('secure-invd.js', []);
  expect(stderr).toMatch(/^secure-invd: needs Node\.js 24 or newer \(this is 2\d\.\d+\.\d+\)\..*\n$/);
  expect([status, stdout]).toEqual([1, '']);
});

test('gen-certs works where the packages are gone that only work on this project needs', async () => {
  const folder = await temporaryFolder();
  for (const file of ['package.json', 'dist/gen-certs.js']) {
    await cp(join(clone().folder, file), join(folder, file)); // And no package at all.
  }
  const words = ['--silent', 'run', 'gen-certs', '--', '--folder', join(folder, 'certs')];
  const { status, stderr } = spawnSync('npm', words, { cwd: folder, env: clone().environment('operator') });
  expect([status, String(stderr)]).toEqual([0, '']);
  expect(await readdir(join(folder, 'certs'))).toContain('server.pem');
});

test.skipIf(!older)(`the client works on an older Node.js${reason}`, async () => {
  const server = await startServer();
  const { accessToken = '' } = await enrollAdministrator(server);
  const added = await run('secure-inv.js', ['add', 'Soap', '200'], {
    SECURE_INV_SERVER: `127.0.0.1:${server.port}`,
    SECURE_INV_CA: join(server.certs, 'server-ca.pem'),
    SECURE_INV_TOKEN: accessToken,
  });
  const stdout = 'Added 200 Soap(s) to the inventory. In stock: 200. New item.\n';
  expect(added).toEqual({ status: 0, stdout, stderr: '' });
});

test.skipIf(!older)(
  `an older client knows that its keys were not agreed on in a post-quantum group${reason}`,
  async () => {
    const server = await startServer();
    const { accessToken = '' } = await enrollAdministrator(server);
    const { stdout } = await run('secure-inv.js', ['whoami', '--verbose', '--json'], {
      SECURE_INV_SERVER: `127.0.0.1:${server.port}`,
      SECURE_INV_CA: join(server.certs, 'server-ca.pem'),
      SECURE_INV_TOKEN: accessToken,
    });
    expect(JSON.parse(stdout)).toMatchObject({
      user: 'admin',
      connection: { protocol: 'TLSv1.3', keyExchange: 'X25519', postQuantum: false },
    });
  },
);
