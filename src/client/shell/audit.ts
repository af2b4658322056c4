import { setTimeout as sleep } from 'node:timers/promises';
import type * as v from 'valibot';
import { audit, type auditRecord } from '../../command/audit.ts';
import { Failure } from '../../model/failure.ts';
import { pageRowsMax } from '../../model/limits.ts';
import type { ClientSession } from '../call.ts';
import { isPassing } from '../watch.ts';
import { addRemote, run } from './remote.ts';
import { withSession } from './session.ts';
import type { Shell } from './shell.ts';

/** How soon a new record is seen. */
const lookMilliseconds = 1000;

/** `audit`, which can also go on and print what happens from now on. */
export function addAudit(shell: Shell): void {
  addRemote(shell, audit, async (params, { follow }) => {
    if (!follow) return run(shell, audit, params);
    if (params['until'] !== undefined) {
      throw new Failure('bad-params', '--follow goes on until you stop it, and --until ends before that.', {
        hint: 'Leave out one of them.',
      });
    }
    await withSession(shell, (session) =>
      printForEver(session, params, shell.options().json ? JSON.stringify : sentence),
    );
  })?.option('--follow', 'go on and print what is new until you stop it; with --json one object a line');
}

type ShownRecord = v.InferOutput<typeof auditRecord>;

/** First what a look without following shows, oldest first; then whatever comes. Nothing is skipped, nothing twice. */
async function printForEver(
  session: ClientSession,
  params: Readonly<Record<string, unknown>>,
  format: (record: ShownRecord) => string,
): Promise<void> {
  let after = Number(params['after'] ?? 0);
  const show = (records: readonly ShownRecord[]) => {
    for (const record of records) process.stdout.write(`${format(record)}\n`);
    after = records.at(-1)?.id ?? after;
  };
  if (params['after'] === undefined) show((await session.call(audit, params)).records.toReversed());
  let isLost = false;
  for (;;) {
    try {
      const { records } = await session.call(audit, { ...params, after, limit: pageRowsMax });
      show(records);
      isLost = false;
      if (records.length < pageRowsMax) await sleep(lookMilliseconds);
    } catch (error) {
      if (!(error instanceof Failure) || !isPassing(error)) throw error;
      if (!isLost) process.stderr.write(`${error.message} Trying until the server is back.\n`);
      isLost = true;
      await sleep(2 * lookMilliseconds);
    }
  }
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
