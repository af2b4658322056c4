import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { buildProgram } from '../../src/client/shell/program.ts';

test('every command and every group of them says in a sentence what it is for', () => {
  const all = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(all)];
  const silent = all(buildProgram({ configFolder: '', stateFolder: '' }, ''))
    .filter((command) => !/^[A-Z].*\.$/.test(command.description()))
    .map((command) => command.name());
  expect(silent).toEqual([]);
});
