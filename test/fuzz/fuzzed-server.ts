import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import type { Role } from '../../src/model/user.ts';
import { type ServerProcess, startProcess } from '../fault/server-process.ts';
import { claimOf, newKeys, spkiOf } from '../support/key-claim.ts';
import { residentMebibytes } from '../support/process-figures.ts';
import { temporaryFolder } from '../support/server.ts';
import { line, testPassword } from '../support/wire-client.ts';
import { learnedFrom } from './learned.ts';
import { standIns } from './params.ts';
import { Peer } from './peer.ts';
import { Pulse } from './pulse.ts';
import { againIfSlow, assertSoon, hangMilliseconds } from './slow.ts';
import { judgeLine, type Said } from './verdict.ts';

/** Where a connection stands when an input arrives. */
export type State = 'before login' | 'logged in' | 'watching';

/** Somebody on whose behalf it is fuzzed, and what they have. */
interface Actor {
  readonly role: Role;
  readonly location: string | undefined;
  readonly has: Map<string, string>;
}

/** Together somewhat more than the minute after which whoever did too much may go on. */
const busyMilliseconds = 5000;
const busyAttemptsMax = 15;

const keeper = 'keeper-of-the-others';
/** Somebody who has never come: enrolment codes are theirs. */
const newcomer = 'newcomer';
/** So that certificates are asked for with success, too. */
const flags = { 'pki-issue': 'on' };
/** A process that dies closes its sockets first; its exit and its last words are seen so much later, at most. */
const exitMilliseconds = 500;

/**
 * A server in a process of its own, and users there who are used for fuzzing: whatever they do to themselves, the keeper,
 * whose name no input has, sets them right again.
 */
