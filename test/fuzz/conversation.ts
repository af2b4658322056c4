import type { Command } from '../../src/command/command.ts';
import { findCommand } from '../../src/command/index.ts';
import { Failure, failures, parseFailureCode } from '../../src/model/failure.ts';
import { lineBytesMax, lineBytesMaxBeforeLogin } from '../../src/model/limits.ts';
import { LineDecoder } from '../../src/wire/frame.ts';
import { parseRequest } from '../../src/wire/message.ts';
import { line } from '../support/wire-client.ts';
import type { FuzzedServer, State } from './fuzzed-server.ts';
import type { Peer } from './peer.ts';
import { againIfSlow, answerMillisecondsMax, assertSoon, hangMilliseconds } from './slow.ts';
import { judgeLine, type Said } from './verdict.ts';

const last = 'the-last-one';
/** All that is done for somebody who has not logged in, and where users are known by certificate, for whoever shows none. */
const doneForStrangers = new Set(['hello', 'ping', 'login', 'enroll', 'refresh', 'authenticate']);
const doneWithoutCertificate = new Set(['hello', 'enroll', 'logout', 'cert.challenge', 'cert.request']);
const ending = new Set(['session-expired', 'login-required', 'login-failed']);
const lastLine = Buffer.from(line(last, 'ping'));
const newline = Buffer.from('\n');
const nothing = Buffer.of();

/** What must be answered to some bytes, by the parts of the server that are pure. */
interface Expected {
  readonly ids: readonly (string | number)[];
  readonly commands: ReadonlyMap<string | number, Command | undefined>;
  /** Whether the bytes stop being lines and requests somewhere. */
  readonly isBad: boolean;
}

