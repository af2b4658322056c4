import { type Actor, type AuditEntry, type AuditEvent, host } from '../model/audit.ts';
import type { Failure, FailureCode } from '../model/failure.ts';
import {
  auditForgetMax,
  refusalDetailsMax,
  refusalKeysMax,
  refusalRecordsMax,
  refusalRecordsPerSecondMax,
} from '../model/limits.ts';
import type { LoginProblem } from '../ops/observed.ts';
import type { Store } from '../store/store.ts';

const minute = 60_000;
const hour = 60 * minute;

/** A refusal, and whom it concerns if that is somebody. */
export interface Refusal extends Pick<AuditEntry, 'event' | 'subject' | 'detail'> {
  readonly actor: Actor;
}

interface Counted {
  readonly key: string;
  entry: AuditEntry;
  /** What was told apart in it: of several the record names each, because a throttle is news among wrong passwords. */
  readonly details: Set<string>;
  count: number;
  isWritten: boolean;
}

/**
 * What the server itself writes into the audit log. Refusals are counted: one record for each kind, source and user in a
 * minute, and at most ten written in a second, so that strangers cannot fill the disk. What would be more becomes one
 * record without a source.
 */
export class AuditLog {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #onError: (error: unknown) => void;
  readonly #counted = new Map<string, Counted>();
  readonly #forgetting: NodeJS.Timeout;
  #writing: NodeJS.Timeout | undefined;
  /** Keys of a restarted server must not continue those of the one before. */
  readonly #run: number;

  /** `days`: after how many a record is forgotten, as of then. */
  constructor(store: Store, days: () => number, now: () => number, onError: (error: unknown) => void) {
    this.#store = store;
    this.#now = now;
    this.#onError = onError;
    this.#run = now();
    const forget = () => void this.#forget(days()).catch(onError);
    forget();
    this.#forgetting = setInterval(forget, hour).unref();
  }

  /** Writes down what the server itself did. It goes on also when that cannot be written. */
  note(event: AuditEvent, detail: string): Promise<void> {
    return this.#store.audit({ ...host, event, subject: null, detail, at: this.#now() }).catch(this.#onError);
  }

  /** Counts a refusal; it is in the log within a second, unless very many come at once. */
  refused({ actor, ...refusal }: Refusal): void {
    const at = this.#now();
    const minuteOf = Math.floor(at / minute);
    const key = `${this.#run} ${minuteOf} ${refusal.event} ${actor.source} ${actor.user}`;
    if (this.#counted.has(key) || this.#counted.size < refusalKeysMax) {
      this.#count(key, { ...actor, ...refusal, at });
    } else {
      const detail = 'from many sources';
      this.#count(`${this.#run} ${minuteOf} ${refusal.event}`, { ...host, ...refusal, subject: null, detail, at });
    }
    this.#writing ??= setTimeout(() => this.#write(), 1000).unref();
  }

  /** Writes what was counted and not yet written. */
  async close(): Promise<void> {
    clearInterval(this.#forgetting);
    clearTimeout(this.#writing);
    await this.#flush().catch(this.#onError);
  }

  #count(key: string, entry: AuditEntry): void {
    const known = this.#counted.get(key);
    if (!known) {
      const details = new Set(entry.detail === null ? [] : [entry.detail]);
      this.#counted.set(key, { key, entry, details, count: 1, isWritten: false });
      return;
    }
    known.count++;
    known.isWritten = false;
    if (entry.detail !== null && known.details.size <= refusalDetailsMax) known.details.add(entry.detail);
    const { subject } = known.entry;
    // Of several users the record says none.
    known.entry = {
      ...known.entry,
      subject: subject === entry.subject ? subject : null,
      detail: formatDetails(known.details),
    };
  }

  #write(): void {
    void this.#flush()
      .catch(this.#onError)
      .finally(() => {
        const isDone = [...this.#counted.values()].every(({ isWritten }) => isWritten);
        this.#writing = isDone ? undefined : setTimeout(() => this.#write(), 1000).unref();
      });
  }

  async #flush(): Promise<void> {
    const present = Math.floor(this.#now() / minute);
    const waiting = [...this.#counted.values()].filter(({ isWritten }) => !isWritten);
    const batch = waiting.slice(0, refusalRecordsPerSecondMax);
    for (const counted of batch) {
      counted.isWritten = true;
      // To the end, so that those who go on and on do not keep the others waiting.
      this.#counted.delete(counted.key);
      this.#counted.set(counted.key, counted);
    }
    try {
      if (batch.length > 0)
        await this.#store.auditRefusals(batch.map(({ key, entry, count }) => ({ key, entry, count })));
    } catch (error) {
      for (const counted of batch) counted.isWritten = false; // Counted on, and tried again.
      throw error;
    }
    for (const [key, { entry, isWritten }] of this.#counted) {
      if (isWritten && Math.floor(entry.at / minute) < present) this.#counted.delete(key);
    }
  }

  async #forget(days: number): Promise<void> {
    const before = this.#now() - days * 24 * hour;
    // A part at a time, so that nobody waits behind a long one.
    while ((await this.#store.forgetAudit(before, refusalRecordsMax, auditForgetMax)) >= auditForgetMax);
  }
}

function formatDetails(details: ReadonlySet<string>): string | null {
  if (details.size === 0) return null;
  const named = [...details].slice(0, refusalDetailsMax);
  return [...named, ...(details.size > refusalDetailsMax ? ['more'] : [])].join(', ');
}

/** How the refusals of what proves somebody are called in the log. */
const proofs: Readonly<Record<string, readonly [event: AuditEvent, detail: string]>> = {
  login: ['login-refused', 'password'],
  passwd: ['login-refused', 'password'],
  refresh: ['login-refused', 'refresh token'],
  authenticate: ['login-refused', 'token'],
  enroll: ['link-refused', 'enrolment link'],
};

/** The same for those who count. */
const problems: Readonly<Record<string, LoginProblem>> = {
  password: 'password',
  'refresh token': 'refresh-token',
  token: 'token',
  'enrolment link': 'link',
  'too many tries': 'too-many-tries',
};

/** Why somebody could not show who they are, if that is what was refused. */
export function loginProblem({ event, detail }: Pick<AuditEntry, 'event' | 'detail'>): LoginProblem | undefined {
  return event === 'login-refused' || event === 'link-refused' ? problems[detail ?? ''] : undefined;
}

const doubtful: ReadonlySet<FailureCode> = new Set(['login-failed', 'login-required', 'busy']);

/** What an auditor should know of a refused command, if anything: not slips and not what merely expired. */
export function refusalOf(
  command: string,
  { code, details }: Failure,
): Pick<AuditEntry, 'event' | 'detail'> | undefined {
  if (code === 'forbidden') return { event: 'command-refused', detail: command };
  if (code === 'certificate-refused') return { event: 'certificate-refused', detail: details.reason ?? null };
  const proof = proofs[command];
  if (!proof || !doubtful.has(code)) return undefined;
  return { event: proof[0], detail: code === 'busy' ? 'too many tries' : proof[1] };
}
