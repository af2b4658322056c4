import { randomBytes } from 'node:crypto';
import type { Authentication } from '../auth/authentication.ts';
import type { PresentedCertificate } from '../auth/certificate.ts';
import type { Identity } from '../auth/identity.ts';
import { checkParams } from '../command/check.ts';
import type { Call, Command, ServerFacts } from '../command/command.ts';
import { history } from '../command/history.ts';
import { importAccept } from '../command/import/accept.ts';
import { importPage } from '../command/import/page.ts';
import { commands, findCommand } from '../command/index.ts';
import { undo } from '../command/undo.ts';
import { view } from '../command/view.ts';
import { closest } from '../model/closest.ts';
import { Failure } from '../model/failure.ts';
import {
  bytesPerRequest,
  deliveryLinesPerRest,
  deliveryRestMillisecondsMax,
  deliveryRestsMax,
  filteredHistoryWork,
  importPageRestMillisecondsMax,
  longWorkRests,
  lookedForWork,
  pageRowsDefault,
  pageRowsMax,
  requestsInFlightMax,
  rowsPerRequest,
} from '../model/limits.ts';
import { assertMay } from '../model/user.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { Store } from '../store/store.ts';
import type { Reply, Request } from '../wire/message.ts';
import { type AuditLog, loginProblem, refusalOf } from './audit-log.ts';
import type { FairShare, Rest } from './fair-share.ts';
import type { Logger } from './log.ts';

/** The parts of the server that commands work with. */
export interface Services {
  readonly store: Store;
  readonly auth: Authentication;
  /** Who a connection may turn out to be. Failures: `certificate-refused`. */
  readonly identify: (source: string, presented: PresentedCertificate | null) => Identity;
  readonly server: ServerFacts;
  readonly log: Logger;
  readonly shares: FairShare;
  /** Whose line may be longer than others, one of each user's. */
  readonly longLines: FairShare;
  /** Whose import is looked at, one of each user's. */
  readonly looks: FairShare;
  readonly audit: AuditLog;
  /** Absent: nobody asks for any (ops.port). */
  readonly metrics: Metrics | undefined;
}

/** The peer a request comes from. */
export interface Caller {
  readonly identity: Identity;
  /** IP address. */
  readonly source: string;
  /** As in `Call`. */
  readonly watch: Call['watch'];
}

/**
 * The one door. Every request passes five gates in this order, or is refused: is there such a command, who is asking,
 * may they, are the parameters right, do it. Never throws: what is not a `Failure` is a bug, which goes to the log under
 * a number that is all the caller learns.
 */
export async function dispatch(request: Request, caller: Caller, services: Services): Promise<Reply> {
  const command = findCommand(request.method);
  const { metrics } = services;
  if (!metrics) return answer(command, request, caller, services);
  const since = performance.now();
  const reply = await answer(command, request, caller, services);
  const outcome = 'failure' in reply ? reply.failure.code : 'ok';
  metrics.answered(command?.name, outcome, (performance.now() - since) / 1000);
  return reply;
}

async function answer(
  command: Command | undefined,
  request: Request,
  caller: Caller,
  services: Services,
): Promise<Reply> {
  try {
    if (!command) throw unknownCommand(request.method);
    const result = await pass(command, request, caller, services);
    return { id: request.id, result };
  } catch (error) {
    // The caller reads it, and the log has it: so an operator finds what a user complains about.
    const number = randomBytes(4).toString('hex');
    const failure = error instanceof Failure ? error : internal(error, command, number, services.log);
    services.log.debug(
      { method: command?.name, code: failure.code, source: caller.source, request: number },
      'refused',
    );
    tellAudit(failure, command, request, caller, services);
    const { code, message, details } = failure;
    return { id: request.id, failure: new Failure(code, message, { ...details, request: number }) };
  }
}

/**
 * How many of the requests that may be in flight this one counts for: its rows, and those of the page that it asks for,
 * wait in memory until they are read.
 */
export function weightOf({ method, params }: Request, lineBytes: number): number {
  // Nothing is read behind a page, which may be as long as 16 other lines together; and few imports wait to be looked at.
  if (method === importPage.name) return requestsInFlightMax;
  if (method === importAccept.name) return requestsInFlightMax / 4;
  const rows = rowsOf(method, params);
  return Math.max(1, Math.ceil(rows / rowsPerRequest), Math.ceil(lineBytes / bytesPerRequest));
}

/**
 * How much of its user's share this one takes, which goes by the store's time: a line of a change takes as long as a change of its
 * own, and a page of a single row may be found by a look at thousands.
 */
