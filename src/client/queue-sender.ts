import type { Command } from '../command/command.ts';
import { findCommand } from '../command/index.ts';
import { whoami } from '../command/whoami.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { type ClientSession, verdicts } from './call.ts';
import type { OperationQueue } from './queue.ts';
import { isDamaged, type QueueEntry, stateOf } from './queue-entry.ts';

/** How an operation of the queue fared: one of the two. */
export interface Outcome {
  readonly entry: QueueEntry;
  readonly result?: Record<string, unknown>;
  readonly refusal?: Failure;
}

/** What another try will not mend by itself: somebody has to decide. */
const refusals: ReadonlySet<FailureCode> = new Set([...verdicts, 'forbidden', 'unknown-command', 'bad-request']);
/** After these nobody knows whether it was counted. Of `unconfirmed`, the session knows the rest. */
const uncertain: ReadonlySet<FailureCode> = new Set(['unconfirmed', 'internal', 'bad-frame']);
/** What a loss of access may also say of an operation that was counted before it. */
const isSilentOfBefore: ReadonlySet<FailureCode> = new Set([
  'not-found',
  'forbidden',
  'unknown-command',
  'bad-request',
]);

/**
 * Sends what `isMeant` in order, each exactly once: under its id, and only as the user it belongs to. A refused one is kept
 * as that, and the later ones go on; what is damaged, or for another server, stays. To be called under the queue's lock.
 * Failures: what keeps all of them from being sent; `busy` at one that another shell sends, because the later ones would
 * overtake it.
 */
export async function sendQueue(
  session: ClientSession,
  queue: OperationQueue,
  isMeant: (entry: QueueEntry) => boolean,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  const { user, server } = queue.owner;
  const known = await session.call(whoami, {});
  if (known.user !== user) {
    throw new Failure('conflict', `These operations are ${user}'s, and the server knows you as ${known.user}.`, {
      hint: 'Run: secure-inv login',
    });
  }
  for (const listed of await queue.list()) {
    if (isDamaged(listed) || listed.server !== server || !isMeant(listed)) continue;
    // It may have been answered in another shell while those before it were sent.
    const entry = await queue.read(listed);
    if (!entry || isDamaged(entry)) continue;
    const state = stateOf(entry);
    if (state === 'sending') throw isBeingSent(entry);
    if (state !== 'refused') onOutcome(await send(session, queue, entry));
  }
}

function isBeingSent({ params: { operation } }: QueueEntry): Failure {
  return new Failure('busy', `Another shell is sending ${operation} just now; what is behind it waits for that.`, {
    hint: 'In a moment: secure-inv queue send',
  });
}

async function send(session: ClientSession, queue: OperationQueue, entry: QueueEntry): Promise<Outcome> {
  await session.protection(); // Only what can be sent is called so.
  await queue.claim(entry);
  try {
    const result = await session.call(commandOf(entry), entry.params);
    await queue.forget(entry);
    return { entry, result };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (!refusals.has(error.code)) {
      await queue.settle({ ...entry, maySent: entry.maySent || uncertain.has(error.code) });
      throw error;
    }
    const { code, message, details } = error;
    const maySent = entry.maySent && isSilentOfBefore.has(code);
    await queue.settle({ ...entry, maySent, refusal: { code, message, hint: details.hint } });
    return { entry, refusal: error };
  }
}

function commandOf({ method }: QueueEntry): Command {
  const command = findCommand(method);
  if (command) return command;
  throw new Failure('unknown-command', `This program knows no "${method}".`);
}

/**
 * Calls an operation and keeps it while its outcome is not known, so that neither a lost answer nor kill -9 loses its id.
 * It is written while the connection is made, and costs no time of its own. Failures: the call's; `conflict` when the
 * queue has something else of its id.
 */
export async function callKept(
  session: ClientSession,
  queue: OperationQueue | undefined,
  command: Command,
  params: Readonly<Record<string, unknown>> & { readonly operation: string },
): Promise<Record<string, unknown>> {
  const connecting = session.protection();
  connecting.catch(() => undefined); // Awaited below.
  const begun = await queue?.begin({ method: command.name, params }).catch((error: unknown) => {
    if (error instanceof Failure && error.code === 'conflict') throw error;
    return undefined; // A full disk or a damaged queue is no reason not to take what the server can count.
  });
  if (!queue || !begun) return session.call(command, params);
  const { entry, before } = begun;
  try {
    await connecting;
    const result = await session.call(command, params);
    await queue.forget(entry);
    return result;
  } catch (error) {
    const isUncertain = !(error instanceof Failure) || uncertain.has(error.code);
    // What became of the operation is said whatever the disk does: who reads only of the disk gives it once more.
    let isKept = true;
    const settle = async (left: QueueEntry) => {
      isKept = await queue.settle(left).then(
        () => true,
        () => false,
      );
    };
    if (isUncertain) await settle(entry);
    else if (before && !verdicts.has(error.code)) await settle(before);
    else await queue.forget(entry);
    if (!(error instanceof Failure)) throw error;
    if (isUncertain) throw unconfirmedFailure(error, params.operation, isKept);
    throw error.code === 'unreachable' && command.shell?.canWait ? offerToWait(error) : error;
  }
}

/** Nothing was sent; what was not asked for is not kept, because whoever sees this repeats it by hand. */
function offerToWait({ code, message, details }: Failure): Failure {
  const offer = 'To have it sent when the server is back, repeat it with --queue.';
  return new Failure(code, message, { ...details, hint: [details.hint, offer].filter(Boolean).join(' ') });
}

function unconfirmedFailure({ code, message, details }: Failure, operation: string, isKept: boolean): Failure {
  const kept = isKept ? 'It is kept. Run: secure-inv queue send, or repeat' : 'Repeat';
  return new Failure(code, message, {
    ...details,
    hint: `${kept} the command with --operation ${operation}. It is counted once.`,
  });
}
