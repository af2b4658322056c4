import { setTimeout as sleep } from 'node:timers/promises';
import { v7 } from 'uuid';
import type * as v from 'valibot';
import type { Command } from '../command/command.ts';
import { importAccept } from '../command/import/accept.ts';
import { importBegin } from '../command/import/begin.ts';
import { renderRows } from '../command/import/field.ts';
import { importPage } from '../command/import/page.ts';
import { importStatus } from '../command/import/status.ts';
import { Failure } from '../model/failure.ts';
import type { ImportProblem } from '../model/import.ts';
import { importNameCharactersMax, importRowsMax, lineBytesMax } from '../model/limits.ts';
import { type ClientSession, isPassing } from './call.ts';
import type { FileRow, Problems, RowCheck, WireRow } from './import-rows.ts';

/** How an import is, as `import.status` tells it. */
export type ImportStatus = v.InferOutput<typeof importStatus.result>;

/** How far an import is: so many rows are sent, then looked at by the server, then counted. */
export interface ImportProgress {
  readonly import: number;
  readonly phase: 'sending' | 'checking' | 'counting';
  readonly rows: number;
  /** What the server does first. */
  readonly waitsFor?: string;
}

/** Rows that were looked at, and how to import them. */
export interface ImportPlan {
  readonly name?: string | undefined;
  /** SHA-256 of what they were read from, hex. */
  readonly digest: string;
  readonly check: RowCheck;
  /** The same rows that were looked at. */
  readonly rows: () => Iterable<FileRow>;
  readonly dryRun?: boolean | undefined;
  readonly again?: boolean | undefined;
  readonly onProgress: (progress: ImportProgress) => void;
}

/** Rows were wrong, so that nothing was imported: `problems` are the first of them, by line. */
export class ImportRefusal extends Failure {
  readonly problems: readonly ImportProblem[];
  readonly problemsTotal: number;

  constructor({ first, total }: Problems, hint: string) {
    const count = total === 1 ? 'is 1 problem' : `are ${total.toLocaleString('en')} problems`;
    const shown = first.length < total ? ` (the first ${first.length} are shown)` : '';
    super('bad-params', `There ${count}${shown}; nothing was imported.`, { hint });
    this.problems = first;
    this.problemsTotal = total;
  }
}

/** Others are served between two pages, so short ones keep them from waiting. */
const pageRowsMax = 100;
/** Only a connection that has begun an import may send a longer line, and one that was made anew has not. */
const pageBytesMax = lineBytesMax * 0.75;
const firstLookMilliseconds = 10;
const lookMilliseconds = 250;
/** Others' imports of a million rows each may come first. */
const turnMilliseconds = 600_000;
/** A server that restarts is back in less. */
const patienceMilliseconds = 60_000;
const againMilliseconds = 250;

/**
 * Has the server take all rows or none, through lost connections and restarts of the server; with `dryRun`, or when a row
 * is wrong, it only looks. Failures: `ImportRefusal`; `conflict` (it was imported before; it has stopped); `unconfirmed`;
 * those of any call.
 */
export async function importRows(clientSession: ClientSession, plan: ImportPlan): Promise<ImportStatus> {
  const { check, digest, name, again, onProgress } = plan;
  const { problems } = check;
  assertImportable(check);
  const session = new PatientSession(clientSession);
  const { import: id } = await clientSession.call(importBegin, {
    ...(name === undefined ? {} : { name: name.slice(0, importNameCharactersMax) }),
    digest,
    rows: check.sent,
    ...(again || problems.total > 0 ? { again: true } : {}), // What is never accepted counts nothing twice.
  });
  await sendRows(session, id, plan);
  const isDry = plan.dryRun === true || problems.total > 0;
  const accepted = await accept(session, id, isDry, onProgress);
  problems.add(accepted.problems, accepted.problemsTotal);
  if (problems.total > 0) throw refused(problems);
  if (!isDry) return follow(session, id, onProgress);
  const { problems: _, problemsTotal: __, ...status } = accepted;
  return status;
}

/** What needs no server to be refused. Failures: `ImportRefusal`, `bad-params`. */
export function assertImportable({ rows, sent, problems }: RowCheck): void {
  if (rows === 0) throw new Failure('bad-params', 'There are no rows to import.');
  if (sent > importRowsMax) {
    const most = importRowsMax.toLocaleString('en');
    throw new Failure('bad-params', `There are ${renderRows(sent)}; an import may have at most ${most}.`);
  }
  if (sent === 0) throw refused(problems);
}

function refused(problems: Problems): ImportRefusal {
  return new ImportRefusal(problems, 'Correct the rows and import them again; a dry run only looks.');
}

async function sendRows(session: PatientSession, id: number, { rows, check, onProgress }: ImportPlan): Promise<void> {
  let page = 0;
  let sent = 0;
  for (const waiting of pagesOf(rows(), check)) {
    const params = { import: id, page: page++, rows: waiting };
    const tell = (waitsFor: string) => onProgress({ import: id, phase: 'sending', rows: sent, waitsFor });
    await session.call(importPage, params, tell).catch(notCounted);
    sent += waiting.length;
    onProgress({ import: id, phase: 'sending', rows: sent });
  }
}

