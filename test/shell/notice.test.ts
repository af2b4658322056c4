import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { renewRevocationList } from '../../src/pki/renewal.ts';
import { compiledPrograms } from '../support/programs.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, testPassword, WireClient } from '../support/wire-client.ts';

const { client: program } = await compiledPrograms();
const day = 86_400_000;

/** Runs the client as somebody whose home is the server's temporary folder. */
async function run({ port, folder, certs }: TestServer, words: readonly string[], input = '') {
  const env = {
    HOME: folder,
    PATH: process.env['PATH'] ?? '',
    SECURE_INV_SERVER: `127.0.0.1:${port}`,
    SECURE_INV_CA: join(certs, 'server-ca.pem'),
  };
  const child = execFile(process.execPath, [program, ...words], { env });
  child.stdin?.end(input);
  const [stdout, stderr, [status]] = await Promise.all([
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    once(child, 'close'),
  ]);
  return { status, stdout, stderr };
}

/** A server whose clerk has a certificate that is so many days old; they live 30 days. */
async function startWithCertificate(daysOld: number) {
  const server = await startServer();
  const administrator = await WireClient.open(server);
  await enrollAdministrator(server, administrator);
  await enrollUser(server, administrator, 'clerk1', 'clerk');
  // Authorities that are old enough to have issued it, and a list that is in date.
  await makeServerCertificates(server.certs, { hosts: [], force: true, newAuthority: true }, Date.now() - 40 * day);
  await renewRevocationList(server.certs);
  await makeClientCertificate(server.certs, 'clerk1', false, Date.now() - daysOld * day);
  await server.reload();
  const file = join(server.certs, 'clerk1');
  return { server, words: ['--cert', `${file}.pem`, '--key', `${file}-key.pem`] };
}

describe('a client certificate that ends within a week', () => {
  const warning = /^secure-inv: Your client certificate ends in 4 days \(.*Z\)\. Ask the operator .*\n$/;

  test('is told of beside the answer of every command, with --cert or of the context', async () => {
    const { server, words } = await startWithCertificate(25);
    const first = await run(server, ['whoami', ...words]);
    expect(first).toMatchObject({ status: 0, stderr: expect.stringMatching(warning) });
    expect(first.stdout).toMatch(/^clerk1 \(clerk\): /);
    const login = await run(server, ['login', ...words]);
    expect(login).toMatchObject({ status: 0, stderr: expect.stringMatching(warning) });
    for (const command of ['view', 'ping', 'whoami']) {
      expect((await run(server, [command])).stderr).toMatch(warning);
    }
  });

  test('is not told of with --json, which a program reads', async () => {
    const { server, words } = await startWithCertificate(25);
    expect(await run(server, ['whoami', '--json', ...words])).toMatchObject({ status: 0, stderr: '' });
  });

  test('is told of from the seventh day before its end, and not when it has ended', async () => {
    for (const [daysOld, told] of [
      [22.9, ''],
      [23.1, 'ends in 6 days'],
      [29.5, 'ends within a day'],
      [31, 'secure-inv: Your certificate has expired'],
    ] as const) {
      const { server, words } = await startWithCertificate(daysOld);
      const { stderr } = await run(server, ['ping', ...words]);
      if (told === '') expect(stderr).toBe('');
      else expect(stderr).toContain(told);
      expect(stderr).not.toContain('has ended');
    }
  });
});

describe('what the server warns of', () => {
  const notice = /^notice: \S+client-crl\.pem ends in 13 days .* Bring client-ca-key\.pem back .*\n$/;

  async function startWithWarning() {
    const server = await startServer();
    await enrollAdministrator(server);
    await makeClientCertificate(server.certs, 'admin');
    await rm(join(server.certs, 'client-ca-key.pem'));
    server.turnClock(16 * day);
    return server;
  }

  test('an administrator reads at login, beside the answer', async () => {
    const server = await startWithWarning();
    const words = ['login', '--user', 'admin', '--password-stdin'];
    const plain = await run(server, words, `${testPassword}\n`);
    expect(plain).toMatchObject({ status: 0, stderr: expect.stringMatching(notice) });
    expect(plain.stdout).toMatch(/^You are logged in to .* as admin \(admin\)\.\n$/);
    const json = await run(server, [...words, '--json'], `${testPassword}\n`);
    expect(json).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(json.stdout)).toMatchObject({ user: 'admin', notices: [expect.stringContaining('client-crl')] });
  });

  test('also one who logs in by certificate', async () => {
    const server = await startWithWarning();
    const file = join(server.certs, 'admin');
    const login = await run(server, ['login', '--cert', `${file}.pem`, '--key', `${file}-key.pem`]);
    expect(login).toMatchObject({ status: 0, stderr: expect.stringMatching(notice) });
  });
});
