import { createInterface } from 'node:readline/promises';
import pc from 'picocolors';
import type { Screen } from '../command/command.ts';
import { Failure } from '../model/failure.ts';

// Prompts and errors go to standard error, so that standard output is the answer and nothing else.

/** Whether somebody is there to answer a question. */
export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks and returns the trimmed line. Failures: `bad-params` when nobody is there, or Ctrl-C or Ctrl-D was the answer. */
export async function ask(prompt: string): Promise<string> {
  return (await prompted(prompt, false)).trim();
}

/** Asks without showing what is typed. */
export function askHidden(prompt: string): Promise<string> {
  return prompted(prompt, true);
}

async function prompted(prompt: string, silent: boolean): Promise<string> {
  if (!isInteractive()) {
    throw new Failure('bad-params', `Nobody is here to answer "${prompt.trim()}".`, {
      hint: 'Off a terminal, give it as an option (--user, --password-stdin, --fingerprint); see --help.',
    });
  }
  const { read } = await import('read');
  try {
    return await read({ prompt, silent, output: process.stderr });
  } catch {
    if (!silent) process.stderr.write('\n');
    throw new Failure('bad-params', 'Cancelled.');
  } finally {
    if (silent) process.stderr.write('\n'); // The Enter that ended it was not shown either.
  }
}

/** A password from standard input, for scripts: its first line. */
export async function readPasswordFromInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) {
    text += chunk;
    if (text.length > 4096) break;
  }
  const line = text.split(/\r?\n/, 1)[0] ?? '';
  if (line === '') throw new Failure('bad-params', 'There is no password on standard input.');
  return line;
}

/** The lines of standard input, asked for one by one on standard output; undefined at the end. */
export interface LineReader {
  ask(prompt: string): Promise<string | undefined>;
  close(): void;
}

/** Opens standard input for questions and answers, from a person or a pipe. */
export function openLineReader(): LineReader {
  const input = createInterface({ input: process.stdin });
  const lines = input[Symbol.asyncIterator]();
  return {
    async ask(prompt) {
      process.stdout.write(prompt);
      const next = await lines.next();
      return next.done ? undefined : next.value;
    },
    close: () => input.close(),
  };
}

/** How results are shown here: colour only on a terminal (and never with NO_COLOR), lines as wide as it is. */
export function openScreen(enrolmentLink: Screen['enrolmentLink']): Screen {
  const plain = (text: string) => text;
  const coloured = process.stdout.isTTY && pc.isColorSupported;
  return {
    columns: process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
    bold: coloured ? pc.bold : plain,
    dim: coloured ? pc.dim : plain,
    enrolmentLink,
  };
}
