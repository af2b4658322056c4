import { setTimeout as sleep } from 'node:timers/promises';
import type * as v from 'valibot';
import { audit, type auditRecord } from '../../command/audit.ts';
import { Failure } from '../../model/failure.ts';
import { pageRowsMax } from '../../model/limits.ts';
import { type ClientSession, isPassing } from '../call.ts';
import { endless } from '../export.ts';
import { addRemote, run } from './remote.ts';
import { withSession } from './session.ts';
import type { Shell } from './shell.ts';

/** How soon a new record is seen. */
const lookMilliseconds = 1000;
/** The record of refusals is one of a minute, and is written a second late, or some when very many come at once. */
const growingMilliseconds = 75_000;

/** `audit`, which can also go on and print what happens from now on. */
export function addAudit(shell: Shell): void {
  addRemote(shell, audit, async (params, { follow }) => {
    if (!follow) return run(shell, audit, params);
    if (params['until'] !== undefined) {
      throw new Failure('bad-params', '--follow goes on until you stop it, and --until ends before that.', {
        hint: 'Leave out one of them.',
      });
    }
    await withSession(shell, (session) => printForEver(session, params, shell.options().json));
  })?.option(
    '--follow',
    'go on and print what is new until you stop it; with --json one object a line, and again when its count has grown',
  );
}

type ShownRecord = v.InferOutput<typeof auditRecord>;

/**
 * First what a look without following shows, oldest first; then whatever comes. Nothing is skipped. Nothing comes twice
 * but the record of refusals that has grown: a program gets it each time, a person when there is a new reason in it, or
 * twice as many.
 */
async function printForEver(
  session: ClientSession,
  params: Readonly<Record<string, unknown>>,
  json = false,
): Promise<void> {
  let after = Number(params['after'] ?? 0);
  const growing = new Map<number, { readonly record: ShownRecord; readonly since: number }>();
  const show = (records: readonly ShownRecord[]) => {
    for (const record of records) {
      const known = growing.get(record.id);
      const isNew = record.id > after;
      if (!(isNew || (known && isNews(record, known.record, json)))) continue;
      process.stdout.write(`${json ? JSON.stringify(record) : sentence(record)}\n`);
      if (record.event.endsWith('-refused')) {
        growing.set(record.id, { record, since: known?.since ?? performance.now() });
      }
    }
    after = Math.max(after, records.at(-1)?.id ?? 0);
  };
  if (params['after'] === undefined) show((await session.call(audit, params)).records.toReversed());
  let isLost = false;
  for (;;) {
    try {
      for (let from = startOf(growing, after); ; ) {
        const { records } = await session.call(audit, { ...params, after: from, limit: pageRowsMax });
        show(records);
        isLost = false;
        if (records.length < pageRowsMax) break;
        const last = records.at(-1)?.id ?? from;
        if (last <= from) throw endless();
        from = last;
      }
      await sleep(lookMilliseconds);
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (!isLost) process.stderr.write(`${error.message} Trying until the server is back.\n`);
      isLost = true;
      await sleep(2 * lookMilliseconds);
    }
  }
}

function isNews(record: ShownRecord, before: ShownRecord, json: boolean): boolean {
  return record.detail !== before.detail || record.count >= (json ? before.count + 1 : 2 * before.count);
}

/** After which record to look: before the first that may still grow. */
function startOf(growing: Map<number, { readonly since: number }>, after: number): number {
  for (const [id, { since }] of growing) if (performance.now() - since > growingMilliseconds) growing.delete(id);
  return Math.min(after, ...[...growing.keys()].map((id) => id - 1));
}

function sentence({ at, event, user, subject, source, detail, count }: ShownRecord): string {
  const parts = [
    at.slice(0, 19).replace('T', ' '),
    event,
    user === undefined ? '' : `by ${user}`,
    subject === undefined || subject === user ? '' : `about ${subject}`,
    source === undefined ? '' : `from ${source}`,
    detail === undefined ? '' : `(${detail})`,
    count > 1 ? `${count} times` : '',
  ];
  return parts.filter(Boolean).join(' ');
}
