import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isOpenToOthers, removeFile, writeFileAtomically } from '../file/private-file.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { queuedOperationsMax } from '../model/limits.ts';
import { isRunning } from './file-lock.ts';

/** Whose operations: they are sent to this server as this user, and never as another. */
export interface QueueOwner {
  readonly context: string;
  /** HOST:PORT. */
  readonly server: string;
  readonly user: string;
}

/** An operation whose outcome this client does not know, or does not like, as its file has it. */
export interface KeptOperation extends QueueOwner {
  /** The command, and what it is given; its `operation` makes that a repeat counts once. */
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>> & { readonly operation: string };
  /** When somebody gave it, RFC 3339. */
  readonly at: string;
  /** Given with `--queue`: sent unasked. Others wait until somebody says so, who may have repeated them by hand. */
  readonly isQueued: boolean;
  /** It may have reached the server, and been counted. */
  readonly maySent: boolean;
  readonly refusal?: { readonly code: FailureCode; readonly message: string; readonly hint?: string | undefined };
  /** Who sends it, or was killed doing so. */
  readonly sender?: { readonly host: string; readonly pid: number; readonly at: string };
}

type Operation = Pick<KeptOperation, 'method' | 'params'>;

/** A kept operation and the name of its file. */
export interface QueueEntry extends KeptOperation {
  readonly file: string;
}

export type QueueState = 'queued' | 'unconfirmed' | 'refused' | 'sending';

const filePattern = /^(\d{12})-[0-9a-f-]{36}\.json$/;
/** Longer than any call takes, which connects (10 s), repeats (10 s) and waits for an answer (60 s). */
const sendingMillisecondsMax = 120_000;

/**
 * The operations of one context and user that are not settled, each in a file of its own (0600, fsynced) whose name has its
 * place: a client that is killed harms no other entry, and adding one needs no lock. Sending takes one, for the order.
 */
export class OperationQueue {
  readonly owner: QueueOwner;
  readonly #folder: string;

  constructor(stateFolder: string, owner: QueueOwner) {
    this.owner = owner;
    this.#folder = join(queuesFolder(stateFolder), folderName(owner.context, owner.user));
  }

