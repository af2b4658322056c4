import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { shareClone } from '../support/shared-clone.ts';
import { Terminal } from '../support/terminal.ts';

const clone = shareClone();

/** `npm start` on a terminal; resolves when the server has said all it has to say. */
async function start(): Promise<{ terminal: Terminal; pid: number }> {
  const { folder: cwd, environment } = clone();
  const env = { ...environment('operator'), npm_config_update_notifier: 'false' };
  const terminal = new Terminal('npm', ['start'], { cwd, env });
  const pid = Number((await terminal.shows(/pid \d+/)).slice('pid '.length));
  await terminal.shows(/([0-9A-F]{2}:){31}[0-9A-F]{2}/);
  await terminal.shows(/npx secure-inv enroll 'secure-inv:\S+'/);
  expect(isRunning(pid)).toBe(true);
  return { terminal, pid };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test.each<[how: string, end: (terminal: Terminal) => void]>([
  ['Ctrl-C', (terminal) => terminal.press('c')],
  ['SIGTERM to npm', ({ pid }) => process.kill(pid, 'SIGTERM')],
  ['closing the terminal', (terminal) => terminal.close()],
])('%s ends the server that npm started, and leaves no process', async (_how, end) => {
  const { terminal, pid } = await start();
  end(terminal);
  await expect.poll(() => isRunning(pid), { timeout: 5000 }).toBe(false);
  await expect.poll(() => isRunning(terminal.pid), { timeout: 5000 }).toBe(false);
});

test('npm start shows nothing that a newcomer would worry about', async () => {
  const { terminal } = await start();
  terminal.press('c');
  await terminal.ended;
  expect(terminal.text).not.toMatch(/warn|experimental|deprecat|error/i);
});

test.skipIf(process.platform !== 'linux')(
  'no core file can hold its memory, and no signal opens a debugger',
  async () => {
    const { terminal, pid } = await start();
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
    process.kill(pid, 'SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, 300)); // A debugger would have said so by now.
    terminal.press('c');
    await terminal.ended;
    expect(terminal.text).not.toMatch(/debugger listening/i);
  },
);
