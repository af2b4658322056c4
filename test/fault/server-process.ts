import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverOptions } from '../../scripts/programs.ts';
import { type EnrolmentLink, parseEnrolmentLink } from '../../src/model/enrolment-link.ts';
import { atEnd } from '../support/at-end.ts';
import { compiledPrograms } from '../support/programs.ts';

/** Also on a machine that is busy with other tests. */
const startMillisecondsMax = 20_000;
const endMillisecondsMax = 2000;

/** A server in a process of its own, which can be killed. */
export interface ServerProcess {
  readonly port: number;
  readonly pid: number;
  /** The server authority, PEM. */
  readonly ca: string;
  /** Printed while nobody can administer the server. */
  readonly link: EnrolmentLink | undefined;
  signal(signal: NodeJS.Signals): void;
  /** Its exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** kill -9, unless it has ended, and the end of it. */
  kill(): Promise<void>;
}

/** What a test wants of the process; without `onLog` it goes where the test's own output goes. */
export interface LogOptions {
  readonly logLevel?: string;
  readonly onLog?: (text: string) => void;
  /** More flags, by name: `{ 'ops-port': '9464' }`. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Starts a server on the folder and resolves when it serves; the first time, when it has printed the link as well. One that
 * does not is gone when this is rejected, with what it ended with.
 */
export async function startProcess(
  folder: string,
  isFirst = false,
  { logLevel = 'error', onLog, flags: more = {}, env = process.env }: LogOptions = {},
): Promise<ServerProcess> {
  const flags = {
    'listen-port': '0',
    store: `sqlite:${join(folder, 'data', 'inventory.db')}`,
    'certs-folder': join(folder, 'certs'),
    'auth-password-memory-kibibytes': '19456',
    'auth-password-passes': '2',
    'auth-token-access-minutes': '60',
    'log-level': logLevel,
    ...more,
  };
  const config = join(folder, 'server.jsonc'); // Not the one that an operator of this clone edits.
  await writeFile(config, '{}');
  const words = ['--config', config, ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
  const child = spawn(process.execPath, [...serverOptions, (await compiledPrograms()).server, ...words], {
    stdio: ['ignore', 'pipe', onLog ? 'pipe' : 'inherit'],
    env,
  });
  if (onLog) child.stderr?.setEncoding('utf8').on('data', onLog);
  const forget = atEnd(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit')
    .finally(forget)
    .then(([status, signal]) => status ?? signal);
  const kill = async () => {
    child.kill('SIGKILL'); // Which does nothing to one that has ended.
    await ended;
  };
  try {
    const greeting = await readGreeting(child, isFirst);
    const ca = await readFile(join(folder, 'certs', 'server-ca.pem'), 'utf8');
    return { ...greeting, pid: child.pid ?? 0, ca, ended, signal: (signal) => void child.kill(signal), kill };
  } catch (cause) {
    // It may be about to end by itself, which tells more than that it was killed.
    await Promise.race([ended, sleep(endMillisecondsMax, undefined, { ref: false })]);
    await kill();
    throw new Error(`The server did not start and ended with ${await ended}.`, { cause });
  }
}

type Greeting = Pick<ServerProcess, 'port' | 'link'>;

async function readGreeting({ stdout }: ChildProcess, isFirst: boolean): Promise<Greeting> {
  if (!stdout) throw new Error('The server has no output.');
  let port: number | undefined;
  const signal = AbortSignal.timeout(startMillisecondsMax);
  for await (const text of createInterface({ input: stdout, signal })) {
    port ??= Number(/ is listening on [^ ]+:(\d+) /.exec(text)?.[1]) || undefined;
    const [printed] = /secure-inv:\/\/[^']+/.exec(text) ?? [];
    if (port !== undefined && (printed || !isFirst))
      return { port, link: printed ? parseEnrolmentLink(printed) : undefined };
  }
  throw new Error('The server greeted nobody.');
}
