import { X509Certificate } from 'node:crypto';
import { clientCertificateWarningDays } from '../../model/limits.ts';
import type { ClientSession } from '../call.ts';
import type { Endpoint } from '../connect.ts';
import { openSession } from '../target.ts';
import type { ShellOptions } from './shell.ts';

const dayMilliseconds = 86_400_000;

/** A session for a person: their own certificate's end is told before it comes. Failures: as `openSession`. */
export async function openShellSession(options: ShellOptions): Promise<{ session: ClientSession; endpoint: Endpoint }> {
  const opened = await openSession(options);
  warnOfEnd(opened.endpoint.certificate, options);
  return opened;
}

/** Says on standard error that the client certificate ends soon. A program learns it from the certificate. */
export function warnOfEnd(certificate: Endpoint['certificate'], { json }: ShellOptions, now = Date.now()): void {
  const end = json ? undefined : endOf(certificate);
  if (!end) return;
  const days = Math.floor((end.getTime() - now) / dayMilliseconds);
  // Whose has ended already is told so by the server.
  if (days < 0 || days >= clientCertificateWarningDays) return;
  const left = days === 0 ? 'within a day' : days === 1 ? 'in 1 day' : `in ${days} days`;
  process.stderr.write(
    `secure-inv: Your client certificate ends ${left} (${end.toISOString()}). Ask the operator for a new one: npm run gen-certs -- client NAME --force\n`,
  );
}

/** One that cannot be read is refused when it is used. */
function endOf(certificate: Endpoint['certificate']): Date | undefined {
  try {
    return certificate && new X509Certificate(certificate.cert).validToDate;
  } catch {
    return undefined;
  }
}
