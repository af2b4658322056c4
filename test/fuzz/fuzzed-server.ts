import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import type { AuthMode } from '../../src/model/user.ts';
import { type ServerProcess, startProcess } from '../fault/server-process.ts';
import { probed } from '../soak/gauge.ts';
import { residentMebibytes } from '../support/process-figures.ts';
import { temporaryFolder } from '../support/server.ts';
import { line } from '../support/wire-client.ts';
import { Actors } from './actors.ts';
import { Keeper } from './keeper.ts';
import { Peer } from './peer.ts';
import { hangMilliseconds } from './slow.ts';
import type { Said } from './verdict.ts';

/** Where a connection stands when an input arrives. */
export type State = 'before login' | 'logged in' | 'watching';

/** A process that dies closes its sockets first; its exit and its last words are seen so much later, at most. */
const exitMilliseconds = 500;

/** A server in a process of its own, and users there who are used for fuzzing, whom a keeper sets right again. */
export class FuzzedServer {
  readonly process: ServerProcess;
  readonly folder: string;
  readonly mode: AuthMode;
  readonly #remove: () => Promise<void>;
  readonly #complaints: string[];
  readonly #actors = new Actors();
  readonly #keeper = new Keeper(this, this.#actors);
  /** Whoever stops a long run leaves no server behind. */
  readonly #abandon = () => {
    process.kill(this.process.pid, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  };
  #exit: number | string | undefined;
  #connections = 0;

  private constructor(
    folder: string,
    mode: AuthMode,
    started: ServerProcess,
    complaints: string[],
    remove: () => Promise<void>,
  ) {
    this.folder = folder;
    this.mode = mode;
    this.process = started;
    this.#complaints = complaints;
    this.#remove = remove;
    void started.ended.then((exit) => {
      this.#exit = exit ?? 'unknown';
    });
    process.once('exit', this.#abandon);
  }

  static async open(mode: AuthMode = 'either'): Promise<FuzzedServer> {
    const cleanings: (() => Promise<void>)[] = [];
    const folder = await temporaryFolder((clean) => cleanings.push(clean));
    const complaints: string[] = [];
    const remove = async () => {
      for (const clean of cleanings) await clean();
    };
    // So that certificates are asked for with success, too.
    const flags = { 'pki-issue': 'on', 'auth-mode': mode };
    const started = await startProcess(folder, true, { flags, env: probed, onLog: (text) => complaints.push(text) });
    const server = new FuzzedServer(folder, mode, started, complaints, remove);
    await server.#keeper.settle(started.link?.code);
    return server;
  }

  /** The authority's files. */
  get certs(): string {
    return `${this.folder}/certs`;
  }

  /** A connection from an address of its own, or what fails there would shut out the keeper, too. */
  connect(options: ConnectionOptions = {}): Promise<Peer> {
    const at = ++this.#connections % 0xffff;
    const localAddress = process.platform === 'linux' ? `127.1.${at >> 8}.${at & 0xff}` : undefined;
    return Peer.open(this.process, options, localAddress);
  }

  /**
   * A connection that stands there, of this actor unless it is before login. Where a login goes with a certificate, that is
   * shown before login, too.
   */
  async connectIn(state: State, user: string): Promise<Peer> {
    if (state === 'before login') {
      return this.connect((this.mode === 'both' && this.#actors.of(user).certificate) || {});
    }
    const peer = await this.#keeper.connectAs(user);
    peer.lines.length = 0;
    if (state === 'logged in') return peer;
    await peer.write(Buffer.from(line('watch', 'watch')));
    if (!(await peer.until(() => peer.lines.length > 0, hangMilliseconds))) throw new Error('A watch does not begin.');
    peer.lines.splice(0, 1); // Its answer; what is behind that was pushed.
    return peer;
  }

  /** The text with what only the server knows in the place of what stands for it. */
  fill(text: Buffer, user: string): Buffer {
    return this.#actors.fill(text, user);
  }

  /** Remembers of a result what later inputs may show. */
  learn(user: string, said: Pick<Said, 'result'>): void {
    this.#actors.learn(user, said);
  }

  /** Gives somebody a new login, and what they may do back. */
  restore(user: string): Promise<void> {
    return this.#keeper.restore(user);
  }

  /** Whether the server is known to be dead or has said in its log that it has a bug. */
  get isTroubled(): boolean {
    return this.#exit !== undefined || this.#complaints.length > 0;
  }

  /** How the server ended, or what it complains of; undefined when it does neither. */
  async trouble(): Promise<string | undefined> {
    await Promise.race([this.process.ended.then(() => sleep(exitMilliseconds / 5)), sleep(exitMilliseconds)]);
    const complaints = this.#complaints.join('');
    if (this.#exit !== undefined) return `The server crashed (exit ${this.#exit}):\n${complaints}`;
    return complaints === '' ? undefined : `The server complains:\n${complaints}`;
  }

  /** Throws when the server is dead, does not answer, or has said in its log that it has a bug. */
  async assertWell(): Promise<void> {
    const error = await this.#keeper.assertAnswered().then(
      () => undefined,
      (why: unknown) => why,
    );
    if (error === undefined && !this.isTroubled) return;
    const trouble = await this.trouble();
    throw trouble === undefined ? error : new Error(trouble);
  }

  /** The longest that somebody waits who only asks whether the server is there. */
  longestWaitDuring(what: () => Promise<void>): Promise<number> {
    return this.#keeper.longestWaitDuring(what);
  }

  /**
   * MiB of memory that the server occupies, undefined where the system does not say. Its garbage is collected until it is asked
   * again: what V8 has no reason to collect yet looks like a leak for minutes.
   */
  residentMebibytes(): number | undefined {
    this.process.signal('SIGUSR2');
    return residentMebibytes(this.process.pid);
  }

  async close(): Promise<void> {
    process.off('exit', this.#abandon);
    this.#keeper.close();
    await this.process.kill();
    await this.#remove();
  }
}

/** The server that is shared, or one of one's own, which is then one's own to close. */
export async function openServer(shared: FuzzedServer | undefined, mode?: AuthMode) {
  if (shared) return { server: shared, closeServer: async () => undefined };
  const server = await FuzzedServer.open(mode);
  return { server, closeServer: () => server.close() };
}
