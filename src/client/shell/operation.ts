import type { Command } from '../../command/command.ts';
import { Failure } from '../../model/failure.ts';
import { printable } from '../../model/printable.ts';
import { withFileLockWithin } from '../file-lock.ts';
import { OperationQueue } from '../queue.ts';
import { type QueueEntry, wholeOf } from '../queue-entry.ts';
import { callKept, type Outcome, sendQueue } from '../queue-sender.ts';
import { findOwner } from '../target.ts';
import { print } from './answer.ts';
import { withSession } from './session.ts';
import { type Shell, say } from './shell.ts';

/** Another shell that sends the same queue is waited for so long; then it is left to it. */
const queueLockMillisecondsMax = 15_000;

/** Parameters with the id under which a repeat counts once. */
export type OperationParams = Record<string, unknown> & { readonly operation: string };

/** Does an operation once and prints the answer. It is kept while that is not known. */
export async function runOperation(shell: Shell, command: Command, params: OperationParams): Promise<void> {
  const { json, stateFolder } = shell.options();
  await withSession(shell, async (session, endpoint, owner) => {
    const queue = owner && new OperationQueue(stateFolder, owner);
    const sentence = `Whether it was counted is not known: see ${queue ? 'secure-inv queue, and ' : ''}secure-inv history`;
    const result = await sayingIfInterrupted(sentence, () => callKept(session, queue, command, params));
    print(command, result, json, endpoint);
  });
}

/** Keeps an operation first, behind those that wait, and sends them as far as it. A server that is away is no failure. */
export async function queueOperation(shell: Shell, command: Command, params: OperationParams): Promise<void> {
  const options = shell.options();
  const queue = new OperationQueue(options.stateFolder, await findOwner(options));
  const entry = await queue.add({ method: command.name, params });
  const id = shortId(params.operation);
  const isKept = `It is kept, and the next --queue command sends it. If it shall not: secure-inv queue drop ${id}`;
  await sayingIfInterrupted(isKept, () =>
    sendUpTo(shell, queue, command, entry, ({ isQueued, file }) => isQueued && file <= entry.file),
  );
}

