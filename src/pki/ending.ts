import { certificateWarningDays, revocationListDays } from '../model/limits.ts';
import { dayMilliseconds } from './certificate.ts';
import { files, formatPath, formatTime, genCerts } from './certificate-file.ts';
import type { CertificateEnd } from './server-certificates.ts';

/** Whether the server renews this file by itself. */
export type Renewal = (file: string) => boolean;

/** What is renewed in a folder with these files: whatever the key of its authority lies beside. */
export function renewalOf(present: ReadonlySet<string>): Renewal {
  return (file) => {
    const key = keyFor(file);
    return key !== undefined && present.has(key);
  };
}

function keyFor(file: string): string | undefined {
  if (file === files.server) return files.serverAuthorityKey;
  return file === files.revocationList ? files.clientAuthorityKey : undefined;
}

/** Whole days until the end; negative after it. */
export function daysLeft({ at }: CertificateEnd, now: number): number {
  return Math.floor((at - now) / dayMilliseconds);
}

/** What ends soon although it should not, with the command to run; undefined when there is nothing to do. */
export function describeEnding(
  folder: string,
  end: CertificateEnd,
  now: number,
  isRenewed: Renewal,
): string | undefined {
  const days = daysLeft(end, now);
  if (days > warningDays(end.file, isRenewed)) return undefined;
  return `${formatPath(folder, end.file)} ${formatLeft(days)} (${formatTime(end.at)}). ${remedy(folder, end.file, isRenewed)}`;
}

function formatLeft(days: number): string {
  if (days < 0) return 'has ended';
  if (days === 0) return 'ends within a day';
  return days === 1 ? 'ends in 1 day' : `ends in ${days} days`;
}

function warningDays(file: string, isRenewed: Renewal): number {
  const [first, daily] = certificateWarningDays;
  // It should have been renewed long ago, so something is wrong.
  if (isRenewed(file)) return daily;
  // Until half of its life is over, nothing signs a list anew: a warning could not be followed.
  return file === files.revocationList ? revocationListDays / 2 - 1 : first;
}

function remedy(folder: string, file: string, isRenewed: Renewal): string {
  const [server, list] = [genCerts(folder, '--force'), genCerts(folder)];
  const command = file === files.server ? server : list;
  if (isRenewed(file)) return `The server could not renew it (its log says why). Run: ${command}`;
  const key = keyFor(file);
  if (key !== undefined) return `Bring ${key} back into the folder and run: ${command}`;
  const anew = genCerts(folder, '--force', '--new-authority');
  return `Run: ${anew} (everything is issued and trusted anew)`;
}
