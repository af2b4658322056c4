import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { makeClientCertificate } from '../../src/pki/client-certificate.ts';
import { compiledPrograms } from '../support/programs.ts';
import { Terminal } from '../support/terminal.ts';
import { certificateFolder, day, newFolder, openssl } from './folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join((await compiledPrograms()).folder, 'gen-certs.js');

/** Runs the program as `npm run gen-certs -- …` does, with `input` on its standard input. */
function genCertsWith(input: string, words: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const env = { ...process.env, ...variables };
    const child = execFile(process.execPath, [program, ...words], { cwd: root, env }, (_, stdout, stderr) => {
      resolve({ status: child.exitCode ?? -1, stdout, stderr });
    });
    child.stdin?.on('error', () => undefined); // It may end without having read.
    child.stdin?.end(input);
  });
}

const genCerts = (...words: readonly string[]) => genCertsWith('', words);

test('an operator makes, hands out, lists and revokes certificates from the shell', async () => {
  const folder = await newFolder();
  const made = await genCerts('--folder', folder, '--host', 'inv.example.com');
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(made.stdout).toMatch(/SHA-256 fingerprints:\n {2}server-ca\.pem\n {4}([0-9A-F]{2}:){31}[0-9A-F]{2}\n/);
  expect(made.stdout).toContain("The server's hosts: localhost, 127.0.0.1, ::1, inv.example.com\n");
  expect(made.stdout).toContain('Next: npm start');

  const client = await genCerts('client', 'clerk1', '--folder', folder);
  expect(client).toMatchObject({ status: 0, stderr: '' });
  const path = join(folder, 'clerk1');
  expect(client.stdout).toContain(`secure-inv --cert ${path}.pem --key ${path}-key.pem whoami`);

  expect(await genCerts('revoke', 'clerk1', '--folder', folder)).toMatchObject({ status: 0, stderr: '' });

  const table = await genCerts('list', '--folder', folder);
  expect(table.stdout).toMatch(/^clerk1\.pem +CN=clerk1 +client +[0-9A-F]{32} +\d{4}-\d\d-\d\d +REVOKED$/m);
  expect(table.stdout).toMatch(/^server\.pem .* 89 days left$/m);
  const rows: unknown = JSON.parse((await genCerts('list', '--json', '--folder', folder)).stdout);
  expect(rows).toContainEqual(expect.objectContaining({ file: 'clerk1.pem', purpose: 'client', state: 'revoked' }));
});

test('it works on the folder of the configuration, as the server does, unless another is given', async () => {
  const [configured, given] = [await newFolder(), await newFolder()];
  const variables = { SECURE_INV_CERTS_FOLDER: configured };
  expect(await genCertsWith('', [], variables)).toMatchObject({ status: 0, stderr: '' });
  expect(await readdir(configured)).toContain('server.pem');
  const client = await genCertsWith('', ['client', 'clerk1'], variables);
  expect(client.stdout).toContain(`secure-inv --cert ${join(configured, 'clerk1')}.pem`);
  const other = await genCertsWith('', ['list', '--folder', given], variables);
  expect(other.stdout).toContain(`No certificates in ${given}.`);
  const broken = { ...variables, SECURE_INV_LISTEN_PORT: 'seven' };
  const refused = await genCertsWith('', ['list'], broken);
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  expect(refused.stderr).toContain('SECURE_INV_LISTEN_PORT listen.port: must be a whole number');
  expect(await genCertsWith('', ['list', '--folder', given], broken)).toMatchObject({ status: 0, stderr: '' });
});

test('a refusal is one line with a hint and exit status 1, and nothing is made', async () => {
  const folder = await newFolder();
  const refused = await genCerts('--folder', folder, '--host', '*.example.com');
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  expect(refused.stderr).toMatch(/^gen-certs: host "\*\.example\.com" is a wildcard.*\nhint: .*\n$/);
  await expect(readdir(folder)).rejects.toThrow('ENOENT');

  const unknown = await genCerts('--frobnicate');
  expect(unknown).toMatchObject({ status: 1, stdout: '' });
  expect(unknown.stderr).toBe("gen-certs: unknown option '--frobnicate'\nhint: npm run gen-certs -- --help\n");
});

