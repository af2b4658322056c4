import type { Command as Words } from 'commander';
import { findCommand } from '../../command/index.ts';
import { formatMinute, leftOut, renderTable } from '../../command/table.ts';
import { Failure } from '../../model/failure.ts';
import { withFileLockWithin } from '../file-lock.ts';
import { listQueues, OperationQueue, type QueueEntry, stateOf } from '../queue.ts';
import { type Outcome, sendQueue } from '../queue-sender.ts';
import { findOwner } from '../target.ts';
import { agrees, isInteractive, openScreen } from '../terminal.ts';
import { describeOperation, queueLockMillisecondsMax, sayOutcome, sendUpTo, shortId } from './operation.ts';
import { withSession } from './session.ts';
import { assertNoWords, examplesText, type Shell, say, subcommand } from './shell.ts';

/** `queue`: the operations that wait for the server, whose answer was lost, or which were refused. */
export function addQueue(shell: Shell): void {
  subcommand(shell.program, ['queue', 'list'], 'Show the operations that wait, were refused, or are not confirmed.')
    .option('--all', 'those of all your contexts and their users')
    .addHelpText('after', examplesText(['secure-inv queue', 'secure-inv queue list --all --json']))
    .action(({ all }: { readonly all?: boolean }) => list(shell, all ?? false));
  subcommand(shell.program, ['queue', 'send'], 'Send all that waits or is not confirmed, in order, each counted once.')
    .addHelpText('after', examplesText(['secure-inv queue send']))
    .action(() => send(shell));
  subcommand(shell.program, ['queue', 'retry'], 'Send a refused operation again.')
    .argument('<id>', 'the id of the operation, or how it begins or ends')
    .addHelpText('after', examplesText(['secure-inv queue retry 2f6d1a9c3b4e']))
    .action((id: string) => retry(shell, id));
  subcommand(shell.program, ['queue', 'drop'], 'Forget an operation instead of sending it.')
    .argument('<id>', 'the id of the operation, or how it begins or ends')
    .option('--yes', 'do not ask')
    .addHelpText('after', examplesText(['secure-inv queue drop 2f6d1a9c3b4e', 'secure-inv queue drop 3b4e --yes']))
    .action((id: string, { yes }: { readonly yes?: boolean }) => drop(shell, id, yes ?? false));
  shell.program.commands
    .find((command) => command.name() === 'queue')
    ?.description('Work with the operations that are kept here: list (by default), send, retry, drop.')
    .addHelpText('after', examplesText(['secure-inv add Soap 20 --queue', 'secure-inv queue', 'secure-inv queue send']))
    .allowExcessArguments() // A word that is no command is refused as one.
    .action((_options: unknown, group: Words) => {
      assertNoWords(group, 'secure-inv queue --help');
      return list(shell, false);
    });
}

async function list(shell: Shell, all: boolean): Promise<void> {
  const options = shell.options();
  const entries = all
    ? await listQueues(options.stateFolder)
    : await new OperationQueue(options.stateFolder, await findOwner(options)).list();
  const operations = entries.map(show);
  if (entries.length === 0) return say(shell, 'Nothing waits to be sent.', { operations });
  const screen = openScreen();
  const headings = ['OPERATION', 'STATE', 'WHAT', 'SINCE', ...(all ? ['CONTEXT', 'USER'] : []), 'WHY'];
  const columns = headings.map((heading) => ({
    heading,
    whole: heading === 'OPERATION' || heading === 'STATE',
    ...leftOut(heading, 'SINCE', 'WHY', 'CONTEXT', 'USER'),
  }));
  const rows = entries.map((entry) => [
    entry.params.operation,
    stateOf(entry),
    describeOperation(entry),
    formatMinute(entry.at, screen),
    ...(all ? [entry.context, entry.user] : []),
    entry.refusal?.message ?? '',
  ]);
  say(shell, renderTable(columns, rows, screen), { operations });
}

/** An entry as `--json` shows it. */
function show(entry: QueueEntry): Record<string, unknown> {
  const { method, params, at, context, server, user, refusal } = entry;
  const state = stateOf(entry);
  return {
    operation: params.operation,
    state,
    method,
    params,
    at,
    context,
    server,
    user,
    ...(refusal ? { refusal } : {}),
  };
}

