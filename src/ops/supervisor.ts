import { spawn } from 'node:child_process';

/** What a service manager is told, in the words of sd_notify(3): systemd-notify has options for all only since 253. */
const words = {
  ready: () => ['READY=1', 'STATUS=Serving.'],
  reloading: () => ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, 'STATUS=Reloading.'],
  stopping: () => ['STOPPING=1', 'STATUS=Finishing what is in flight.'],
  alive: () => ['WATCHDOG=1'],
} as const;

/** How often in the time after which systemd gives up on the server it is told that it lives. */
const pingsPerTimeout = 3;

/** What takes longer will not be told: systemd-notify itself waits 5 s for systemd's answer. */
const tellingMilliseconds = 6000;

/**
 * Tells systemd how the server is, when it was started by it. Node.js has no datagrams of AF_UNIX, so the program
 * systemd-notify speaks to the socket (the unit needs `NotifyAccess=all`). What cannot be told stops nothing.
 */
export class Supervisor {
  readonly #env: NodeJS.ProcessEnv;
  readonly #onProblem: (problem: unknown) => void;
  #isToldOfProblem = false;
  /** One after the other: READY before STOPPING. */
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #pinging: NodeJS.Timeout | undefined;

  constructor(env: NodeJS.ProcessEnv, onProblem: (problem: unknown) => void) {
    this.#env = env;
    this.#onProblem = onProblem;
  }

  /** Resolves when it was told, or could not be. */
  tell(state: keyof typeof words): Promise<void> {
    if (!this.#env['NOTIFY_SOCKET']) return Promise.resolve();
    // On a busy machine, more of these would only come before what is news.
    if (state === 'alive' && this.#waiting > 0) return this.#last;
    this.#waiting += 1;
    this.#last = this.#last.then(() => this.#run(words[state]())).finally(() => (this.#waiting -= 1));
    return this.#last;
  }

  /** From now on says as often as systemd asks for that the server lives, as long as `isAlive` says so. */
  watch(isAlive: () => Promise<boolean>): void {
    const milliseconds = watchdogMilliseconds(this.#env);
    if (milliseconds === undefined) return;
    this.#pinging = setInterval(() => {
      void isAlive().then((alive) => (alive ? this.tell('alive') : undefined), this.#onProblem);
    }, milliseconds / pingsPerTimeout);
    this.#pinging.unref();
  }

  /** Says no more that the server lives. */
  close(): void {
    clearInterval(this.#pinging);
  }

  #run(args: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const child = spawn('systemd-notify', args, { stdio: 'ignore', env: this.#env, timeout: tellingMilliseconds });
      child.once('error', (error) => {
        this.#problem(error);
        resolve();
      });
      child.once('exit', (code) => {
        const how = code === null ? 'was too slow' : `ended with status ${code}`;
        if (code !== 0) this.#problem(new Error(`systemd-notify ${how}.`));
        resolve();
      });
    });
  }

  #problem(problem: unknown): void {
    if (!this.#isToldOfProblem) this.#onProblem(problem);
    this.#isToldOfProblem = true;
  }
}

/** After how much silence systemd ends this process (sd_watchdog_enabled(3)); undefined when it does not watch it. */
function watchdogMilliseconds({ WATCHDOG_USEC: microseconds = '', WATCHDOG_PID: pid }: NodeJS.ProcessEnv) {
  if (!/^[1-9]\d{0,14}$/.test(microseconds)) return undefined;
  return pid === undefined || Number(pid) === process.pid ? Number(microseconds) / 1000 : undefined;
}