test.each([[[]], [['client']], [['renew']], [['list']], [['revoke']]])(
  '%j explains itself with examples',
  async (words) => {
    const { status, stdout } = await genCerts(...words, '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/Usage: gen-certs[\s\S]+Examples:\n {2}\$ npm run gen-certs/);
  },
);

test('an operator renews and revokes what there are several of, and reads what to do next', async () => {
  const folder = await newFolder();
  const run = async (...words: readonly string[]) => {
    const result = await genCerts(...words, '--folder', folder);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    return result.stdout;
  };
  await run();
  await run('client', 'clerk1');
  const renewed = await run('renew');
  expect(renewed).toMatch(/^Renewed in .*:\n {2}server\.pem +until .*\n {2}client-crl\.pem +until /);
  expect(renewed).toContain(`For the same hosts, with the same key: ${join(folder, 'server-key.pem')}\n`);
  expect(renewed).toMatch(/Next: npm run gen-certs -- list /);
  expect(await run('renew', '--rekey')).toContain(`With a new key: ${join(folder, 'server-key.pem')}\n`);
  expect(await run('renew', 'clerk1')).toContain(`Next: give ${join(folder, 'clerk1.pem')} to clerk1`);
  expect(await run('list')).toMatch(/^- +CN=clerk1 +client +[0-9A-F]{32} +\S+ +29 days left$/m);

  const revoked = await run('revoke', 'clerk1');
  expect(revoked).toMatch(/^Revoked 2 certificates of clerk1:\n {2}[0-9A-F]{32}\n {2}[0-9A-F]{32}\nThe server refuses/);
  expect(revoked).toContain('Next: secure-inv user disable clerk1');
  const again = await run('revoke', 'clerk1');
  expect(again.match(/^Was revoked already on .* UTC: [0-9A-F]{32}$/gm)).toHaveLength(2);
  expect(again).not.toContain('The server refuses');
}, 30_000);

test('the password of a PKCS #12 file comes from standard input, and is refused when short', async () => {
  const folder = await newFolder();
  await genCerts('--folder', folder);
  const words = ['client', 'clerk1', '--p12', '--folder', folder];
  expect(await genCerts(...words)).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^gen-certs: Nobody is here to choose a password .*\nhint: .*--password-stdin\.\n$/),
  });
  const short = await genCertsWith('eleven char\n', [...words, '--password-stdin']);
  expect(short).toMatchObject({ status: 1, stdout: '' });
  expect(short.stderr).toMatch(/^gen-certs: The password has fewer than 12 characters\.\nhint: /);
  expect(await readdir(folder)).not.toContain('clerk1.pem');
  expect(await genCertsWith('', ['client', 'clerk1', '--password-stdin', '--folder', folder])).toMatchObject({
    status: 1,
    stderr: 'gen-certs: Only a PKCS #12 file has a password.\nhint: Add --p12.\n',
  });

  const made = await genCertsWith('seven green bottles\n', [...words, '--password-stdin']);
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(made.stdout).toContain(`Next: import ${join(folder, 'clerk1.p12')} where clerk1 works`);
  const certificate = await readFile(join(folder, 'clerk1.pem'), 'utf8');
  const again = await genCertsWith('eight green bottles\n', [...words, '--password-stdin']);
  expect(again.stdout).toMatch(/^Made .*clerk1\.p12: /);
  expect(await readFile(join(folder, 'clerk1.pem'), 'utf8')).toBe(certificate);
  const opened = await openssl(folder, 'pkcs12', '-in', 'clerk1.p12', '-passin', 'pass:eight green bottles', '-noout');
  expect(opened.status).toBe(0);
}, 30_000);

test('somebody at a terminal is asked for the password twice, and it is not shown', async () => {
  const folder = await newFolder();
  await genCerts('--folder', folder);
  const env = { PATH: process.env['PATH'] ?? '' };
  const words = [program, 'client', 'clerk1', '--p12', '--folder', folder];
  const terminal = new Terminal(process.execPath, words, { cwd: root, env });
  await terminal.shows(/New password for .*clerk1\.p12 \(12 characters or more\): /);
  terminal.type('too short');
  await terminal.shows('The password has fewer than 12 characters.');
  await terminal.shows('(12 characters or more): ');
  terminal.type('seven green bottles');
  await terminal.shows('Once more: ');
  terminal.type('seven green battles');
  await terminal.shows('These are not the same. Try again.');
  await terminal.shows('(12 characters or more): ');
  terminal.type('seven green bottles');
  await terminal.shows('Once more: ');
  terminal.type('seven green bottles');
  await terminal.shows('Next: import ');
  expect(await terminal.ended).toBe(0);
  expect(terminal.text).not.toMatch(/green|too short/);
  const opened = await openssl(folder, 'pkcs12', '-in', 'clerk1.p12', '-passin', 'pass:seven green bottles', '-noout');
  expect(opened.status).toBe(0);
}, 30_000);

test('the list ends with the commands that renew what has ended or ends soon', async () => {
  const longAgo = Date.now() - 25 * day;
  const folder = await certificateFolder([], longAgo);
  await makeClientCertificate(folder, 'clerk1', false, longAgo);
  await makeClientCertificate(folder, 'clerk2');
  const { stdout } = await genCerts('list', '--folder', folder);
  const commands = ['renew', 'renew clerk1'].map((words) => `  npm run gen-certs -- ${words} --folder ${folder}\n`);
  expect(stdout.slice(stdout.indexOf('\n\n') + 2)).toBe(
    ['To renew what has ended or ends soon:\n', ...commands].join(''),
  );
  await genCerts('renew', '--folder', folder);
  await genCerts('renew', 'clerk1', '--folder', folder);
  expect((await genCerts('list', '--folder', folder)).stdout).not.toContain('\n\n');
});
