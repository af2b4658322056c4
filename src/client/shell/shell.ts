import type { Command as Words } from 'commander';
import type { TargetOptions } from '../target.ts';

/** What the environment and the options together say. */
export interface ShellOptions extends TargetOptions {
  readonly passwordFile?: string | undefined;
  readonly json?: boolean | undefined;
}

/** A program to add commands to, and how an action learns what it is about. */
export interface Shell {
  readonly program: Words;
  readonly options: () => ShellOptions;
}

/** The end of a `--help`. */
export function examplesText(examples: readonly string[]): string {
  return `\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`;
}

/** The subcommand of these words, made where it is missing: `user add` is `add` below `user`. */
export function subcommand(program: Words, words: readonly string[], summary: string): Words {
  let parent = program;
  for (const word of words.slice(0, -1)) {
    parent = parent.commands.find((known) => known.name() === word) ?? group(parent, word);
  }
  return inherit(parent.command(words.at(-1) ?? ''), program).description(summary);
}

function group(parent: Words, word: string): Words {
  return inherit(parent.command(word), parent).description(`Work with ${word}s.`);
}

function inherit(child: Words, parent: Words): Words {
  return child.copyInheritedSettings(parent);
}