export function shareOf({ method, params }: Request, weight: number): number {
  if (Array.isArray(params['lines'])) return Math.max(weight, params['lines'].length);
  if (method === view.name && isLookedFor(params)) return lookedForWork;
  if (method === history.name && isFiltered(params)) return Math.max(weight, filteredHistoryWork);
  return weight;
}

/** Whether a page of stock may be in the order of no index. */
function isLookedFor({ items, search, category, low, archived, sort = 'name' }: Request['params']): boolean {
  if (Array.isArray(items)) return false;
  const isByName = sort === 'name' || sort === '-name';
  return !isByName || search !== undefined || category !== undefined || low === true || archived === true;
}

function isFiltered({ item, user, location, kind }: Request['params']): boolean {
  return [item, user, location, kind].some((filter) => filter !== undefined);
}

/**
 * Whether a request may be many changes, of which the store makes one transaction: nobody is served in the middle of it. An
 * undo is of as many as what it undoes, which only the store knows.
 */
export function isLong({ method, params: { lines } }: Request): boolean {
  if (method === importPage.name || method === undo.name) return true;
  return Array.isArray(lines) && lines.length > rowsPerRequest;
}

const changing: ReadonlySet<string | undefined> = new Set(['stock:write', 'stock:count', 'item:write']);

/** How many changes of stock and items a request makes; 0 for a long one, after which there is a rest. */
export function changesOf(request: Request): number {
  const { lines } = request.params;
  if (isLong(request) || !changing.has(findCommand(request.method)?.permission)) return 0;
  return Array.isArray(lines) ? lines.length : 1;
}

/** How its user rests after such a request, by the changes that it made, or would have made. */
export function restOf({ method, params }: Request, reply: Reply): Rest {
  if (method === importPage.name) return { times: longWorkRests, millisecondsMax: importPageRestMillisecondsMax };
  const times = linesOf(method === undo.name && 'result' in reply ? reply.result : params) / deliveryLinesPerRest;
  return {
    times: Math.min(Math.max(longWorkRests, times), deliveryRestsMax),
    millisecondsMax: deliveryRestMillisecondsMax,
  };
}

function linesOf(value: unknown): number {
  return typeof value === 'object' && value !== null && 'lines' in value && Array.isArray(value.lines)
    ? value.lines.length
    : 0;
}

function rowsOf(method: string, { items, limit, lines }: Request['params']): number {
  if (Array.isArray(lines)) return lines.length;
  const permission = findCommand(method)?.permission;
  if (permission !== 'stock:read' && permission !== 'audit:read') return 0;
  const asked = Array.isArray(items) ? items.length : pageRowsMax;
  return Math.min(asked, typeof limit === 'number' ? limit : pageRowsDefault, pageRowsMax);
}

async function pass(command: Command, request: Request, caller: Caller, services: Services): Promise<unknown> {
  const { identity, source, watch } = caller;
  const { store, auth, server } = services;
  identity.assertOffered(command.name);
  const call = { store, auth, server, identity, source, now: auth.now() };
  if (command.permission === 'anyone') return command.handle(checkParams(command, request.params), call);
  const principal = identity.principal();
  if (command.permission !== 'principal') assertMay(principal, command.permission);
  const actor = { user: principal.user, credential: principal.credential, source };
  return command.handle(checkParams(command, request.params), { ...call, principal, actor, watch });
}

/** An auditor wants to know who tried what: by name, where there is such a user. */
function tellAudit(
  failure: Failure,
  command: Command | undefined,
  { params }: Request,
  { identity, source }: Caller,
  { audit, auth, metrics }: Services,
): void {
  const refusal = command && refusalOf(command.name, failure);
  if (!refusal) return;
  const problem = loginProblem(refusal);
  if (problem) metrics?.loginFailed(problem);
  const { user = null, credential = null } = identity.known() ?? {};
  const tried = typeof params['user'] === 'string' ? auth.accounts.byName(params['user'])?.user : undefined;
  audit.refused({ ...refusal, subject: tried ?? null, actor: { user, credential, source } });
}

function unknownCommand(method: string): Failure {
  const meant = closest(
    method.slice(0, 40),
    commands.map(({ name }) => name),
  );
  const said = `No command ${JSON.stringify(method.slice(0, 40))}.`;
  return new Failure('unknown-command', meant ? `${said} Did you mean ${JSON.stringify(meant)}?` : said, {
    hint: meant ? undefined : 'rpc.discover lists the commands.',
  });
}

function internal(error: unknown, command: Command | undefined, number: string, log: Logger): Failure {
  log.error({ err: error, method: command?.name, request: number }, 'a request failed because of a bug');
  return new Failure('internal', `The server failed. Tell the operator: request ${number}.`);
}