/** Who gives up waiting (Ctrl-C) would give it again, and have it twice: says what becomes of it, and ends as by the signal. */
async function sayingIfInterrupted<T>(sentence: string, work: () => Promise<T>): Promise<T> {
  const onInterrupt = () => {
    process.stderr.write(`\nsecure-inv: Interrupted. ${sentence}\n`);
    process.kill(process.pid, 'SIGINT'); // No listener is left.
  };
  process.once('SIGINT', onInterrupt);
  try {
    return await work();
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** Sends what `isMeant`, at last `entry`, whose answer is printed. */
export async function sendUpTo(
  shell: Shell,
  queue: OperationQueue,
  command: Command,
  entry: QueueEntry,
  isMeant: (entry: QueueEntry) => boolean,
): Promise<void> {
  const { json } = shell.options();
  let refused: Failure | undefined;
  let isAnswered = false;
  try {
    await withSession(
      shell,
      async (session, endpoint) => {
        await session.protection();
        await withFileLockWithin(await queue.lockFile(), queueLockMillisecondsMax, () =>
          sendQueue(session, queue, isMeant, (outcome) => {
            // A program is not told of what went well, and has to know of what did not.
            if (outcome.entry.file !== entry.file) return json && !outcome.refusal ? undefined : sayOutcome(outcome);
            isAnswered = true;
            refused = outcome.refusal;
            if (outcome.result) print(command, outcome.result, json, endpoint);
          }),
        );
      },
      false,
    );
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (!isAnswered && !json) sayWhy(error);
  }
  if (refused) throw keptRefusal(refused, entry);
  if (!isAnswered) await sayQueued(shell, queue, entry);
}

/** Sends, or decides about, what is kept, while nobody else does. Failures: `busy`. */
export async function withQueueLock<T>(queue: OperationQueue, work: () => Promise<T>): Promise<T> {
  let done: { readonly value: T } | undefined;
  await withFileLockWithin(await queue.lockFile(), queueLockMillisecondsMax, async () => {
    done = { value: await work() };
  });
  if (done) return done.value;
  throw new Failure('busy', 'Another shell is sending this queue.', { hint: 'See in a moment: secure-inv queue' });
}

/** What people read of one that was sent along, beside the answer to theirs. */
export function sayOutcome({ entry, refusal }: Outcome): void {
  const what = describeOperation(entry);
  const sentence = refusal
    ? `Refused from the queue, and kept: ${what}. ${refusal.message}`
    : `Sent from the queue: ${what}.`;
  process.stderr.write(`secure-inv: ${sentence}\n`);
}

/** A server that is away is what a queue is for; all else people are told. */
function sayWhy({ code, message, details }: Failure): void {
  if (code === 'unreachable' || code === 'going-away' || code === 'unconfirmed') return;
  process.stderr.write(`secure-inv: Not sent now: ${message}\n${details.hint ? `hint: ${details.hint}\n` : ''}`);
}

async function sayQueued(shell: Shell, queue: OperationQueue, entry: QueueEntry): Promise<void> {
  const entries = wholeOf(await queue.list());
  const { operation } = entry.params;
  const isKept = entries.some(({ file }) => file === entry.file);
  const waiting = entries.filter(({ refusal }) => !refusal).length;
  const sentence = isKept
    ? `Queued: ${describeOperation(entry)}. The next --queue command sends it when the server is back, or: secure-inv queue send`
    : `Queued: ${describeOperation(entry)}. Another shell has sent or dropped it: see secure-inv history.`;
  say(shell, sentence, { queued: isKept, operation, waiting });
}

function keptRefusal({ code, message, details }: Failure, { params: { operation } }: QueueEntry): Failure {
  const id = shortId(operation);
  const kept = `It is kept: secure-inv queue retry ${id}, or: secure-inv queue drop ${id}`;
  return new Failure(code, message, { ...details, hint: details.hint ? `${kept}. ${details.hint}` : kept });
}

/** What people type of an operation's id: the rest of two that were given at once is the same. */
export function shortId(operation: string): string {
  return operation.slice(-12);
}

/** Of so many lines it is said what is in them: enough to know it by. */
const describedLinesMax = 5;

/** An operation in the words that it was given in: `add 20 Soap at cellar`, `add 20 Soap, 5 Towels`. */
export function describeOperation({ method, params }: Pick<QueueEntry, 'method' | 'params'>): string {
  const { operation: _, lines, item, quantity, location, from, to, ...rest } = params;
  const all: readonly unknown[] = Array.isArray(lines) ? lines : [{ item, quantity, location, from, to }];
  const described = all.map(describeLine);
  // Mostly all are at one place: then it is said once.
  const [place, ...otherPlaces] = new Set(described.map(({ where }) => where));
  const isOnePlace = otherPlaces.length === 0;
  const shown = described
    .slice(0, describedLinesMax)
    .map(({ what, where }) => [what, isOnePlace ? '' : where].filter(Boolean).join(' '));
  const others = all.length > shown.length ? `and ${all.length - shown.length} more` : '';
  const more = Object.entries(rest).map(([name, value]) => (value === true ? name : `${name} ${String(value)}`));
  const words = [method.replaceAll('.', ' '), shown.join(', '), others, isOnePlace ? place : ''];
  return printable([words.filter(Boolean).join(' '), ...more].join(', '));
}

/** A line is whatever the file has in its place. */
function describeLine(line: unknown): { readonly what: string; readonly where: string } {
  const { item, quantity, location, from, to } = (line ?? {}) as Readonly<Record<string, unknown>>; // Of a number, none.
  const placed = (word: string, place: unknown) => (place === undefined ? [] : [`${word} ${String(place)}`]);
  return {
    what: [quantity, item].filter((word) => word !== undefined).join(' '),
    where: [...placed('at', location), ...placed('from', from), ...placed('to', to)].join(' '),
  };
}
