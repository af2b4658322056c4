import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { clientCertificateWarningDays } from '../../model/limits.ts';
import { printable } from '../../model/printable.ts';
import type { ClientSession } from '../call.ts';
import { daysUntil, type KeptCertificate, readFacts, renewWhenDue } from '../certificate.ts';
import type { Endpoint } from '../connect.ts';
import { OperationQueue } from '../queue.ts';
import { type QueueOwner, stateOf } from '../queue-entry.ts';
import { openSession } from '../target.ts';
import type { Shell, ShellOptions } from './shell.ts';

const dayMilliseconds = 86_400_000;

/**
 * Does a command's work on a session and closes it. The client certificate that the context got from the server is
 * renewed behind that if it is due; of another one people are told before it ends, and, unless `reminds` is false, of
 * operations that are not settled. Failures: as `openSession`.
 */
export async function withSession(
  shell: Shell,
  use: (session: ClientSession, endpoint: Endpoint, owner: QueueOwner | undefined) => Promise<void>,
  reminds = true,
): Promise<void> {
  const options = shell.options();
  const { session, endpoint, kept, owner } = await openSession(options);
  if (!kept) warnOfEnd(endpoint.certificate, options);
  if (owner && reminds) await remindOfQueue(owner, options);
  try {
    await use(session, endpoint, owner);
    if (kept) {
      await renewWhenDue(kept, (command, params) => session.call(command, params)).catch(warnUnless(options, kept));
    }
  } finally {
    await session.close();
  }
}

/** Says on standard error that the client certificate ends soon. A program learns it from the certificate. */
export function warnOfEnd(certificate: Endpoint['certificate'], { json }: ShellOptions, now = Date.now()): void {
  const end = json ? undefined : endOf(certificate);
  if (!end) return;
  const days = Math.floor((end.getTime() - now) / dayMilliseconds);
  // Whose has ended already is told so by the server.
  if (days < 0 || days >= clientCertificateWarningDays) return;
  const name = readFacts(certificate?.cert ?? '')?.user ?? 'NAME';
  const left = days === 0 ? 'within a day' : days === 1 ? 'in 1 day' : `in ${days} days`;
  process.stderr.write(
    `secure-inv: Your client certificate ends ${left} (${end.toISOString()}). Ask the operator for a new one: npm run gen-certs -- client ${name} --force\n`,
  );
}

/** Says on standard error, in one line, what waits here for this user; what another shell just sends does not. */
async function remindOfQueue(owner: QueueOwner, { json, stateFolder }: ShellOptions): Promise<void> {
  if (json) return;
  try {
    const states = (await new OperationQueue(stateFolder, owner).list()).map((entry) => stateOf(entry));
    const counts = (['queued', 'unconfirmed', 'refused', 'damaged'] as const).flatMap((state) => {
      const count = states.filter((one) => one === state).length;
      return count > 0 ? `${count} ${state}` : [];
    });
    if (counts.length === 0) return;
    process.stderr.write(
      `secure-inv: Operations of yours are not settled: ${counts.join(', ')}. See: secure-inv queue\n`,
    );
  } catch (error) {
    // A queue that cannot be read stops nobody who asks something else.
    process.stderr.write(`secure-inv: warning: ${printable(error instanceof Error ? error.message : String(error))}\n`);
  }
}

/** One that cannot be read is refused when it is used. */
function endOf(certificate: Endpoint['certificate']): Date | undefined {
  try {
    return certificate && new X509Certificate(certificate.cert).validToDate;
  } catch {
    return undefined;
  }
}

/** A command whose work is done has not failed because its certificate ends some day: people are told, that is all. */
function warnUnless({ json }: ShellOptions, { store, context }: KeptCertificate) {
  return async (error: unknown): Promise<void> => {
    if (json) return;
    const facts = readFacts(await readFile(store.certificateFile(context), 'utf8').catch(() => ''));
    const end = facts ? `ends in ${daysUntil(facts.to, Date.now())} days and ` : '';
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`secure-inv: warning: your certificate ${end}could not be renewed: ${printable(why)}\n`);
  };
}
