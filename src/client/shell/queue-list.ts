import { formatMinute, leftOut, renderTable } from '../../command/table.ts';
import { formatAddress } from '../../model/enrolment-link.ts';
import { printable } from '../../model/printable.ts';
import { ContextStore } from '../context.ts';
import { listQueues, OperationQueue } from '../queue.ts';
import {
  type DamagedEntry,
  isDamaged,
  operationOf,
  type QueueEntry,
  type QueueFile,
  stateOf,
  wholeOf,
} from '../queue-entry.ts';
import { findOwner } from '../target.ts';
import { openScreen } from '../terminal.ts';
import { describeOperation, shortId } from './operation.ts';
import { type Shell, say } from './shell.ts';

/** What keeps operations here until somebody does something, and what that is. */
export interface Problem {
  readonly message: string;
  readonly hint: string;
}

/** Where each context leads to. */
type Servers = ReadonlyMap<string, string>;

/** Prints what is kept: of this login, or all there is. */
export async function list(shell: Shell, all: boolean): Promise<void> {
  const options = shell.options();
  const entries = all
    ? await listQueues(options.stateFolder)
    : await new OperationQueue(options.stateFolder, await findOwner(options)).list();
  const { contexts } = await new ContextStore(options.configFolder, options.stateFolder).list();
  const servers = new Map(contexts.map(({ name, host, port }) => [name, formatAddress(host, port)]));
  const operations = entries.map((entry) => show(entry, problemsOf([entry], servers)[0]));
  if (entries.length === 0) {
    const others = all ? 0 : (await listQueues(options.stateFolder)).length;
    const elsewhere = others === 0 ? '' : ` Of other logins: ${others}, see secure-inv queue list --all`;
    return say(shell, `Nothing waits to be sent.${elsewhere}`, { operations });
  }
  const screen = openScreen();
  const headings = ['OPERATION', 'STATE', 'WHAT', 'SINCE', ...(all ? ['CONTEXT', 'USER'] : []), 'WHY'];
  const columns = headings.map((heading) => ({
    heading,
    whole: heading === 'OPERATION' || heading === 'STATE',
    ...leftOut(heading, 'SINCE', 'WHY', 'CONTEXT', 'USER'),
  }));
  // Who types it needs the end of an id; all of it leaves an ordinary terminal no room for what was refused, and why.
  const shown = Number.isFinite(screen.columns) ? shortId : (operation: string) => operation;
  const rows = entries.map((entry) => [
    shown(operationOf(entry)),
    stateOf(entry),
    ...(isDamaged(entry) ? ['', ''] : [describeOperation(entry), formatMinute(entry.at, screen)]),
    ...(all ? [entry.context, entry.user] : []),
    whyOf(entry, servers),
  ]);
  say(shell, renderTable(columns, rows, screen), { operations });
  if (options.json) return;
  for (const { message, hint } of problemsOf(entries, servers)) {
    process.stderr.write(`secure-inv: ${message}\nhint: ${hint}\n`);
  }
}

function whyOf(entry: QueueFile, servers: Servers): string {
  if (isDamaged(entry)) return entry.problem;
  if (isElsewhere(entry, servers)) return `It is for ${entry.server}.`;
  return entry.refusal?.message ?? '';
}

/** An entry as `--json` shows it. */
function show(entry: QueueFile, problem: Problem | undefined): Record<string, unknown> {
  const { context, user } = entry;
  const state = stateOf(entry);
  const about = problem ? { problem: problem.message } : {};
  if (isDamaged(entry)) return { operation: entry.operation, state, context, user, file: entry.path, ...about };
  const { method, params, at, server, refusal } = entry;
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
    ...about,
  };
}

/** A context that was logged in to another server sends that one nothing of what is here. */
function isElsewhere({ context, server }: QueueEntry, servers: Servers): boolean {
  return servers.get(context) !== server;
}

/** What no sending settles: files that are damaged, and operations for a server that their context has left. */
export function stuckIn(entries: readonly QueueFile[], servers: Servers): readonly QueueFile[] {
  return entries.filter((entry) => isDamaged(entry) || isElsewhere(entry, servers));
}

/** A sentence for each kind of what is stuck, and what to do. */
export function problemsOf(entries: readonly QueueFile[], servers: Servers): readonly Problem[] {
  const elsewhere = wholeOf(entries).filter((entry) => isElsewhere(entry, servers));
  return [...aboutElsewhere(elsewhere), ...aboutDamaged(entries.filter(isDamaged))];
}

function aboutElsewhere(entries: readonly QueueEntry[]): readonly Problem[] {
  const [first] = entries;
  if (!first) return [];
  const what = entries.length === 1 ? `"${describeOperation(first)}" is` : `${entries.length} operations are`;
  const login = `secure-inv login --context ${first.context} --server ${first.server}`;
  return [
    {
      message: printable(`${what} for ${first.server}, and ${first.context} leads to another server now: not sent.`),
      hint: printable(`To have it sent: ${login}, and secure-inv queue send. To give it up: ${dropOf(entries)}`),
    },
  ];
}

function aboutDamaged(entries: readonly DamagedEntry[]): readonly Problem[] {
  const [first] = entries;
  if (!first) return [];
  const message =
    entries.length === 1
      ? `${first.path} is damaged: not sent. ${first.problem}`
      : `${entries.length} files are damaged: not sent. The first is ${first.path}.`;
  const hint = `Look in secure-inv history whether it was counted; if not, give it again. Then: ${dropOf(entries)}`;
  return [{ message: printable(message), hint }];
}

function dropOf(entries: readonly QueueFile[]): string {
  const [first, ...others] = entries;
  return `secure-inv queue drop ${first && others.length === 0 ? shortId(operationOf(first)) : 'ID'}`;
}
