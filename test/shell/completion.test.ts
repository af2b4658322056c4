import { execFileSync } from 'node:child_process';
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
