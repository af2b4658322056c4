import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { shareClone } from '../support/shared-clone.ts';

const clone = shareClone();

/** What bash offers for the last of these words. */
function complete(...words: readonly string[]): string[] {
  const script = `source <(secure-inv completion bash)
    COMP_WORDS=(secure-inv "$@") COMP_CWORD=$# COMPREPLY=()
    "$(complete -p secure-inv | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { folder: cwd, environment } = clone();
  const options = { cwd, env: environment('typist'), encoding: 'utf8' } as const;
  const offered = execFileSync('bash', ['-c', script, 'bash', ...words], options);
  return offered.split('\n').filter((word) => word !== '');
}

test('bash completes commands, the commands below a group, and options', () => {
  expect(complete('')).toEqual(expect.arrayContaining(['add', 'take', 'view', 'user', 'completion', '--json']));
  expect(complete('hist')).toEqual(['history']);
  expect(complete('user', '')).toEqual(expect.arrayContaining(['add', 'list', 'edit', 'disable', 'enable', 'reset']));
  expect(complete('user', 'add', 'clerk1', '--r')).toEqual(['--role']);
  expect(complete('--json', 'vi')).toEqual(['view']);
  expect(complete('add', 'Basmati rice', '--n')).toEqual(expect.arrayContaining(['--note', '--new']));
  expect(complete('move', 'Soap', '5', '--')).toEqual(expect.arrayContaining(['--from', '--to', '--note']));
  expect(complete('count', 'Soap', '5', '--if')).toEqual(['--if-seq']);
  expect(complete('und')).toEqual(['undo']);
  expect(complete('frobnicate', 'vi')).toEqual(['view']);
});

/** The script for a shell. */
function script(shell: string): string {
  const { folder: cwd, environment } = clone();
  return execFileSync(join(cwd, 'bin', 'secure-inv'), ['completion', shell], {
    cwd,
    env: environment('typist'),
    encoding: 'utf8',
  });
}

/** What a shell has to say about a script's syntax; undefined where it is not installed. */
function complaint(shell: string): string | undefined {
  const { folder, environment } = clone();
  const file = join(folder, `completion.${shell}`);
  writeFileSync(file, script(shell));
  const { error, stderr, status } = spawnSync(shell, ['-n', file], { env: environment('typist'), encoding: 'utf8' });
  return error ? undefined : `${status} ${stderr}`;
}

/** Every quote that a POSIX shell would open is closed. */
function isBalanced(text: string, escaped: RegExp): boolean {
  return text.split('\n').every((line) => (line.replace(escaped, '').split("'").length - 1) % 2 === 0);
}

test('zsh is offered the same commands, with their meaning', () => {
  const text = script('zsh');
  expect(complaint('zsh') ?? '0 ').toBe('0 ');
  expect(text.split('\n')[0]).toBe('#compdef secure-inv');
  expect(text).toMatch(/^ {6}\(''\) offers=\(.*'take:Take a quantity of an item out of the inventory\.'.*\) ;;$/m);
  expect(text).toMatch(/^ {6}\('user add'\) offers=\(.*'--role:what the user may do: .*\) ;;$/m);
  expect(isBalanced(text, /'\\''/g)).toBe(true);
});

test('fish is offered the same commands, with their meaning', () => {
  const text = script('fish');
  expect(complaint('fish') ?? '0 ').toBe('0 ');
  expect(text).toContain(
    `complete -c secure-inv -n '__secure_inv_at ""' -f -a 'take' -d 'Take a quantity of an item out of the inventory.'\n`,
  );
  expect(text).toContain(`complete -c secure-inv -n '__secure_inv_at "user add"' -l role -d 'what the user may do`);
  expect(isBalanced(text, /\\'/g)).toBe(true);
});
