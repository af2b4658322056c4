import { stripVTControlCharacters } from 'node:util';
import { type IPty, spawn } from '@lydell/node-pty';
import { onTestFinished } from 'vitest';

/** Nothing that a person waits for takes this long. */
const secondsMax = 15;

export interface TerminalOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A program on a real pseudo-terminal, with somebody who reads and types; it ends with the test. */
export class Terminal {
  readonly #pty: IPty;
  #output = '';
  #isEnded = false;
  #read = 0;
  /** The exit status, or `SIG` and a number. */
  readonly ended: Promise<number | string>;

  constructor(file: string, words: readonly string[], { cwd, env }: TerminalOptions) {
    this.#pty = spawn(file, [...words], { name: 'xterm-256color', cols: 100, rows: 30, cwd, env });
    this.#pty.onData((text) => {
      this.#output += text;
    });
    this.ended = new Promise((resolve) =>
      this.#pty.onExit(({ exitCode, signal }) => {
        this.#isEnded = true;
        resolve(signal ? `SIG${signal}` : exitCode);
      }),
    );
    onTestFinished(() => {
      if (!this.#isEnded) this.#pty.kill('SIGKILL');
    });
  }

  get pid(): number {
    return this.#pty.pid;
  }

  /** All that was shown so far, with its control characters. */
  get output(): string {
    return this.#output;
  }

  /** All that was shown so far, as it can be read. */
  get text(): string {
    return stripVTControlCharacters(this.#output).replaceAll('\r', '');
  }

  /** Waits until this is shown below what was waited for before, and returns it. */
  async shows(what: string | RegExp): Promise<string> {
    const until = performance.now() + secondsMax * 1000;
    for (;;) {
      const unread = this.text.slice(this.#read);
      const at = unread.search(typeof what === 'string' ? literally(what) : what);
      const found = typeof what === 'string' ? what : (what.exec(unread)?.[0] ?? '');
      if (at !== -1) {
        this.#read += at + found.length;
        return found;
      }
      if (this.#isEnded || performance.now() > until) throw new Error(`${what} is not shown, but:\n${this.text}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Types a line, with Enter. */
  type(line: string): void {
    this.#pty.write(`${line}\r`);
  }

  /** Presses Ctrl and a letter. */
  press(letter: string): void {
    this.#pty.write(String.fromCharCode(letter.toUpperCase().charCodeAt(0) - 64));
  }

  /** Closes the window. */
  close(): void {
    // Only the type leaves this out: killing would signal one process, and not the terminal's whole session.
    (this.#pty as IPty & { destroy(): void }).destroy();
  }
}

function literally(text: string): RegExp {
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
}
