import type { CommanderError, Command as Words } from 'commander';
import { unknownCommand } from '../../model/closest.ts';
import { Failure } from '../../model/failure.ts';
import type { TargetOptions } from '../target.ts';

/** What the environment and the options together say. */
export interface ShellOptions extends TargetOptions {
  readonly passwordFile?: string | undefined;
  readonly json?: boolean | undefined;
  /** Whether the terminal knows characters other than ASCII. */
  readonly isUnicode?: boolean | undefined;
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
  return child(parent, words.at(-1) ?? '', words).description(summary);
}

function group(parent: Words, word: string): Words {
  return child(parent, word, [word]).description(groups[word] ?? '');
}

/** What the commands below a word are about. */
const groups: Readonly<Record<string, string>> = {
  item: 'Make and change items: their names, units, codes and thresholds; stock has commands of its own, such as add.',
  location: 'Make and change the places where stock is kept.',
  session: 'See where you are logged in, and end logins.',
  token: 'Make and end API tokens, with which machines work without logging in.',
  user: 'Say who may come in, and what they may do.',
  server: 'See how the server is, and have it take up changed files.',
  cert: 'Get a client certificate from the server, and see how long it is good.',
  context: 'Choose among the servers that you have logged in to.',
  completion: 'Have a shell complete the words of secure-inv.',
};

function child(parent: Words, word: string, path: readonly string[]): Words {
  return parent.command(word).copyInheritedSettings(parent).exitOverride(refuseUsage(path));
}

/** For a group that does something without a word: one that is none of its commands is refused as that. */
export function assertNoWords(group: Words, help: string): void {
  const [word] = group.args;
  if (word === undefined) return;
  throw unknownCommand(
    word,
    group.commands.map((command) => command.name()),
    help,
  );
}

/** What is wrong with a command line, in the form of our other refusals; a help or version that was printed stays one. */
export function refuseUsage(path: readonly string[]): (error: CommanderError) => never {
  return (error) => {
    if (/^commander\.(help|version)/.test(error.code)) throw error;
    const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
    const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.$/, '')}.`;
    const help = `See: ${['secure-inv', ...path, '--help'].join(' ')}`;
    const isWord = /^unknown option '-[^-]/i.test(message);
    const otherwise = isWord ? `${help} (a name that begins with - goes behind --)` : help;
    const hint = suggestion?.replace(/^\(|\)$/g, '') ?? otherwise;
    throw new Failure(error.code === 'commander.unknownCommand' ? 'unknown-command' : 'bad-params', sentence, { hint });
  };
}

/** Prints what a command of the shell's own did: for people a sentence, for programs the same as JSON. */
export function say(shell: Shell, sentence: string, result: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${shell.options().json ? JSON.stringify(result) : sentence}\n`);
}
