import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clone, makeClone } from './clone.ts';
import { Placeholders } from './placeholders.ts';
import { formatCommand, formatTranscript, parseTranscript, type Step } from './transcript.ts';

/** No command takes this long unless it hangs. */
const secondsMax = 20;

/** A command that runs, or ran, as a process group of its own with its output in one file, in the order it was written. */
interface Job {
  readonly child: ChildProcess;
  readonly outputFile: string;
  readonly ended: Promise<number | string>;
}

/** Plays transcripts with a real shell, real programs and a real server in a clone of the project. */
export class TranscriptPlayer {
  readonly #clone: Clone;
  readonly #placeholders: Placeholders;
  readonly #onLine: (line: string) => void;
  readonly #jobs: Job[] = [];
  /** The server, or what else was started with `&`, and how many of its lines have been shown. */
  #background: { readonly job: Job; shown: number } | undefined;
  #isClosed = false;

  private constructor(clone: Clone, onLine: (line: string) => void) {
    this.#clone = clone;
    this.#placeholders = new Placeholders({ FOLDER: clone.folder });
    this.#onLine = onLine;
  }

  /** `onLine` is given what a person would see, as it happens. */
  static async open(onLine: (line: string) => void = () => undefined): Promise<TranscriptPlayer> {
    return new TranscriptPlayer(await makeClone(), onLine);
  }

  /** Does what the transcript tells, and tells what happened in the same form: the same text if all went as told. */
  async play(text: string): Promise<string> {
    const { steps, after } = parseTranscript(text);
    const played: Step[] = [];
    for (const step of steps) {
      for (const line of step.before) this.#onLine(line);
      const command = this.#placeholders.fill(step.command);
      for (const line of formatCommand({ ...step, command })) this.#onLine(line);
      const output = await this.#run({ ...step, command });
      for (const line of output) this.#onLine(line);
      played.push({ ...step, output: this.#compare(step.output, output) });
    }
    return formatTranscript({ steps: played, after });
  }

  /** Ends every process that still runs, and removes the clone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { child } of this.#jobs) kill(child);
    await Promise.all(this.#jobs.map(({ ended }) => ended));
    await this.#clone.remove();
  }

  async #run(step: Step): Promise<string[]> {
    if (step.command === 'wait') return this.#wait();
    const isBackground = step.command.endsWith(' &');
    const job = this.#start(isBackground ? { ...step, command: step.command.slice(0, -2) } : step);
    if (!isBackground) return finish(job, 0);
    while (job.child.exitCode === null && !(await readLines(job)).at(step.output.length - 1)) await sleep(10);
    const lines = (await readLines(job)).slice(0, Math.max(step.output.length, 1));
    this.#background = { job, shown: lines.length };
    return lines;
  }

  /** What the command in the background has printed since, until its end. */
  async #wait(): Promise<string[]> {
    if (!this.#background) throw new Error('There is nothing to wait for.');
    const { job, shown } = this.#background;
    return finish(job, shown);
  }

  #start({ account, command, input }: Step): Job {
    if (this.#isClosed) throw new Error('The player was closed.');
    const env = this.#clone.environment(account || 'me');
    mkdirSync(env['HOME'] ?? '', { recursive: true });
    const outputFile = join(this.#clone.folder, `output-${this.#jobs.length}`);
    const output = openSync(outputFile, 'a');
    const child = spawn('bash', ['-c', command], {
      cwd: this.#clone.folder,
      env,
      stdio: ['pipe', output, output],
      detached: true,
    });
    closeSync(output);
    child.stdin?.on('error', () => undefined); // It may end before it has read all.
    child.stdin?.end(input.map((line) => `${line}\n`).join(''));
    const ended = new Promise<number | string>((resolve) =>
      child.once('close', (code, signal) => resolve(code ?? signal ?? '?')),
    );
    const job = { child, outputFile, ended };
    this.#jobs.push(job);
    return job;
  }

  /** The lines as told where they are what was told, and else as they are. */
  #compare(told: readonly string[], lines: readonly string[]): string[] {
    const untold = [...told];
    return lines.map((line) => {
      const at = untold.findIndex((one) => this.#placeholders.match(one, line));
      return untold.splice(at, at === -1 ? 0 : 1)[0] ?? this.#placeholders.cover(line);
    });
  }
}

async function finish(job: Job, from: number): Promise<string[]> {
  const timer = setTimeout(() => kill(job.child), secondsMax * 1000);
  const status = await job.ended;
  clearTimeout(timer);
  const lines = (await readLines(job)).slice(from);
  return status === 0 ? lines : [...lines, `[${status}]`];
}

/** The complete lines so far; an unfinished last one too once the process has ended. */
async function readLines({ child, outputFile }: Job): Promise<string[]> {
  const lines = (await readFile(outputFile, 'utf8')).split('\n').map((line) => line.trimEnd());
  if (lines.at(-1) === '' || child.exitCode === null) lines.pop();
  return lines;
}

function kill({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // The whole group has ended.
  }
}
