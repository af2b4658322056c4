import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeServerCertificates } from '../../src/pki/issue.ts';

const run = promisify(execFile);
export const day = 24 * 60 * 60 * 1000;

const folders: string[] = [];

/** Called after each file of tests (test/support/each-file.ts). */
export async function removeFolders(): Promise<void> {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
}

/** The path of a folder that does not exist yet, removed after the tests of the file. */
export async function newFolder(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'secure-inv-pki-'));
  folders.push(parent);
  return join(parent, 'certs');
}

/** A folder with a server's certificates. */
export async function certificateFolder(hosts: readonly string[] = [], now = Date.now()): Promise<string> {
  const folder = await newFolder();
  await makeServerCertificates(folder, { hosts }, now);
  return folder;
}

/** A copy of a folder, to be damaged. */
export async function copyFolder(folder: string): Promise<string> {
  const copy = await newFolder();
  await cp(folder, copy, { recursive: true });
  return copy;
}

/** What openssl says, run inside the folder, and its exit status. */
export async function openssl(folder: string, ...words: readonly string[]): Promise<{ status: number; text: string }> {
  try {
    const { stdout, stderr } = await run('openssl', words, { cwd: folder });
    return { status: 0, text: stdout + stderr };
  } catch (error) {
    if (!(error instanceof Error && 'stderr' in error && 'stdout' in error && 'code' in error)) throw error;
    return { status: Number(error.code), text: `${error.stdout}${error.stderr}` };
  }
}
