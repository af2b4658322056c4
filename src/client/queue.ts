import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { isOpenToOthers, removeFile, writeFileAtomically } from '../file/private-file.ts';
import { Failure } from '../model/failure.ts';
import { queuedOperationsMax } from '../model/limits.ts';
import { aboutOwnFile, onOwnFile } from './own-file.ts';
import {
  type DamagedEntry,
  isDamaged,
  type KeptOperation,
  operationOf,
  parseEntry,
  type QueueEntry,
  type QueueFile,
  type QueueOwner,
} from './queue-entry.ts';

type Operation = Pick<KeptOperation, 'method' | 'params'>;

const filePattern = /^\d{12}-([0-9a-f-]{36})\.json$/;

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

  /** All that is kept, in order, with what is damaged. Failures: `bad-params` when others could have written it; `storage`. */
  list(): Promise<readonly QueueFile[]> {
    return readFolder(this.#folder);
  }

  /** The entry as it stands now; undefined when it was answered or dropped. */
  read({ file }: QueueFile): Promise<QueueFile | undefined> {
    return readEntry(this.#folder, file);
  }

  /**
   * Keeps an operation behind all others, never sent so far; what is returned is on disk. One with this id that is here
   * already is it, and is no longer held for refused. Failures: `conflict` when that is something else, or there are too many;
   * `storage` when it cannot be written, and is not here.
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
    try {
      await this.#write(entry);
    } catch (error) {
      await this.forget(entry); // It may be there, and not be on disk.
      if (!(error instanceof Failure)) throw error;
      throw new Failure(error.code, `The operation is NOT kept, and was not sent: ${error.message}`, error.details);
    }
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

  /** Forgets one that was answered. If it cannot, or a power cut brings it back, it is sent again and counted once. */
  async forget({ file }: QueueEntry): Promise<void> {
    try {
      rmSync(join(this.#folder, file), { force: true });
    } catch {
      // Whoever has an answer gets it all the same.
    }
  }

  /** Forgets one for good: no power cut brings it back. */
  async drop({ file }: QueueFile): Promise<void> {
    await this.#onDisk(() => removeFile(join(this.#folder, file)));
  }

  /** A file whose exclusive existence says that somebody sends, or decides about, what is here. */
  async lockFile(): Promise<string> {
    await this.#onDisk(() => mkdir(this.#folder, { recursive: true, mode: 0o700 }));
    return join(this.#folder, 'lock');
  }

  async #find(operation: Operation) {
    const entries = await this.list();
    const known = entries.find((entry) => operationOf(entry) === operation.params.operation);
    if (!known) return { known, entries };
    if (isDamaged(known)) {
      await this.drop(known); // What is given again takes its place.
      return { known: undefined, entries };
    }
    if (bodyOf(known) !== bodyOf(operation) || known.server !== this.owner.server) {
      const what = bodyOf(known) === bodyOf(operation) ? `for ${known.server}` : 'as something else';
      throw new Failure('conflict', `Operation ${known.params.operation} is kept here ${what}.`, {
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
    await this.#onDisk(() => writeFileAtomically(join(this.#folder, file), JSON.stringify(operation)));
  }

  async #onDisk(work: () => Promise<unknown>): Promise<void> {
    await onOwnFile(this.#folder, 'written', work);
  }
}

/** What all users of all contexts have here. */
export async function listQueues(stateFolder: string): Promise<readonly QueueFile[]> {
  const folder = queuesFolder(stateFolder);
  const all: QueueFile[] = [];
  for (const name of namesIn(folder)) all.push(...(await readFolder(join(folder, name))));
  return all;
}

function queuesFolder(stateFolder: string): string {
  return join(stateFolder, 'queue');
}

/** A space is in neither part, so that two owners never share a folder. */
function folderName(context: string, user: string): string {
  return `${encodeURIComponent(context)} ${encodeURIComponent(user)}`;
}

function ownerIn(folder: string): Pick<QueueOwner, 'context' | 'user'> {
  const [context = '', user = ''] = basename(folder).split(' ');
  try {
    return { context: decodeURIComponent(context), user: decodeURIComponent(user) };
  } catch {
    return { context, user }; // Somebody else's name.
  }
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
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
    throw aboutOwnFile(folder, 'read', error);
  }
}

async function readFolder(folder: string): Promise<QueueFile[]> {
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
async function readEntry(folder: string, file: string): Promise<QueueFile | undefined> {
  const path = join(folder, file);
  const operation = filePattern.exec(file)?.[1] ?? '';
  const of: Omit<DamagedEntry, 'problem'> = { ...ownerIn(folder), file, path, operation };
  try {
    const text = await readFile(path, 'utf8');
    return text === '' ? undefined : parseEntry(text, of);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return error.code === 'ENOENT' ? undefined : { ...of, problem: `It cannot be read (${error.code}).` };
  }
}
