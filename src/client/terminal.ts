import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
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

/** Asks until the answer is yes or no. Failures: as `ask`. */
export async function agrees(question: string): Promise<boolean> {
  for (;;) {
    const answer = (await ask(`${question} (yes or no) `)).toLowerCase();
    if (answer === 'yes' || answer === 'no') return answer === 'yes';
    process.stderr.write('Answer yes or no.\n');
  }
}

/** Asks without showing what is typed. */
export function askHidden(prompt: string): Promise<string> {
  return prompted(prompt, true);
}

async function prompted(prompt: string, hidden: boolean): Promise<string> {
  if (!isInteractive()) {
    throw new Failure('bad-params', `Nobody is here to answer "${prompt.trim()}".`, {
      hint: 'Off a terminal, give it as an option (--user, --password-stdin, --fingerprint); see --help.',
    });
  }
  let isMuted = false;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!isMuted) process.stderr.write(chunk);
      done();
    },
  });
  const input = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  input.setPrompt(prompt);
  input.prompt();
  isMuted = hidden;
  let answer: string | undefined;
  input.once('line', (line) => {
    answer = line;
    input.close();
  });
  await once(input, 'close'); // By Enter, Ctrl-C or Ctrl-D.
  if (hidden || answer === undefined) process.stderr.write('\n'); // What ended it was not shown.
  if (answer === undefined) throw new Failure('bad-params', 'Cancelled.');
  return answer;
}

/** Passwords from standard input, for scripts: its first lines. Failures: `bad-params` when there are fewer. */
export async function readPasswordsFromInput(count: number): Promise<string[]> {
  let text = '';
  for await (const chunk of process.stdin) {
    text += chunk;
    if (text.length > 4096) break;
  }
  const lines = text.split(/\r?\n/).slice(0, count);
  if (lines.length === count && !lines.includes('')) return lines;
  const wanted = count === 1 ? 'There is no password' : `There are no ${count} lines with passwords`;
  throw new Failure('bad-params', `${wanted} on standard input.`);
}

/** All of standard input as text. Failures: `bad-params` for more bytes than this, and for what is not UTF-8. */
export async function readInput(bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Failure('bad-params', `Standard input may have at most ${bytesMax} bytes.`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Failure('bad-params', 'Standard input is not UTF-8 text.');
  }
}

/** There is nothing more on standard input. */
export class InputEnd extends Error {}

/** The lines of standard input, asked for one by one on standard output. Throws `InputEnd` after the last. */
export interface LineReader {
  ask(prompt: string): Promise<string>;
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
      if (!next.done) return next.value;
      process.stdout.write('\n');
      throw new InputEnd();
    },
    close: () => input.close(),
  };
}

/** For what this account knows itself. */
const noServer = { server: '', enrolmentLink: () => '' };

/** What a terminal has that does not tell, as one that a program opens without a size. */
const usualColumns = 80;

/** How wide lines may be there: as wide as they are where no terminal is. */
export function columnsOf({ isTTY, columns }: Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>): number {
  return isTTY ? columns || usualColumns : Number.POSITIVE_INFINITY;
}

/** How results are shown here: colour only on a terminal (and never with NO_COLOR), lines as wide as it is. */
export function openScreen(facts: Pick<Screen, 'server' | 'enrolmentLink'> = noServer): Screen {
  const plain = (text: string) => text;
  const coloured = process.stdout.isTTY && pc.isColorSupported;
  return {
    columns: columnsOf(process.stdout),
    now: process.stdout.isTTY ? Date.now() : null,
    bold: coloured ? pc.bold : plain,
    dim: coloured ? pc.dim : plain,
    ...facts,
  };
}
