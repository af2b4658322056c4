import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { gaugeMillisecondsMax } from '../model/limits.ts';
import {
  type CommandOutcome,
  type HandshakeProblem,
  handshakeProblem,
  type LoginProblem,
  type Observed,
  prefix,
} from './observed.ts';
import { within } from './readiness.ts';

const milliseconds = 1e-3;
const nanoseconds = 1e-9;

/** From a view in memory to a login that waited in the queue of hashes. */
const requestSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** From an SSD with a capacitor to a disk that is dying. */
const commitSeconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const batchWrites = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/** Every so many milliseconds the event loop is looked at: each look wakes an idle server. */
const eventLoopLookMilliseconds = 50;

interface OfCommand {
  readonly duration: { observe(seconds: number): void };
  readonly done: { inc(): void };
}

/**
 * What a server counts, as Prometheus reads it. Labels take few values, whatever peers send: names of commands, codes and
 * reasons of our own, files. Nothing here is secret: no user, no address, no item. Counting a request takes less than half
 * a microsecond; all else is looked up when it is asked for.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #loopDelay = monitorEventLoopDelay({ resolution: eventLoopLookMilliseconds });
  readonly #ofCommand = new Map<string, OfCommand>();
  readonly #requests = new Counter({
    name: `${prefix}requests_total`,
    help: 'Requests by command and outcome: ok, or the code of the refusal.',
    labelNames: ['command', 'outcome'],
    registers: [this.#registry],
  });
  readonly #duration = new Histogram({
    name: `${prefix}request_duration_seconds`,
    help: 'From the turn of a request to its reply, by command; what waits for more of its own user is not counted.',
    labelNames: ['command'],
    buckets: requestSeconds,
    registers: [this.#registry],
  });
  readonly #commitWrites = new Histogram({
    name: `${prefix}commit_batch_size`,
    help: 'Changes that shared one transaction and one fsync.',
    buckets: batchWrites,
    registers: [this.#registry],
  });
  readonly #commitSeconds = new Histogram({
    name: `${prefix}commit_fsync_seconds`,
    help: 'How long a commit of the store took, nearly all of it the fsync.',
    buckets: commitSeconds,
    registers: [this.#registry],
  });
  readonly #commitFailures = new Counter({
    name: `${prefix}commit_failures_total`,
    help: 'Batches of changes that could not be committed.',
    registers: [this.#registry],
  });
  readonly #logins = new Counter({
    name: `${prefix}login_failures_total`,
    help: 'Refused proofs of who somebody is, by reason.',
    labelNames: ['reason'],
    registers: [this.#registry],
  });
  readonly #handshakes = new Counter({
    name: `${prefix}handshake_failures_total`,
    help: 'Peers that did not get through TLS or whose certificate was refused, by reason.',
    labelNames: ['reason'],
    registers: [this.#registry],
  });

  readonly #gaugeFailures = new Counter({
    name: `${prefix}gauge_failures_total`,
    help: 'Looks for a gauge that failed, for which it was left out, by gauge.',
    labelNames: ['gauge'],
    registers: [this.#registry],
  });
  readonly #onProblem: (gauge: string, problem: unknown) => void;
  readonly #told = new Set<string>();

  /** `onProblem` is told once of each gauge that cannot be looked up, and again when it could be meanwhile. */
  constructor(observed: Observed, onProblem: (gauge: string, problem: unknown) => void) {
    this.#onProblem = onProblem;
    this.#loopDelay.enable();
    this.#gauge('connections', 'Connections: handshake, stranger (not logged in yet) or user.', ['state'], (set) => {
      for (const [state, count] of Object.entries(observed.connections())) set(count, { state });
    });
    this.#gauge(
      'password_hashes',
      'Password hashes (argon2id): running, or waiting in the queue.',
      ['state'],
      (set) => {
        for (const [state, count] of Object.entries(observed.hashing())) set(count, { state });
      },
    );
    const expiry = 'When a certificate or the revocation list ends, in seconds since 1970.';
    this.#gauge('certificate_expiry_timestamp_seconds', expiry, ['file'], (set) => {
      for (const { file, at } of observed.certificateEnds()) set(at * milliseconds, { file });
    });
    this.#gauge(
      'store_bytes',
      'Size of the store: its database, and its log until it is merged.',
      ['part'],
      async (set) => {
        for (const [part, bytes] of Object.entries(await observed.storeBytes())) set(bytes, { part });
      },
    );
    this.#gauge('disk_free_bytes', 'What is free where the store is.', [], async (set) =>
      set(await observed.diskFree()),
    );
    this.#gauge('backup_age_seconds', 'Since the last backup; absent when none is known.', [], async (set) => {
      const at = await observed.backupAt();
      if (at !== null) set((observed.now() - at) * milliseconds);
    });
    this.#gauge(
      'clock_divergence_seconds',
      "By how much the machine's clock is ahead of the server's time.",
      [],
      (set) => set(observed.divergence() * milliseconds),
    );
    this.#gauge('ready', 'Whether /readyz says so: 1 or 0.', [], async (set) =>
      set((await observed.isReady()) ? 1 : 0),
    );
    this.#gauge('start_timestamp_seconds', 'When the server was started, in seconds since 1970.', [], (set) =>
      set(observed.startedAt * milliseconds),
    );
    this.#gauge('build_info', 'Always 1; what is running.', ['version', 'node'], (set) =>
      set(1, { version: observed.version, node: process.versions.node }),
    );
    this.#gauge(
      'event_loop_delay_seconds',
      'How late the event loop was since the last scrape.',
      ['quantile'],
      (set) => {
        for (const quantile of ['0.5', '0.99', '1']) {
          set(this.#loopDelay.percentile(Number(quantile) * 100) * nanoseconds, { quantile });
        }
        this.#loopDelay.reset();
      },
    );
    this.#gauge('resident_memory_bytes', 'Memory that the process occupies.', [], (set) =>
      set(process.memoryUsage.rss()),
    );
    const cpu = new Counter({
      name: `${prefix}cpu_seconds_total`,
      help: 'Processor time that the process has used.',
      registers: [this.#registry],
      collect() {
        const { user, system } = process.cpuUsage();
        cpu.reset();
        cpu.inc((user + system) * 1e-6);
      },
    });
  }

  /** A command was answered; without a name it was none of ours, and all of those are one. */
  answered(command: string | undefined, outcome: CommandOutcome, seconds: number): void {
    const name = command ?? 'unknown';
    let known = this.#ofCommand.get(name);
    if (!known) {
      const done = this.#requests.labels(name, 'ok');
      known = { duration: this.#duration.labels(name), done };
      this.#ofCommand.set(name, known);
    }
    known.duration.observe(seconds);
    if (outcome === 'ok') known.done.inc();
    else this.#requests.inc({ command: name, outcome });
  }

  /** The store committed that many changes at once, or could not, in so many seconds. */
  committed(writes: number, seconds: number, isDone: boolean): void {
    if (!isDone) this.#commitFailures.inc();
    else {
      this.#commitWrites.observe(writes);
      this.#commitSeconds.observe(seconds);
    }
  }

  loginFailed(reason: LoginProblem): void {
    this.#logins.inc({ reason });
  }

  handshakeFailed(reason: HandshakeProblem): void {
    this.#handshakes.inc({ reason });
  }

  /** TLS gave up on a peer, with this code of OpenSSL's or the system's. */
  tlsFailed(code: unknown): void {
    this.handshakeFailed(handshakeProblem(code));
  }

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All of it, in the exposition format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Stops looking at the event loop. */
  close(): void {
    this.#loopDelay.disable();
  }

  #gauge<const Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    look: (set: (value: number, labels?: Partial<Record<Label, string>>) => void) => void | Promise<void>,
  ): void {
    const lookSafely = (set: Parameters<typeof look>[0]) => this.#lookSafely(name, async () => look(set));
    new Gauge({
      name: prefix + name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      async collect() {
        // What there is no more is not to be told any more.
        if (labelNames.length > 0) this.reset();
        else this.remove();
        await lookSafely((value, labels) => (labels ? this.set(labels, value) : this.set(value)));
      },
    });
  }

  /** What cannot be looked up, or not within the patience of who asks, is left out: all else is to be seen just then. */
  async #lookSafely(name: string, look: () => Promise<void>): Promise<void> {
    try {
      const found = look().then(() => true);
      if (!(await within(found, gaugeMillisecondsMax, false))) throw new Error('There was no answer in time.');
      this.#told.delete(name);
    } catch (problem) {
      this.#gaugeFailures.inc({ gauge: name });
      if (!this.#told.has(name)) this.#onProblem(name, problem);
      this.#told.add(name);
    }
  }
}
