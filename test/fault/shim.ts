import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is to happen from now on. For what fails, a number is how many calls; -1 all of them, 0 none. */
export interface Fault {
  readonly fsyncs?: number;
  readonly writes?: number;
  /** Half of what fails to be written is written. */
  readonly shorts?: boolean;
  /** Also opening for writing, deleting and cutting. */
  readonly opens?: number;
  readonly error?: keyof typeof constants.errno;
  /** How the paths of the files end that fail; without it all that the shim was made for. */
  readonly ending?: string;
  /** Where the process is killed, and how often that place is passed before. */
  readonly kill?: readonly [point: (typeof points)[number], passes: number];
  /** Milliseconds for which the thread is held up that sends the next reply. */
  readonly stall?: number;
  /** Seconds that the machine's clock is ahead, as the process sees it. */
  readonly ahead?: number;
}

/** Where the process can be killed: around a write or a sync of the files that are meant, and around a reply. */
export const points = [
  'before write',
  'after write',
  'before sync',
  'after sync',
  'before reply',
  'after reply',
] as const;

/** Makes the files below a folder fail in programs that are started with `env`. */
export interface Shim {
  readonly env: NodeJS.ProcessEnv;
  set(fault: Fault): void;
  /** How many calls have failed since the last `set`. */
  hits(): number;
}

const fields = {
  fsyncs: 0,
  writes: 4,
  shorts: 8,
  error: 12,
  opens: 16,
  hits: 20,
  ending: 24,
  folder: 88,
  point: 344,
  passes: 348,
  stall: 352,
  ahead: 356,
} as const;
const controlBytes = 360;

/** Why there is no shim here; undefined when there is one. */
export function whyNoShim(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'needs gcc';
  }
}

/** Compiles the shim into `folder`; what lies below `below` can fail. */
export function buildShim(folder: string, below: string): Shim {
  const library = join(folder, 'shim.so');
  const source = fileURLToPath(new URL('./shim.c', import.meta.url));
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source, '-ldl']);
  const control = join(folder, 'control');
  const set = ({
    fsyncs = 0,
    writes = 0,
    shorts = false,
    opens = 0,
    error = 'EIO',
    ending = '',
    kill,
    stall = 0,
    ahead = 0,
  }: Fault) => {
    const bytes = Buffer.alloc(controlBytes);
    bytes.writeInt32LE(fsyncs, fields.fsyncs);
    bytes.writeInt32LE(writes, fields.writes);
    bytes.writeInt32LE(shorts ? 1 : 0, fields.shorts);
    bytes.writeInt32LE(constants.errno[error], fields.error);
    bytes.writeInt32LE(opens, fields.opens);
    bytes.write(ending, fields.ending);
    bytes.write(below, fields.folder);
    bytes.writeInt32LE(kill ? points.indexOf(kill[0]) + 1 : 0, fields.point);
    bytes.writeInt32LE(kill?.[1] ?? 0, fields.passes);
    bytes.writeInt32LE(stall, fields.stall);
    bytes.writeInt32LE(ahead, fields.ahead);
    withFile(control, 'r+', (file) => writeSync(file, bytes, 0, bytes.length, 0));
  };
  writeFileSync(control, Buffer.alloc(controlBytes));
  set({});
  return {
    env: { ...process.env, LD_PRELOAD: library, FAULT_CONTROL: control },
    set,
    hits() {
      const bytes = Buffer.alloc(4);
      withFile(control, 'r', (file) => readSync(file, bytes, 0, 4, fields.hits));
      return bytes.readInt32LE();
    },
  };
}

function withFile(path: string, flags: string, use: (file: number) => void): void {
  const file = openSync(path, flags);
  try {
    use(file);
  } finally {
    closeSync(file);
  }
}
