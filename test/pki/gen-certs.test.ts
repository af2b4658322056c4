import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { newFolder } from './folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs the script as `npm run gen-certs -- …` does. */
function genCerts(...words: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const tsx = join(root, 'node_modules/.bin/tsx');
    const child = execFile(tsx, [join(root, 'scripts/gen-certs.ts'), ...words], { cwd: root }, (_, stdout, stderr) => {
      resolve({ status: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

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

test.each([[[]], [['client']], [['list']], [['revoke']]])('%j explains itself with examples', async (words) => {
  const { status, stdout } = await genCerts(...words, '--help');
  expect(status).toBe(0);
  expect(stdout).toMatch(/Usage: gen-certs[\s\S]+Examples:\n {2}\$ npm run gen-certs/);
});
