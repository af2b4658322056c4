import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const killMilliseconds = 5000;
const outputMilliseconds = 30_000;

/** A temporary folder and the processes that work in it: both are gone after `close`. */
export class Workspace {
  readonly folder: string;
  readonly #children = new Set<ChildProcess>();
  #closing: Promise<void> | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Workspace> {
    return new Workspace(await mkdtemp(join(tmpdir(), 'secure-inv-bench-')));
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Starts a program in the folder. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return this.#keep(spawn(command, args, { cwd: this.folder, ...options }));
  }

  /** Starts a module of this benchmark, to talk to by messages. */
  fork(module: URL, args: readonly string[] = []): ChildProcess {
    return this.#keep(fork(module, args));
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#children].map(end)).then(() =>
      rm(this.folder, { recursive: true, force: true }),
    );
    return this.#closing;
  }

  #keep(child: ChildProcess): ChildProcess {
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }
}

/** Asks a process to end, and makes it. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), killMilliseconds);
  await exited;
  clearTimeout(timer);
}

/** The first match in what a process prints; throws with all it printed when none comes. */
export function waitForOutput(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (chunk: Buffer) => {
      text += chunk;
      const match = pattern.exec(text);
      if (match) resolve(match);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    const fail = (what: string) => reject(new Error(`${child.spawnargs.join(' ')} ${what}:\n${text}`));
    child.once('error', reject);
    child.once('exit', (code) => fail(`ended with ${code}`));
    setTimeout(() => fail('did not say that it is ready'), outputMilliseconds).unref();
  });
}
