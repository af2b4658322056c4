import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
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

test('bash goes past the values of options, and completes those that are known', () => {
  expect(complete('--context', 'home', 'item', 're')).toEqual(['rename', 'restore']);
  expect(complete('user', 'add', '--role', 'clerk', 'clerk1', '--ro')).toEqual(['--role']);
  expect(complete('--server', 'other', ':', '7443', 'item', 're')).toEqual(['rename', 'restore']);
  expect(complete('user', 'add', 'clerk1', '--role', 'vi')).toEqual(['viewer']);
  expect(complete('user', 'add', '--role', '=', 'cl')).toEqual(['clerk']);
  expect(complete('export', '--format', 'j')).toEqual(['json', 'jsonl']);
  expect(complete('export', 'history', '--kind', 'm')).toEqual(['move']);
  expect(complete('add', 'Soap', '5', '--note', '')).toEqual([]);
  expect(complete('add', 'Soap', '5', '--js')).toEqual(['--json']);
  expect(complete('import', 'pack')).toEqual(['package.json']);
  expect(complete('--ca', 'pack')).toEqual(['package.json']);
});

/** Two contexts that the typist knows. No server is there. */
function knowContexts(): void {
  const { folder } = clone();
  const config = join(folder, 'home', 'typist', '.config', 'secure-inv');
  mkdirSync(config, { recursive: true, mode: 0o700 });
  const context = { host: '127.0.0.1', port: 1, ca: '' };
  const contexts = { home: context, 'inv.example.com:7443': context };
  writeFileSync(join(config, 'contexts.json'), JSON.stringify({ current: 'home', contexts }), { mode: 0o600 });
}

test('bash completes the names of contexts', () => {
  knowContexts();
  expect(complete('context', 'use', 'h')).toEqual(['home']);
  expect(complete('context', 'remove', 'i')).toEqual(['inv.example.com:7443']);
  expect(complete('context', 'list', 'h')).toEqual([]);
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

/** The lines that a program prints in the clone's folder. */
function answer(program: string, words: readonly string[]): string[] {
  const { folder: cwd, environment } = clone();
  const text = execFileSync(program, words, { cwd, env: environment('typist'), encoding: 'utf8' });
  return text.split('\n').filter((line) => line !== '');
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

test('zsh goes past the values of options, and completes those that are known', () => {
  const run = `compdef() { }; compset() { words[CURRENT]=\${words[CURRENT]#*=} }; _files() { print files }
    _describe() { [[ $3 != -* ]] && print -l -- \${\${(@P)4}%%:*} }
    source completion.zsh; words=(secure-inv "$@"); CURRENT=$#words; _secure-inv`;
  const offered = (...words: readonly string[]) => answer('zsh', ['-fc', run, 'zsh', ...words]);
  if (complaint('zsh') === undefined) return;
  expect(offered('--context', 'home', 'item', '')).toEqual(expect.arrayContaining(['add', 'restore', 'rename']));
  expect(offered('user', 'add', '--role', 'clerk', '')).toContain('--role');
  expect(offered('user', 'add', 'clerk1', '--role', '')).toContain('viewer');
  expect(offered('user', 'add', '--role=')).toContain('viewer');
  expect(offered('add', 'Soap', '5', '--note', '')).toEqual([]);
  expect(offered('import', '')).toEqual(expect.arrayContaining(['files', 'status']));
  expect(offered('--ca', '')).toEqual(['files']);
  knowContexts();
  expect(offered('context', 'use', '')).toEqual(expect.arrayContaining(['home', 'inv.example.com\\']));
});

test('fish is offered the same commands, with their meaning', () => {
  const text = script('fish');
  expect(complaint('fish') ?? '0 ').toBe('0 ');
  expect(text).toContain(
    `complete -c secure-inv -n '__secure_inv_at ""' -f -a 'take' -d 'Take a quantity of an item out of the inventory.'\n`,
  );
  const role = `complete -c secure-inv -n '__secure_inv_at "user add"' -l role -x -a 'viewer `;
  expect(text.split('\n').find((line) => line.startsWith(role))).toContain(" -d 'what the user may do: ");
  expect(isBalanced(text, /\\'/g)).toBe(true);
});

test('fish goes past the values of options, and completes those that are known', () => {
  if (complaint('fish') === undefined) return;
  const offered = (line: string) => {
    const lines = answer('fish', ['--no-config', '-c', 'source completion.fish; complete -C "$argv[1]"', line]);
    return lines.map((one) => one.split('\t')[0]);
  };
  expect(offered('secure-inv --context home item ')).toEqual(expect.arrayContaining(['add', 'restore', 'rename']));
  expect(offered('secure-inv user add clerk1 --role ')).toEqual(expect.arrayContaining(['viewer', 'clerk']));
  expect(offered('secure-inv user add --role=vi')).toEqual(['--role=viewer']);
  expect(offered('secure-inv add Soap 5 --note ')).toEqual([]);
  expect(offered('secure-inv add Soap 5 --js')).toEqual(['--json']);
  expect(offered('secure-inv import pack')).toEqual(['package.json']);
  expect(offered('secure-inv --ca pack')).toEqual(['package.json']);
  knowContexts();
  expect(offered('secure-inv context use ')).toEqual(['home', 'inv.example.com:7443']);
});