async function send(shell: Shell): Promise<void> {
  const options = shell.options();
  const queue = new OperationQueue(options.stateFolder, await findOwner(options));
  const outcomes: Outcome[] = [];
  let stopped: unknown;
  if ((await queue.list()).length > 0) {
    stopped = await sendAll(shell, queue, outcomes).catch((error: unknown) => error);
  }
  const waiting = (await queue.list()).filter(({ refusal }) => !refusal).length;
  const refused = outcomes.flatMap(({ entry, refusal }) =>
    refusal ? { operation: entry.params.operation, code: refusal.code, message: refusal.message } : [],
  );
  const sent = outcomes.flatMap(({ result }) => result ?? []);
  const sentence =
    outcomes.length === 0 && waiting === 0
      ? 'Nothing waits to be sent.'
      : `Sent: ${sent.length}. Refused and kept: ${refused.length}. Waiting: ${waiting}.`;
  say(shell, sentence, { sent, refused, waiting });
  if (stopped) throw stopped;
  if (refused.length > 0) {
    const [{ operation } = { operation: '' }, ...others] = refused;
    const id = others.length === 0 ? shortId(operation) : 'ID';
    const which = refused.length === 1 ? '1 operation was' : `${refused.length} operations were`;
    throw new Failure('conflict', `${which} refused and kept.`, {
      hint: `See: secure-inv queue. Then: secure-inv queue retry ${id}, or: secure-inv queue drop ${id}`,
    });
  }
}

async function sendAll(shell: Shell, queue: OperationQueue, outcomes: Outcome[]): Promise<void> {
  const { json } = shell.options();
  const work = async (session: Parameters<typeof sendQueue>[0]) =>
    withQueueLock(queue, () =>
      sendQueue(
        session,
        queue,
        () => true,
        (outcome) => {
          outcomes.push(outcome);
          if (!json) sayOutcome(outcome);
        },
      ),
    );
  await withSession(shell, work, false);
}

async function retry(shell: Shell, id: string): Promise<void> {
  const options = shell.options();
  const queue = new OperationQueue(options.stateFolder, await findOwner(options));
  const entry = one(await queue.list(), id);
  const command = findCommand(entry.method);
  if (!command) throw new Failure('unknown-command', `This program knows no "${entry.method}".`);
  await withQueueLock(queue, () => queue.add(entry));
  await sendUpTo(shell, queue, command, entry, ({ file }) => file === entry.file);
}

async function drop(shell: Shell, id: string, isAgreed: boolean): Promise<void> {
  const { stateFolder } = shell.options();
  const entry = one(await listQueues(stateFolder), id);
  const what = describeOperation(entry);
  if (!isAgreed) await agree(entry, what);
  const queue = new OperationQueue(stateFolder, entry);
  await withQueueLock(queue, async () => {
    const now = await queue.read(entry);
    if (!now) throw new Failure('not-found', 'It has been answered meanwhile.', { hint: 'See: secure-inv history' });
    if (stateOf(now) === 'sending') {
      throw new Failure('busy', 'Another shell is sending it just now.', { hint: 'See in a moment: secure-inv queue' });
    }
    await queue.drop(now);
  });
  say(shell, `Dropped: ${what}.`, { operation: entry.params.operation });
}

async function agree(entry: QueueEntry, what: string): Promise<void> {
  if (!isInteractive()) {
    throw new Failure('bad-params', 'Nobody is here to be asked whether to forget it.', { hint: 'Add --yes.' });
  }
  const doubt = entry.maySent ? ' It may have been counted: secure-inv history tells.' : '';
  if (!(await agrees(`Forget "${what}" of ${entry.user} at ${entry.server}?${doubt}`)))
    throw new Failure('bad-params', 'It is kept.');
}

function one(entries: readonly QueueEntry[], id: string): QueueEntry {
  const part = id.toLowerCase();
  const fitting = entries.filter(({ params: { operation } }) => operation.startsWith(part) || operation.endsWith(part));
  const [entry] = fitting;
  if (entry && fitting.length === 1) return entry;
  const message = entry
    ? `${fitting.length} operations have an id like "${id}".`
    : `No operation "${id}" is kept here.`;
  throw new Failure('not-found', message, { hint: 'See: secure-inv queue list --all' });
}

async function withQueueLock<T>(queue: OperationQueue, work: () => Promise<T>): Promise<T> {
  let done: { readonly value: T } | undefined;
  await withFileLockWithin(await queue.lockFile(), queueLockMillisecondsMax, async () => {
    done = { value: await work() };
  });
  if (done) return done.value;
  throw new Failure('busy', 'Another shell is sending this queue.', { hint: 'See in a moment: secure-inv queue' });
}
