import * as v from 'valibot';
import { problemsIn } from '../command/check.ts';
import { isRunning } from './file-lock.ts';

/** Whose operations: they are sent to this server as this user, and never as another. */
export interface QueueOwner {
  readonly context: string;
  /** HOST:PORT. */
  readonly server: string;
  readonly user: string;
}

type Params = Readonly<Record<string, unknown>> & { readonly operation: string };

function isParams(value: unknown): value is Params {
  return typeof value === 'object' && value !== null && 'operation' in value && typeof value.operation === 'string';
}

/** An operation whose outcome this client does not know, or does not like, as its file has it. */
const keptOperation = v.object({
  context: v.string(),
  server: v.string(),
  user: v.string(),
  /** The command, and what it is given; its `operation` makes that a repeat counts once. */
  method: v.string(),
  params: v.custom<Params>(isParams, 'params must be an object with an operation'),
  /** When somebody gave it, RFC 3339. */
  at: v.string(),
  /** Given with `--queue`: sent unasked. Others wait until somebody says so, who may have repeated them by hand. */
  isQueued: v.boolean(),
  /** It may have reached the server, and been counted. */
  maySent: v.boolean(),
  refusal: v.exactOptional(v.object({ code: v.string(), message: v.string(), hint: v.optional(v.string()) })),
  /** Who sends it, or was killed doing so. */
  sender: v.exactOptional(
    v.object({ host: v.string(), pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)), at: v.string() }),
  ),
});

export type KeptOperation = Readonly<v.InferOutput<typeof keptOperation>>;

/** A kept operation and the name of its file. */
export interface QueueEntry extends KeptOperation {
  readonly file: string;
}

/** A file that holds no operation any more: what is known of it its own name and its folder's tell. */
export interface DamagedEntry extends Pick<QueueOwner, 'context' | 'user'> {
  readonly file: string;
  readonly path: string;
  /** The id of what was in it. */
  readonly operation: string;
  /** A sentence: what is wrong with it. */
  readonly problem: string;
}

export type QueueFile = QueueEntry | DamagedEntry;

export function isDamaged(entry: QueueFile): entry is DamagedEntry {
  return 'problem' in entry;
}

/** Those that are not damaged. */
export function wholeOf(entries: readonly QueueFile[]): readonly QueueEntry[] {
  return entries.flatMap((entry) => (isDamaged(entry) ? [] : entry));
}

/** The id of what is, or was, in the file. */
export function operationOf(entry: QueueFile): string {
  return isDamaged(entry) ? entry.operation : entry.params.operation;
}

export type QueueState = 'queued' | 'unconfirmed' | 'refused' | 'sending' | 'damaged';

/** Longer than any call takes, which connects (10 s), repeats (10 s) and waits for an answer (60 s). */
const sendingMillisecondsMax = 120_000;

/** How an entry stands. One whose sender was killed is unconfirmed at once. */
export function stateOf(entry: QueueFile, now = Date.now()): QueueState {
  if (isDamaged(entry)) return 'damaged';
  const { refusal, maySent, sender } = entry;
  if (sender && Math.abs(now - Date.parse(sender.at)) < sendingMillisecondsMax && isRunning(sender)) return 'sending';
  if (refusal) return 'refused';
  return maySent ? 'unconfirmed' : 'queued';
}

/** What a file says, or what is wrong with it. A disk that lost a part of it is no reason to send something else. */
export function parseEntry(text: string, of: Omit<DamagedEntry, 'problem'>): QueueFile {
  const damaged = (problem: string) => ({ ...of, problem });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return damaged('It is not JSON.');
  }
  const checked = v.safeParse(keptOperation, value);
  if (!checked.success) return damaged(problemsIn(keptOperation, value)[0]?.problem ?? 'It holds no operation.');
  const { context, user, params } = checked.output;
  if (params.operation !== of.operation) return damaged('It holds another operation than its name says.');
  if (context !== of.context || user !== of.user) return damaged("It holds an operation of another login's.");
  return { ...checked.output, file: of.file };
}