export class FuzzedServer {
  readonly process: ServerProcess;
  readonly folder: string;
  readonly #remove: () => Promise<void>;
  readonly #complaints: string[];
  readonly #actors = new Map<string, Actor>([
    ['ada', { role: 'admin', location: undefined, has: new Map() }],
    ['cleo', { role: 'clerk', location: 'cellar', has: new Map() }],
  ]);
  /** Whoever stops a long run leaves no server behind. */
  readonly #abandon = () => {
    process.kill(this.process.pid, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  };
  readonly #keys = newKeys();
  #keeper: Peer | undefined;
  #pulse: Pulse | undefined;
  #exit: number | string | undefined;
  #asked = 0;
  #connections = 0;

  private constructor(folder: string, started: ServerProcess, complaints: string[], remove: () => Promise<void>) {
    this.folder = folder;
    this.process = started;
    this.#complaints = complaints;
    this.#remove = remove;
    void started.ended.then((exit) => {
      this.#exit = exit ?? 'unknown';
    });
    process.once('exit', this.#abandon);
  }

  static async open(): Promise<FuzzedServer> {
    const cleanings: (() => Promise<void>)[] = [];
    const folder = await temporaryFolder((clean) => cleanings.push(clean));
    const complaints: string[] = [];
    const remove = async () => {
      for (const clean of cleanings) await clean();
    };
    const started = await startProcess(folder, true, { flags, onLog: (text) => complaints.push(text) });
    const server = new FuzzedServer(folder, started, complaints, remove);
    await server.#settle();
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

  /** A connection of one of the actors, who is set right before if that is called for. */
  async connectAs(user: string): Promise<Peer> {
    for (let attempt = 0; ; attempt++) {
      const peer = await this.connect();
      const token = this.#actorOf(user).has.get('<access>') ?? '';
      // A handshake that a busy machine was too slow for ends without a word.
      const said = await this.#ask(peer, 'authenticate', { token }).catch((error: unknown) => String(error));
      if (typeof said !== 'string' && said.result) return peer;
      peer.close();
      if (attempt === 2) throw new Error(`${user} cannot be set right: ${JSON.stringify(said)}`);
      if (typeof said !== 'string') await this.restore(user);
    }
  }

  /** A connection that stands there, of this actor unless it is before login. */
  async connectIn(state: State, user: string): Promise<Peer> {
    if (state === 'before login') return this.connect();
    const peer = await this.connectAs(user);
    peer.lines.length = 0;
    if (state === 'logged in') return peer;
    await peer.write(Buffer.from(line('watch', 'watch')));
    if (!(await peer.until(() => peer.lines.length > 0, hangMilliseconds))) throw new Error('A watch does not begin.');
    peer.lines.splice(0, 1); // Its answer; what is behind that was pushed.
    return peer;
  }

  /** The text with what only the server knows in the place of what stands for it. */
  fill(text: Buffer, user: string): Buffer {
    let filled = text.toString('latin1');
    for (const [standIn, value] of this.#actorOf(user).has) {
      filled = filled.replaceAll(standIn, Buffer.from(value).toString('latin1'));
    }
    return Buffer.from(filled, 'latin1');
  }

  /** Remembers of a result what later inputs may show. */
  learn(user: string, { result }: Pick<Said, 'result'>): void {
    if (!result) return;
    const { has } = this.#actorOf(user);
    for (const [standIn, value] of learnedFrom(result)) has.set(standIn, value);
    // Whoever has a nonce proves with it that a key is theirs.
    if ('nonce' in result) has.set(standIns.signature, claimOf(result['nonce'], user, this.#keys).signature);
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
    const asKeeper = this.#keeper;
    if (!asKeeper) throw new Error('Nobody keeps this server.');
    const alive = againIfSlow(() => this.#ask(asKeeper, 'ping'));
    const error = await alive.then(
      () => undefined,
      (why: unknown) => why,
    );
    if (error === undefined && !this.isTroubled) return;
    const trouble = await this.trouble();
    throw trouble === undefined ? error : new Error(trouble);
  }

  /** The longest that somebody waits who only asks whether the server is there. */
  longestWaitDuring(what: () => Promise<void>): Promise<number> {
    if (!this.#pulse) throw new Error('Nobody asks whether the server is there.');
    return this.#pulse.longestDuring(what);
  }

  /** MiB of memory that the server occupies; undefined where the system does not say. */
  residentMebibytes(): number | undefined {
    return residentMebibytes(this.process.pid);
  }

  async close(): Promise<void> {
    process.off('exit', this.#abandon);
    this.#keeper?.close();
    this.#pulse?.close();
    await this.process.kill();
    await this.#remove();
  }

  #actorOf(user: string): Actor {
    const actor = this.#actors.get(user);
    if (!actor) throw new Error(`${user} is nobody who fuzzes.`);
    return actor;
  }

  async #settle(): Promise<void> {
    const first = await this.connect();
    await this.#ask(first, 'enroll', { code: this.process.link?.code });
    await this.#ask(first, 'enroll', { password: testPassword });
    const { result } = await this.#ask(first, 'user.add', { user: keeper, role: 'admin' });
    first.close();
    this.#keeper = await this.connect();
    await this.#ask(this.#keeper, 'enroll', { code: result?.['code'] });
    const { result: grant } = await this.#ask(this.#keeper, 'enroll', { password: testPassword });
    for (const user of this.#actors.keys()) await this.restore(user);
    const stock = { operation: '5b3b1a34-7d1f-4b52-a2a0-6f2b0c5f9a11' };
    const lines = ['Maggi', 'Soap', 'Salt'].flatMap((item) =>
      ['main', 'cellar'].map((location) => ({ item, quantity: 100, location })),
    );
    await this.#ask(this.#keeper, 'add', { lines, ...stock });
    const second = await this.connect();
    await this.#ask(second, 'authenticate', { token: grant?.['accessToken'] });
    this.#pulse = new Pulse(second);
  }

  /** Gives somebody a new login, and what they may do back. What of it was not amiss is refused, which is fine. */
  async restore(user: string, attempt = 0): Promise<void> {
    const { role, location, has } = this.#actorOf(user);
    const asKeeper = this.#keeper;
    if (!asKeeper) throw new Error('Nobody keeps this server.');
    const ask = (method: string, params: object) => this.#ask(asKeeper, method, params);
    await ask('user.add', { user, role });
    await ask('user.enable', { user });
    await ask('user.limit', { user, everywhere: true });
    await ask('user.edit', { user, role });
    if (location !== undefined) {
      await ask('location.add', { location });
      await ask('user.limit', { user, locations: [location] });
    }
    const { result, code } = await ask('user.reset', { user });
    if (!result) throw new Error(`The keeper cannot reset ${user}: ${code}`);
    const peer = await this.connect();
    const redeemed = await this.#ask(peer, 'enroll', { code: result['code'] });
    const { result: grant, code: why } = await this.#ask(peer, 'enroll', { password: testPassword });
    if ((redeemed.code ?? why) === 'busy' && attempt < busyAttemptsMax) {
      // Nobody may log in more often than ownChangesPerMinuteMax, and this one did.
      peer.close();
      await sleep(busyMilliseconds);
      return this.restore(user, attempt + 1);
    }
    if (!grant) throw new Error(`${user} cannot enroll: ${redeemed.code ?? why}`);
    has.set('<access>', String(grant['accessToken']));
    has.set(standIns.publicKey, spkiOf(this.#keys.publicKey).toString('base64'));
    this.learn(user, { result: grant });
    // What others might have found of theirs, from the beginning on.
    this.learn(user, await ask('token.create', { name: 'found', role: 'viewer', user }));
    this.learn(user, await this.#ask(peer, 'session.list'));
    peer.close();
    const invited = await ask('user.add', { user: newcomer, role: 'viewer' });
    this.learn(user, invited.result ? invited : await ask('user.reset', { user: newcomer }));
  }

  async #ask(peer: Peer, method: string, params: object = {}): Promise<Said> {
    const id = `keeper-${++this.#asked}`;
    const since = performance.now();
    peer.lines.length = 0;
    await peer.write(Buffer.from(line(id, method, params)));
    const isReply = (text: string) => text.includes(`"id":"${id}"`);
    if (!(await peer.until(() => peer.isClosed || peer.lines.some(isReply), hangMilliseconds))) {
      throw new Error(`${method} of somebody else is not answered within ${hangMilliseconds} ms.`);
    }
    const text = peer.lines.find(isReply);
    if (text === undefined) throw new Error(`The connection of somebody else was closed: ${peer.lines.join('\n')}`);
    // Only a server that has just begun loads the code that it works with.
    if (this.#pulse) assertSoon(`${method} of somebody else`, performance.now() - since);
    return judgeLine(text, () => undefined);
  }
}

/** The server that is shared, or one of one's own, which is then one's own to close. */
export async function openServer(shared: FuzzedServer | undefined) {
  if (shared) return { server: shared, closeServer: async () => undefined };
  const server = await FuzzedServer.open();
  return { server, closeServer: () => server.close() };
}