  /** All that is kept, in order. Failures: `bad-params` when a file is damaged, or others could have written it. */
  list(): Promise<readonly QueueEntry[]> {
    return readFolder(this.#folder);
  }

  /** The entry as it stands now; undefined when it was answered or dropped. */
  read({ file }: QueueEntry): Promise<QueueEntry | undefined> {
    return readEntry(this.#folder, file);
  }

  /**
   * Keeps an operation behind all others, never sent so far; what is returned is on disk. One with this id that is here
   * already is it, and is no longer held for refused. Failures: `conflict` when that is something else, or there are too many.
   */
  async add(operation: Operation): Promise<QueueEntry> {
    const { known, entries } = await this.#find(operation);
    if (known) {
      const { refusal: _, ...rest } = known;
      await this.settle({ ...rest, isQueued: true });
      return known;
    }
    if (entries.length >= queuedOperationsMax) {
      throw new Failure('conflict', `${queuedOperationsMax} operations are kept already; this one is not.`, {
        hint: 'Run: secure-inv queue send, and see: secure-inv queue',
      });
    }
    const entry = { ...this.#make(operation, filesIn(this.#folder)), isQueued: true, maySent: false };
    await this.#write(entry);
    return entry;
  }

  /**
   * Keeps an operation that this process is about to send; `before` is how it stood here if it did. A new one outlives this
   * process, and only one that is settled also a power cut. Failures: `conflict` when there is something else of its id.
   */
  async begin(operation: Operation): Promise<{ readonly entry: QueueEntry; readonly before: QueueEntry | undefined }> {
    // At once, and without fsync: the connection is being made meanwhile, and each turn that is waited for costs the
    // command milliseconds. Nobody was told yet that it is kept.
    const names = filesIn(this.#folder);
    if (names.some((name) => name.endsWith(`-${operation.params.operation}.json`))) {
      const { known } = await this.#find(operation);
      if (known) return { entry: await this.claim(known), before: known };
    }
    const { file, ...kept } = { ...this.#make(operation, names), isQueued: false, maySent: true, sender: me() };
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(this.#folder, file), JSON.stringify(kept), { flag: 'wx', mode: 0o600 });
    return { entry: { ...kept, file }, before: undefined };
  }

  /** Writes down that it is about to be sent, by this process. */
  async claim({ refusal: _, ...entry }: QueueEntry): Promise<QueueEntry> {
    const claimed = { ...entry, maySent: true, sender: me() };
    await this.#write(claimed);
    return claimed;
  }

  /** Writes down how it stands now that nobody sends it. */
  async settle({ sender: _, ...entry }: QueueEntry): Promise<void> {
    await this.#write(entry);
  }

  /** Forgets one that was answered. If a power cut brings it back, it is sent again and counted once. */
  async forget({ file }: QueueEntry): Promise<void> {
    rmSync(join(this.#folder, file), { force: true });
  }

  /** Forgets one for good: no power cut brings it back. */
  async drop({ file }: QueueEntry): Promise<void> {
    await removeFile(join(this.#folder, file));
  }

  /** A file whose exclusive existence says that somebody sends, or decides about, what is here. */
  async lockFile(): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    return join(this.#folder, 'lock');
  }

  async #find(operation: Operation) {
    const entries = await this.list();
    const known = entries.find(({ params }) => params.operation === operation.params.operation);
    if (known && bodyOf(known) !== bodyOf(operation)) {
      throw new Failure('conflict', `Operation ${known.params.operation} is kept here as something else.`, {
        hint: 'See: secure-inv queue',
      });
    }
    return { known, entries };
  }

  #make(operation: Operation, names: readonly string[]) {
    // Two at the same moment may get the same place: neither was first, and their names differ by their ids.
    const place = Number(names.at(-1)?.slice(0, 12) ?? 0) + 1;
    const file = `${String(place).padStart(12, '0')}-${operation.params.operation}.json`;
    return { ...this.owner, ...operation, at: new Date().toISOString(), file };
  }

  async #write({ file, ...operation }: QueueEntry): Promise<void> {
    await writeFileAtomically(join(this.#folder, file), JSON.stringify(operation));
  }
}

/** What all users of all contexts have here. */
export async function listQueues(stateFolder: string): Promise<readonly QueueEntry[]> {
  const folder = queuesFolder(stateFolder);
  const all: QueueEntry[] = [];
  for (const name of namesIn(folder)) all.push(...(await readFolder(join(folder, name))));
  return all;
}

/** How an entry stands. One whose sender was killed is unconfirmed at once. */
export function stateOf({ refusal, maySent, sender }: KeptOperation, now = Date.now()): QueueState {
  if (sender && Math.abs(now - Date.parse(sender.at)) < sendingMillisecondsMax && isRunning(sender)) return 'sending';
  if (refusal) return 'refused';
  return maySent ? 'unconfirmed' : 'queued';
}

function queuesFolder(stateFolder: string): string {
  return join(stateFolder, 'queue');
}

/** A space is in neither part, so that two owners never share a folder. */
function folderName(context: string, user: string): string {
  return `${encodeURIComponent(context)} ${encodeURIComponent(user)}`;
}

function me(): { host: string; pid: number; at: string } {
  return { host: hostname(), pid: process.pid, at: new Date().toISOString() };
}

function bodyOf({ method, params }: Operation): string {
  return JSON.stringify([method, Object.entries(params).sort(([one], [other]) => (one < other ? -1 : 1))]);
}

/** The files of entries, in order. */
function filesIn(folder: string): string[] {
  return namesIn(folder).filter((name) => filePattern.test(name));
}

/** In order. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

async function readFolder(folder: string): Promise<QueueEntry[]> {
  const files = filesIn(folder);
  if (files.length > 0 && (await isOpenToOthers(folder))) {
    throw new Failure('bad-params', `${folder} holds your operations and is open to others.`, {
      hint: `Look at what is in there, then run: chmod 700 '${folder}'`,
    });
  }
  const entries = await Promise.all(files.map((file) => readEntry(folder, file)));
  return entries.filter((entry) => entry !== undefined);
}

/** Undefined when it was answered meanwhile, or is empty: being written, or lost in a power cut before anybody was told of it. */
async function readEntry(folder: string, file: string): Promise<QueueEntry | undefined> {
  const path = join(folder, file);
  try {
    const text = await readFile(path, 'utf8');
    if (text === '') return undefined;
    const operation = JSON.parse(text) as KeptOperation; // This program wrote it, as a whole.
    return { ...operation, file };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new Failure('bad-params', `${path} is damaged.`, {
      hint: `Run: rm '${path}', and give the operation again.`,
    });
  }
}
