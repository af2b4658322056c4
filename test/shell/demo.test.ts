import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/server.ts';

/** `npm run demo` with a temporary folder of its own, in which it must leave nothing. */
async function demo(...words: readonly string[]) {
  const folder = await temporaryFolder();
  const child = spawn('npm', ['run', '--silent', 'demo', '--', ...words], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill());
  let shown = '';
  child.stdout.on('data', (chunk) => {
    shown += chunk;
  });
  const ended = once(child, 'close').then(([status]) => status);
  return { child, ended, folder, shown: () => shown };
}

/** Nothing of a demo is left: no file, and no process that was started from one. */
async function expectNothingLeft(folder: string): Promise<void> {
  // npm and tsx keep what they have compiled, for the next time.
  await expect.poll(async () => (await readdir(folder)).filter((name) => name.startsWith('secure-inv'))).toEqual([]);
  const commands = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(commandOf);
  expect((await Promise.all(commands)).filter((command) => command.includes(folder))).toEqual([]);
}

async function commandOf(pid: string): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''); // It has ended meanwhile.
}

test('the demo shows a session as it is told, and leaves nothing behind', async () => {
  const { ended, folder, shown } = await demo('retry');
  expect(await ended).toBe(0);
  expect(shown()).toContain('$ secure-inv add Soap 200 --operation');
  expect(shown()).toContain('Added 300 Towels(s) to the inventory. In stock: 300. New item.');
  expect(shown()).not.toMatch(/<[A-Z]+>/);
  await expectNothingLeft(folder);
});

test('a demo that is interrupted leaves nothing behind either', async () => {
  const { child, ended, folder, shown } = await demo();
  await expect.poll(shown, { timeout: 10_000 }).toContain('is listening on');
  child.kill('SIGTERM');
  await ended;
  await expectNothingLeft(folder);
});
