import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { certificateWarningDays } from '../model/limits.ts';
import { dayMilliseconds } from './certificate.ts';
import { files } from './certificate-file.ts';
import { renewRevocationList, renewServerCertificate } from './renewal.ts';
import { loadServerCertificates, type ServerCertificates } from './server-certificates.ts';

/** How soon a changed file is seen: a revoked client is to be cut off within a second. */
const lookMilliseconds = 500;

const watched = [files.server, files.serverKey, files.serverAuthority, files.clientAuthority, files.revocationList];

/** What becomes of a server's certificates while it runs. */
export interface CertificateEvents {
  /** The files were changed, or could not be, and what was loaded before stays; said once for each problem. */
  readonly onProblem: (problem: unknown) => void;
  /** A file ends soon, and nothing here renews it. */
  readonly onEnding: (file: string, daysLeft: number) => void;
}

/**
 * The certificates of a running server: looked at twice a second, because file events get lost on many file systems;
 * swapped when what is there is good as a whole, kept when it is not; renewed in time where the authorities' keys are.
 */
export class LiveCertificates {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #events: CertificateEvents;
  #timers: readonly NodeJS.Timeout[] = [];
  #onChange: ((certificates: ServerCertificates) => void) | undefined;
  #current: ServerCertificates;
  #seen: string;
  #told = '';
  #looking: Promise<void> | undefined;

  private constructor(
    folder: string,
    now: () => number,
    events: CertificateEvents,
    current: ServerCertificates,
    seen: string,
  ) {
    this.#folder = folder;
    this.#now = now;
    this.#events = events;
    this.#current = current;
    this.#seen = seen;
  }

  /** Renews what is due and loads everything. Failures: as `loadServerCertificates`. */
  static async open(folder: string, now: () => number, events: CertificateEvents): Promise<LiveCertificates> {
    await renew(folder, now(), events);
    const seen = await stateOf(folder); // Before loading, so that no change falls between the two.
    const live = new LiveCertificates(folder, now, events, await loadServerCertificates(folder, now()), seen);
    live.#warn();
    return live;
  }

  get current(): ServerCertificates {
    return this.#current;
  }

  /** Keeps an eye on the files from now on. What changed since `open` is seen at the first look. */
  watch(onChange: (certificates: ServerCertificates) => void): void {
    this.#onChange = onChange;
    this.#timers = [
      setInterval(() => void this.reload(), lookMilliseconds),
      setInterval(() => void this.#keepUp(), dayMilliseconds),
    ];
  }

  /** Takes up what has changed in the folder, if it is good. One look at a time. */
  reload(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Stops looking. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const state = await stateOf(this.#folder);
    if (state === this.#seen) return;
    try {
      this.#current = await loadServerCertificates(this.#folder, this.#now(), this.#current.clientTrust);
      this.#onChange?.(this.#current);
      // Only now: a look that failed for want of a file descriptor must not be the last to see a revocation.
      this.#seen = state;
      this.#told = '';
    } catch (error) {
      // Whatever it is, the server goes on with what it has.
      if (String(error) !== this.#told) this.#events.onProblem(error);
      this.#told = String(error);
    }
  }

  async #keepUp(): Promise<void> {
    await renew(this.#folder, this.#now(), this.#events);
    await this.reload();
    this.#warn();
  }

  #warn(): void {
    for (const { file, at } of this.#current.ends) {
      const daysLeft = Math.floor((at - this.#now()) / dayMilliseconds);
      const [first, daily] = certificateWarningDays;
      // A list never has more days than the first mark, which so says nothing about it.
      const isMarked = daysLeft === first && file !== files.revocationList;
      if (isMarked || daysLeft <= daily) this.#events.onEnding(file, daysLeft);
    }
  }
}

/** Where the keys are elsewhere, or the folder can't be written, the operator renews: that is no failure of the server. */
async function renew(folder: string, now: number, { onProblem }: CertificateEvents): Promise<void> {
  for (const work of [renewServerCertificate, renewRevocationList]) {
    await work(folder, now).catch(onProblem);
  }
}

/** What changes with the content of any file that the server uses; one that is missing has a state, too. */
async function stateOf(folder: string): Promise<string> {
  const states = watched.map((file) =>
    stat(join(folder, file)).then(
      ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
      () => 'missing',
    ),
  );
  return (await Promise.all(states)).join();
}
