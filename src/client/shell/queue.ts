import type { Command as Words } from 'commander';
import { findCommand } from '../../command/index.ts';
import { Failure } from '../../model/failure.ts';
import { printable } from '../../model/printable.ts';
import { listQueues, OperationQueue } from '../queue.ts';
import { isDamaged, operationOf, type QueueFile, stateOf, wholeOf } from '../queue-entry.ts';
import { type Outcome, sendQueue } from '../queue-sender.ts';
import { findOwner } from '../target.ts';
import { agrees, isInteractive } from '../terminal.ts';
import { describeOperation, sayOutcome, sendUpTo, shortId, withQueueLock } from './operation.ts';
import { list, type Problem, problemsOf, stuckIn } from './queue-list.ts';
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

async function send(shell: Shell): Promise<void> {
  const options = shell.options();
  const queue = new OperationQueue(options.stateFolder, await findOwner(options));
  const outcomes: Outcome[] = [];
  let stopped: unknown;
  if ((await queue.list()).length > 0) {
    stopped = await sendAll(shell, queue, outcomes).catch((error: unknown) => error);
  }
  const left = await queue.list();
  const waiting = wholeOf(left).filter(({ refusal }) => !refusal).length;
  const refused = outcomes.flatMap(({ entry, refusal }) =>
    refusal ? { operation: entry.params.operation, code: refusal.code, message: refusal.message } : [],
  );
  const sent = outcomes.flatMap(({ result }) => result ?? []);
  const servers = new Map([[queue.owner.context, queue.owner.server]]);
  const stuck = stuckIn(left, servers);
  const sentence =
    outcomes.length === 0 && waiting === 0
      ? 'Nothing waits to be sent.'
      : `Sent: ${sent.length}. Refused and kept: ${refused.length}. Waiting: ${waiting}.`;
  say(shell, sentence, { sent, refused, waiting, ...(stuck.length > 0 ? { stuck: stuck.map(operationOf) } : {}) });
  if (stopped) throw stopped;
  const problems = [...refusedProblem(refused.map(({ operation }) => operation)), ...problemsOf(stuck, servers)];
  if (problems.length === 0) return;
  throw new Failure('conflict', problems.map(({ message }) => message).join(' '), {
    hint: ['See: secure-inv queue.', ...problems.map(({ hint }) => hint)].join(' '),
  });
}

function refusedProblem(operations: readonly string[]): readonly Problem[] {
  const [operation, ...others] = operations;
  if (operation === undefined) return [];
  const id = others.length === 0 ? shortId(operation) : 'ID';
  const which = others.length === 0 ? '1 operation was' : `${operations.length} operations were`;
  return [
    {
      message: `${which} refused and kept.`,
      hint: `Then: secure-inv queue retry ${id}, or: secure-inv queue drop ${id}`,
    },
  ];
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
  const [problem] = problemsOf([entry], new Map([[queue.owner.context, queue.owner.server]]));
  if (problem || isDamaged(entry)) {
    throw new Failure('conflict', problem?.message ?? 'It is damaged.', { hint: problem?.hint });
  }
  const command = findCommand(entry.method);
  if (!command) throw new Failure('unknown-command', `This program knows no "${entry.method}".`);
  await withQueueLock(queue, async () => {
    if (!(await queue.read(entry))) throw answeredMeanwhile(); // It would be kept anew, although somebody dropped it.
    await queue.add(entry);
  });
  await sendUpTo(shell, queue, command, entry, ({ file }) => file === entry.file);
}

async function drop(shell: Shell, id: string, isAgreed: boolean): Promise<void> {
  const { stateFolder } = shell.options();
  const entry = one(await listQueues(stateFolder), id);
  const what = isDamaged(entry) ? `the damaged file ${printable(entry.path)}` : describeOperation(entry);
  if (!isAgreed) await agree(entry, what);
  // Whose server a damaged one was for nobody knows; to drop it, none is asked.
  const queue = new OperationQueue(stateFolder, { server: '', ...entry });
  await withQueueLock(queue, async () => {
    const now = await queue.read(entry);
    if (!now) throw answeredMeanwhile();
    if (stateOf(now) === 'sending') {
      throw new Failure('busy', 'Another shell is sending it just now.', { hint: 'See in a moment: secure-inv queue' });
    }
    await queue.drop(now);
  });
  say(shell, `Dropped: ${what}.`, { operation: operationOf(entry) });
}

function answeredMeanwhile(): Failure {
  return new Failure('not-found', 'It has been answered or dropped meanwhile.', { hint: 'See: secure-inv history' });
}

async function agree(entry: QueueFile, what: string): Promise<void> {
  if (!isInteractive()) {
    throw new Failure('bad-params', 'Nobody is here to be asked whether to forget it.', { hint: 'Add --yes.' });
  }
  const doubt = isDamaged(entry) || entry.maySent ? ' It may have been counted: secure-inv history tells.' : '';
  const whose = isDamaged(entry) ? entry.user : `${entry.user} at ${entry.server}`;
  if (!(await agrees(`Forget "${what}" of ${whose}?${doubt}`))) throw new Failure('bad-params', 'It is kept.');
}

function one(entries: readonly QueueFile[], id: string): QueueFile {
  const part = id.toLowerCase();
  const fitting = entries.filter((entry) => operationOf(entry).startsWith(part) || operationOf(entry).endsWith(part));
  const [entry] = fitting;
  if (entry && fitting.length === 1) return entry;
  const message = entry
    ? `${fitting.length} operations have an id like "${id}".`
    : `No operation "${id}" is kept here.`;
  throw new Failure('not-found', message, { hint: 'See: secure-inv queue list --all' });
}