function expectedOf(bytes: Uint8Array, bytesMax: number): Expected {
  const decoder = new LineDecoder();
  const ids: (string | number)[] = [];
  const commands = new Map<string | number, Command | undefined>();
  decoder.push(bytes);
  try {
    for (let one = decoder.next(bytesMax); one; one = decoder.next(bytesMax)) {
      const { id, method } = parseRequest(one);
      commands.set(id, commands.has(id) || ids.includes(id) ? undefined : findCommand(method));
      ids.push(id);
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { ids, commands, isBad: true };
  }
  return { ids, commands, isBad: false };
}

/**
 * The connection on which an actor sends one input after the other, until an input ends it or changes who it is: then the
 * next comes over a new one.
 */
export class Conversation {
  readonly #server: FuzzedServer;
  readonly #state: State;
  readonly #actor: string;
  #peer: Peer | undefined;
  #pushed = 0;

  /** Before login, too, inputs show what the actor has: it is then that tokens are judged. */
  constructor(server: FuzzedServer, state: State, actor: string) {
    this.#server = server;
    this.#state = state;
    this.#actor = actor;
  }

  /**
   * Sends the bytes and a ping behind them, and judges all that is answered. What is answered late is sent again on a
   * connection of its own before it counts as slow: the machine may have been busy with something else.
   */
  async say(bytes: Buffer, cuts: readonly number[] = []): Promise<readonly Said[]> {
    try {
      return await againIfSlow(() => this.#saySoon(bytes, cuts));
    } catch (error) {
      this.close(); // What is under way there is not for the next input.
      throw error;
    }
  }

  close(): void {
    this.#peer?.close();
    this.#peer = undefined;
  }

  get #isNobody(): boolean {
    return this.#state === 'before login';
  }

  async #saySoon(bytes: Buffer, cuts: readonly number[]): Promise<readonly Said[]> {
    const { said, milliseconds } = await this.#exchange(bytes, cuts);
    if (milliseconds > answerMillisecondsMax) this.close();
    assertSoon('The answer', milliseconds);
    return said;
  }

  async #open(): Promise<Peer> {
    if (this.#peer && !this.#peer.isClosed) return this.#peer;
    this.#peer = await this.#server.connectIn(this.#state, this.#actor);
    this.#pushed = 0;
    return this.#peer;
  }

  async #exchange(given: Buffer, cuts: readonly number[]) {
    const peer = await this.#open();
    const filled = this.#server.fill(given, this.#actor);
    // Whatever is open at its end ends there, so that the ping is a line of its own.
    const bytes = Buffer.concat([filled, filled.length === 0 || filled.at(-1) === 0x0a ? nothing : newline, lastLine]);
    const expected = expectedOf(bytes, this.#isNobody ? lineBytesMaxBeforeLogin : lineBytesMax);
    const since = performance.now();
    await peer.write(bytes, cuts);
    const said: Said[] = [];
    let read = 0;
    let missing = expected.isBad ? Number.POSITIVE_INFINITY : expected.ids.length;
    const isDone = () => {
      for (; read < peer.lines.length; read++) {
        const one = this.#judge(peer.lines[read] ?? '', expected);
        said.push(one);
        // What is said without a request is the last word; the end comes right behind it.
        if (one.id === null) missing = Number.POSITIVE_INFINITY;
        else if (one.id !== undefined) missing--;
      }
      return missing <= 0 || peer.isClosed;
    };
    const isAnswered = await peer.until(isDone, hangMilliseconds);
    peer.lines.splice(0, read);
    const milliseconds = performance.now() - since;
    if (!isAnswered) throw new Error(`${missing} answers are missing after ${hangMilliseconds} ms.`);
    this.#settle(said, expected, peer);
    return { said, milliseconds };
  }

  #judge(text: string, { commands }: Expected): Said {
    const one = judgeLine(text, (id) => (id === null ? undefined : commands.get(id)));
    if (one.seq === undefined) return one;
    if (this.#isNobody || one.seq <= this.#pushed) throw new Error(`Movement ${one.seq} is pushed amiss.`);
    this.#pushed = one.seq;
    return one;
  }

  /** Each request has its one answer, or the last answer says why there are no more. */
  #settle(said: readonly Said[], { ids, commands, isBad }: Expected, peer: Peer): void {
    const replies = said.filter(({ id }) => id !== undefined);
    if (this.#isNobody) this.#assertShut(replies, commands);
    for (const one of replies) this.#server.learn(this.#actor, one);
    const unanswered = [...ids];
    for (const { id } of replies) {
      if (id === null || id === undefined) continue;
      const at = unanswered.indexOf(id);
      if (at === -1) throw new Error(`${id} is answered, but was not asked.`);
      unanswered.splice(at, 1);
    }
    const final = replies.at(-1);
    const code = parseFailureCode(final?.code);
    const mayClose = final?.id === null || (code && (failures[code].closes || code === 'login-failed'));
    if (peer.isClosed && !mayClose) {
      throw new Error(`Closed without a reason; the last answer: ${JSON.stringify(final)}`);
    }
    if (!peer.isClosed && (isBad || unanswered.length > 0)) {
      throw new Error(`Not closed, and without an answer: ${JSON.stringify(unanswered)}`);
    }
    // Whoever logged in, or lost their login, is not where this conversation is to be held; and the third login that
    // fails ends a connection, perhaps after the ping was answered.
    const isElsewhere = replies.some(({ code, result = {} }) =>
      this.#isNobody
        ? 'role' in result
        : (code !== undefined && ending.has(code)) || ('expiresAt' in result && 'user' in result),
    );
    if (peer.isClosed || isElsewhere) this.close();
  }

  /** Nothing else is done for a stranger, until one of the answers says that they are one no more. */
  #assertShut(replies: readonly Said[], commands: Expected['commands']): void {
    const isMutual = this.#server.mode === 'mutual';
    const done = isMutual ? doneWithoutCertificate : doneForStrangers;
    for (const { id, result } of replies) {
      const command = typeof id === 'string' || typeof id === 'number' ? commands.get(id) : undefined;
      if (result && command && !done.has(command.name)) throw new Error(`${command.name} is done before login.`);
      if (result && 'role' in result && !isMutual) return; // Which opens nothing where a certificate is all that counts.
    }
  }
}