/** Always the same pages of the same rows, so that one whose answer was lost can be sent again. */
function* pagesOf(rows: Iterable<FileRow>, check: RowCheck): Generator<readonly WireRow[]> {
  let page: WireRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    const checked = check.wireRow(row);
    if (!checked) continue;
    const size = Buffer.byteLength(JSON.stringify(checked)) + 1;
    if (page.length === pageRowsMax || (page.length > 0 && bytes + size > pageBytesMax)) {
      yield page;
      page = [];
      bytes = 0;
    }
    page.push(checked);
    bytes += size;
  }
  if (page.length > 0) yield page;
}

/** Accepts the import, or only looks at it, after those that are being counted. */
async function accept(session: PatientSession, id: number, dryRun: boolean, onProgress: ImportPlan['onProgress']) {
  const params = { import: id, ...(dryRun ? { dryRun } : {}), operation: v7() };
  const tell = (waitsFor: string) => onProgress({ import: id, phase: 'checking', rows: 0, waitsFor });
  const answered = new AbortController();
  onProgress({ import: id, phase: 'checking', rows: 0 });
  void tellOfLook(session, id, onProgress, answered.signal);
  try {
    return await session.call(importAccept, params, tell);
  } catch (error) {
    if (dryRun || !(error instanceof Failure) || error.code !== 'unconfirmed') return notCounted(error);
    throw new Failure('unconfirmed', 'The answer was lost: whether the import was accepted is not known.', {
      hint: `Run: secure-inv import status ${id}`,
    });
  } finally {
    answered.abort();
  }
}

/** Tells how far the look is, which has one answer at its end. */
async function tellOfLook(
  session: PatientSession,
  id: number,
  onProgress: ImportPlan['onProgress'],
  signal: AbortSignal,
): Promise<void> {
  try {
    for (let wait = firstLookMilliseconds; ; wait = Math.min(lookMilliseconds, 2 * wait)) {
      await sleep(wait, undefined, { signal });
      const { looked } = await session.call(importStatus, { import: id }, () => undefined);
      if (looked !== undefined && !signal.aborted) onProgress({ import: id, phase: 'checking', rows: looked });
    }
  } catch {
    // It is over, or the look itself cannot be answered either, and says why.
  }
}

/** Waits for an accepted import, which goes on also without this client. Failures: `conflict` when it stops. */
async function follow(
  session: PatientSession,
  id: number,
  onProgress: ImportPlan['onProgress'],
): Promise<ImportStatus> {
  let done = 0;
  const tell = (waitsFor?: string) =>
    onProgress({ import: id, phase: 'counting', rows: done, ...(waitsFor === undefined ? {} : { waitsFor }) });
  tell();
  for (let wait = firstLookMilliseconds; ; wait = Math.min(lookMilliseconds, 2 * wait)) {
    const status = await session.call(importStatus, { import: id }, tell).catch((error: unknown): never => {
      if (!isPassing(error)) throw error;
      const hint = `The import was accepted: the server goes on when it is back. See: secure-inv import status ${id}`;
      throw new Failure(error.code, error.message, { ...error.details, hint });
    });
    done = status.done;
    tell();
    if (status.state === 'done') return status;
    if (status.state === 'stopped') throw stopped(id, status.problem);
    await sleep(wait);
  }
}

function stopped(id: number, problem: ImportProblem | undefined): Failure {
  const why = problem ? ` at line ${problem.line}: ${problem.problem} ${problem.fix}` : '.';
  return new Failure('conflict', `Import ${id} has stopped${why}`, {
    hint: `What came before is counted. Once it is mended: secure-inv import accept ${id}`,
  });
}

/** Goes on asking until there is an answer, also when nothing could be sent: what is asked is part of what has begun. */
class PatientSession {
  readonly #session: ClientSession;
  readonly #timesClosed: number;

  constructor(session: ClientSession) {
    this.#session = session;
    this.#timesClosed = session.timesClosed;
  }

  /** Asks what may be asked again. `tell` is told once what is in the way. Failures: as `ClientSession.call`. */
  async call<C extends Command>(
    command: C,
    params: Readonly<Record<string, unknown>>,
    tell: (why: string) => void,
  ): Promise<v.InferOutput<C['result']>> {
    const beganAt = performance.now();
    let isTold = false;
    let lostAt: number | undefined;
    let lost: Failure | undefined; // The last refusal may say nothing of an answer that was lost before.
    for (;;) {
      if (this.#session.timesClosed !== this.#timesClosed) throw closed();
      try {
        return await this.#session.call(command, params);
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (error.code === 'unconfirmed') lost = error;
        const now = performance.now();
        lostAt = error.code === 'busy' ? undefined : (lostAt ?? now);
        if (now - (lostAt ?? now) > patienceMilliseconds || now - beganAt > turnMilliseconds) throw lost ?? error;
        if (!isTold) tell(error.message);
        isTold = true;
      }
      await sleep(againMilliseconds);
    }
  }
}

function closed(): Failure {
  return new Failure('unreachable', 'This connection was closed by its own side.');
}

/** Fails before the import was accepted: an import that is not found any more is as good as none. */
function notCounted(error: unknown): never {
  const isGone = error instanceof Failure && error.code === 'not-found';
  if (!isGone && !isPassing(error)) throw error;
  throw new Failure(error.code, error.message, {
    ...error.details,
    hint: 'Nothing of it is counted: import it again.',
  });
}
