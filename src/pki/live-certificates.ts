import { join } from 'node:path';
import { LiveFiles, type Look } from '../file/live-files.ts';
import { certificateWarningDays } from '../model/limits.ts';
import { dayMilliseconds } from './certificate.ts';
import { files } from './certificate-file.ts';
import { daysLeft, describeEnding, type Renewal, renewalOf } from './ending.ts';
import { listFolder } from './folder.ts';
import { renewRevocationList, renewServerCertificate } from './renewal.ts';
import { type CertificateEnd, loadServerCertificates, type ServerCertificates } from './server-certificates.ts';

const watched = [files.server, files.serverKey, files.serverAuthority, files.clientAuthority, files.revocationList];

/** What becomes of a server's certificates while it runs, and what it asks of them. */
export interface CertificateEvents {
  /** The files were changed, or could not be, and what was loaded before stays; said once for each problem. */
  readonly onProblem: (problem: unknown) => void;
  /** A file ends soon, and nothing here renews it. */
  readonly onEnding: (file: string, daysLeft: number) => void;
  /** Throws a `Failure` for what is good by itself and still not to be used by this server, at the start or later. */
  readonly assertUsable?: (certificates: ServerCertificates) => void;
}

/** What an operator wants to know of the certificates in use. */
export interface CertificateState {
  readonly ends: readonly CertificateEnd[];
  /** What ends soon and is not renewed here: sentences, with what to do. */
  readonly warnings: readonly string[];
}

/**
 * The certificates of a running server: looked at twice a second; swapped when what is there is good as a whole, kept
 * when it is not; renewed in time where the authorities' keys are.
 */
export class LiveCertificates {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #events: CertificateEvents;
  readonly #files: LiveFiles<ServerCertificates>;
  #renewing: NodeJS.Timeout | undefined;

  private constructor(
    folder: string,
    now: () => number,
    events: CertificateEvents,
    certificates: LiveFiles<ServerCertificates>,
  ) {
    this.#folder = folder;
    this.#now = now;
    this.#events = events;
    this.#files = certificates;
  }

  /** Renews what is due and loads everything. Failures: as `loadServerCertificates` and `assertUsable`. */
  static async open(folder: string, now: () => number, events: CertificateEvents): Promise<LiveCertificates> {
    await renew(folder, now(), events);
    const certificates = await LiveFiles.open<ServerCertificates>({
      paths: watched.map((file) => join(folder, file)),
      async load(current) {
        const loaded = await loadServerCertificates(folder, now(), current?.clientTrust);
        events.assertUsable?.(loaded);
        return loaded;
      },
      onProblem: events.onProblem,
    });
    const live = new LiveCertificates(folder, now, events, certificates);
    await live.#warn();
    return live;
  }

  get current(): ServerCertificates {
    return this.#files.current;
  }

  /** Keeps an eye on the files from now on. What changed since `open` is seen at the first look. */
  watch(onChange: (certificates: ServerCertificates) => void): void {
    this.#files.watch(onChange);
    this.#renewing = setInterval(() => void this.#keepUp(), dayMilliseconds);
  }

  /** Takes up what has changed in the folder, if it is good. */
  reload(): Promise<Look> {
    return this.#files.reload();
  }

  async state(): Promise<CertificateState> {
    const renewal = await this.#renewal();
    const describe = (end: CertificateEnd) => describeEnding(this.#folder, end, this.#now(), renewal) ?? [];
    return { ends: this.current.ends, warnings: this.current.ends.flatMap(describe) };
  }

  /** Stops looking. */
  async close(): Promise<void> {
    clearInterval(this.#renewing);
    await this.#files.close();
  }

  async #keepUp(): Promise<void> {
    await renew(this.#folder, this.#now(), this.#events);
    await this.reload();
    await this.#warn();
  }

  async #warn(): Promise<void> {
    const renewal = await this.#renewal();
    for (const end of this.current.ends) {
      const days = daysLeft(end, this.#now());
      const [first, daily] = certificateWarningDays;
      // A list never has more days than the first mark, which so says nothing about it.
      const isMarked = days === first && end.file !== files.revocationList && !renewal(end.file);
      if (isMarked || days <= daily) this.#events.onEnding(end.file, days);
    }
  }

  /** What the server can renew by itself. A folder that cannot be listed is one where nothing can be renewed. */
  async #renewal(): Promise<Renewal> {
    return renewalOf(await listFolder(this.#folder).catch(() => new Set<string>()));
  }
}

/** Where the keys are elsewhere, or the folder can't be written, the operator renews: that is no failure of the server. */
async function renew(folder: string, now: number, { onProblem }: CertificateEvents): Promise<void> {
  for (const work of [renewServerCertificate, renewRevocationList]) {
    await work(folder, now).catch(onProblem);
  }
}
