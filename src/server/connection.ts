import type { TLSSocket } from 'node:tls';
import type { WatchWish } from '../command/command.ts';
import { importAccept } from '../command/import/accept.ts';
import { importBegin } from '../command/import/begin.ts';
import { importPage } from '../command/import/page.ts';
import { Failure, failures } from '../model/failure.ts';
import {
  enrolmentSecondsMax,
  idleSecondsMax,
  jsonValuesMax,
  jsonValuesMaxBeforeLogin,
  lineBytesMax,
  lineSecondsMax,
  loginSecondsMax,
  requestsInFlightMax,
  silentPeerMillisecondsMax,
  unreadReplySecondsMax,
} from '../model/limits.ts';
import { may } from '../model/user.ts';
import { lineTooLong } from '../wire/frame.ts';
import { formatReply, parseRequest, type Reply, type Request } from '../wire/message.ts';
import { type Caller, changesOf, dispatch, isLong, restOf, type Services, shareOf, weightOf } from './dispatch.ts';
import type { Done, Turn } from './fair-share.ts';
import { Incoming } from './incoming.ts';
import { Outgoing } from './outgoing.ts';
import type { Watches } from './watches.ts';

/** A peer that does not close after our last word is cut off. */
const lingerMilliseconds = 1000;
/** Whoever watches may go without a word for as long as nothing happens: this is how a peer that vanished is found out. */
const keepAliveMilliseconds = 60_000;

/**
 * One client's socket: the only place that touches its events. Bytes go in, the decoder makes lines of them, `dispatch`
 * makes replies of those, and bytes go out. Whatever the peer does, what it can occupy here is bounded: before login
 * one request and 4 KiB, after it 256 requests; then the socket is not read, so the peer feels it and memory does not.
 * How long a line may be, and how much may lie unread, say `incoming.ts` and `outgoing.ts`.
 */
export class Connection {
  readonly #socket: TLSSocket;
  readonly #caller: Caller;
  readonly #services: Services;
  readonly #watches: Watches;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  readonly #since = performance.now();
  /** Requests without an answer, each by its weight. */
  #inFlight = 0;
  /** A line waits for its user's turn. */
  #isWaiting = false;
  #forgetAsked: (() => void) | undefined;
  #isPumping = false;
  #ending: 'no' | 'drain' | 'yes' = 'no';
  /** What is said at the end of a drain. */
  #lastWord: Failure | undefined;
  /** The peer will ask no more, and still reads: `printf … | openssl s_client` does. */
  #isHalfClosed = false;
  #hasBegunImport = false;
  #deadline: NodeJS.Timeout | undefined;
  #deadlineSeconds = 0;
  /** Asked for, and begun when the reply to that is on its way. */
  #wish: WatchWish | undefined;
  #endWatch: (() => void) | undefined;

  constructor(socket: TLSSocket, peer: Pick<Caller, 'identity' | 'source'>, services: Services, watches: Watches) {
    this.#socket = socket;
    this.#caller = {
      ...peer,
      watch: (wish) => this.#watch(wish),
    };
    this.#services = services;
    this.#watches = watches;
    const { identity } = this.#caller;
    this.#incoming = new Incoming(
      {
        isLoggedIn: () => this.isLoggedIn,
        userId: () => identity.userId,
        mayImport: () => this.#mayImport,
        isOpen: () => this.#isOpen,
        onTurn: () => this.#pump(),
        onLate: () => this.#lineIsLate(),
      },
      services.longLines,
    );
    this.#outgoing = new Outgoing(socket, {
      isLoggedIn: () => this.isLoggedIn,
      isWatching: () => this.#endWatch !== undefined,
      tooSlow: () => this.#tooSlow(),
    });
    socket.setNoDelay(true);
    socket.allowHalfOpen = true; // Who has sent everything may say so and still gets every reply.
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.#halfClosed());
    socket.on('drain', () => this.#drained());
    socket.on('error', () => socket.destroy()); // A broken record or a reset: nothing to say to such a peer.
    socket.on('close', () => this.#closed());
    this.#setDeadline();
  }

  /** Whether this peer has shown who it is. */
  get isLoggedIn(): boolean {
    return this.#caller.identity.isLoggedIn;
  }

  /** Whether this peer takes one of the places of those who have not shown who they are. */
  get isStranger(): boolean {
    return this.#ending === 'no' && !this.isLoggedIn;
  }

  /** Whether this peer waits for nothing, and is not choosing a password. */
  get isIdle(): boolean {
    return !this.#isBusy && !this.#caller.identity.isEnrolling;
  }

  /** Whether this peer has not been here for long enough to ask for something. */
  get isNew(): boolean {
    return performance.now() - this.#since <= silentPeerMillisecondsMax;
  }

  /** The id of the user whose connection this is, so far as somebody has proven that, and for as long as it is to stay. */
  get userId(): number | undefined {
    return this.#ending === 'no' ? this.#caller.identity.userId : undefined;
  }

  /** IP address. */
  get source(): string {
    return this.#caller.source;
  }

  /**
   * Closes if this peer's access was ended, or its certificate is not good any more. What is in flight was allowed, and
   * is answered before; what was not begun is not done.
   */
  recheck(): void {
    if (this.#ending !== 'no') return;
    try {
      this.#caller.identity.assertNotEnded();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { source } = this.#caller;
      const { reason } = error.details;
      this.#services.log[reason ? 'warn' : 'info']({ source, reason }, 'connection cut off');
      const actor = { user: null, credential: null, source };
      if (reason) {
        this.#services.audit.refused({ event: 'certificate-refused', actor, subject: null, detail: reason });
      }
      this.#finish(error);
    }
  }

  /** Answers what is in flight, says going-away, and closes. */
  drain(): void {
    if (this.#ending !== 'no') return;
    this.#finish(new Failure('going-away', 'The server is shutting down. Try again in a moment.', { retryAfter: 2 }));
  }

  /** Says why and closes. */
  refuse(failure: Failure): void {
    this.#send({ id: null, failure });
    this.#end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #watch(wish: WatchWish): void {
    if (this.#wish) {
      throw new Failure('conflict', 'This connection watches already.', { hint: 'Open another one.' });
    }
    this.#wish = wish;
  }

  #beginWatch(): void {
    if (!this.#wish || this.#endWatch || this.#ending !== 'no') return;
    this.#socket.setKeepAlive(true, keepAliveMilliseconds);
    const socket = this.#socket;
    this.#endWatch = this.#watches.add(
      {
        principal: () => this.#caller.identity.principal(),
        get takesMore() {
          return !socket.writableNeedDrain;
        },
        push: (lines) => this.#push(lines),
        finish: (failure) => this.#finish(failure),
      },
      this.#wish,
    );
  }

  #push(lines: string): void {
    if (this.#ending === 'no') this.#outgoing.push(lines);
  }

  /** The reason stands behind what is unread: whoever goes on reading soon finds it. */
  #tooSlow(): void {
    if (!this.#endWatch) {
      this.destroy();
      return;
    }
    this.#services.log.info({ source: this.source }, 'watcher cut off: it does not read');
    const why = `Movements were not read for ${unreadReplySecondsMax} s.`;
    const failure = new Failure('going-away', why, { hint: 'Watch again, after the last one that you have.' });
    this.#send({ id: null, failure });
    this.#end(unreadReplySecondsMax * 1000);
  }

  #receive(chunk: Buffer): void {
    if (this.#ending === 'yes') return;
    this.#incoming.push(chunk);
    this.#pump();
  }

  #halfClosed(): void {
    this.#isHalfClosed = true;
    this.#pump();
  }

  #pump(): void {
    if (this.#isPumping) return; // A line whose turn came at once.
    this.#isPumping = true;
    this.#takeLines();
    this.#isPumping = false;
  }

  /** Takes as many lines as may be in flight. Not reading while lines wait is what bounds the decoder's buffer. */
  #takeLines(): void {
    while (this.#ending === 'no') {
      const isFull = this.#inFlight >= this.#inFlightMax || this.#outgoing.isTooMuch;
      if (this.#isWaiting || this.#incoming.isWaiting || isFull) {
        this.#incoming.stopClock();
        this.#socket.pause();
        return;
      }
      const line = this.#nextLine();
      if (this.#incoming.isWaiting) continue;
      if (line) {
        this.#incoming.stopClock();
        this.#ask(line);
      } else if (this.#ending === 'no') {
        if (this.#isHalfClosed && this.#inFlight === 0) this.#end();
        else {
          this.#socket.resume();
          this.#incoming.awaitRest();
        }
        return;
      }
    }
    if (this.#ending === 'drain' && this.#lastWord && this.#inFlight === 0) this.refuse(this.#lastWord);
  }

  #lineIsLate(): void {
    const why = `A line was not there within ${lineSecondsMax} s of its beginning.`;
    this.refuse(new Failure('going-away', why, { hint: 'Connect again.' }));
  }

  #finish(lastWord: Failure): void {
    this.#endWatch?.();
    this.#ending = 'drain';
    this.#lastWord = lastWord;
    this.#socket.pause(); // What comes now is not looked at any more.
    this.#pump();
  }

  #nextLine(): Uint8Array | undefined {
    try {
      return this.#incoming.next();
    } catch (error) {
      return this.#refuseLine(error);
    }
  }

  /** Strangers have no share: they are few, and ask for one small thing at a time. */
  #ask(line: Uint8Array): void {
    const { userId } = this.#caller.identity;
    const { shares } = this.#services;
    this.#isWaiting = true;
    if (userId === undefined) this.#read(line)?.start(() => undefined);
    else this.#forgetAsked = shares.ask(userId, () => this.#read(line));
  }

  /** What was not begun when its connection ended is not done: it may not be allowed any more, and nobody reads the reply. */
  #read(line: Uint8Array): Turn | undefined {
    if (!this.#isOpen) return undefined;
    try {
      const request = parseRequest(line, this.isLoggedIn ? jsonValuesMax : jsonValuesMaxBeforeLogin);
      if (line.length > lineBytesMax && request.method !== importPage.name) throw lineTooLong(lineBytesMax);
      const weight = weightOf(request, line.length);
      const start = (done: Done) => {
        this.#isWaiting = false;
        if (!this.#isOpen) return done();
        this.#answer(request, weight, done);
        this.#pump();
      };
      return { weight: shareOf(request, weight), changes: changesOf(request), isLong: isLong(request), start };
    } catch (error) {
      return this.#refuseLine(error);
    }
  }

  /** Where one line ends and the next begins is no longer certain, so there is nothing to go on with. */
  #refuseLine(error: unknown): undefined {
    if (!(error instanceof Failure)) throw error;
    this.refuse(error);
  }

  #answer(request: Request, weight: number, done: Done): void {
    this.#inFlight += weight;
    const isLook = request.method === importAccept.name;
    if (isLook) done();
    const replied = isLook ? this.#look(request) : dispatch(request, this.#caller, this.#services);
    void replied.then((reply) => {
      this.#inFlight -= weight;
      if (!isLook) done(isLong(request) ? restOf(request, reply) : undefined);
      this.#send(reply);
      if (request.method === importBegin.name && 'result' in reply) this.#hasBegunImport = true;
      this.#setDeadline();
      this.#beginWatch();
      if (this.#mustEnd(reply)) return this.#end();
      // What failed may have been a login that ended the one before, during which this connection was let be.
      if ('failure' in reply) this.recheck();
      this.#pump();
    });
  }

  /** A look at an import may take minutes, and lets everybody go between, also its user: of their share it takes nothing. */
  #look(request: Request): Promise<Reply> {
    const ask = () => dispatch(request, this.#caller, this.#services);
    const { userId } = this.#caller.identity;
    if (userId === undefined) return ask();
    return new Promise((resolve) => {
      const start = (done: Done) => {
        void ask().then((reply) => {
          this.#socket.off('close', forget);
          done();
          resolve(reply);
        });
      };
      const forget = this.#services.looks.ask(userId, () => ({ weight: 1, changes: 0, isLong: true, start }));
      this.#socket.once('close', forget);
    });
  }

  #mustEnd(reply: Reply): boolean {
    if (!('failure' in reply)) return false;
    return failures[reply.failure.code].closes || this.#caller.identity.isWornOut;
  }

  #send(reply: Reply): void {
    if (this.#ending !== 'yes') this.#outgoing.add(formatReply(reply));
  }

  #drained(): void {
    this.#outgoing.forgetUnread();
    if (this.#endWatch) this.#watches.wake();
    this.#pump();
  }

  /** Says goodbye, then reads and drops for a moment: closing on unread bytes would reset our last reply away. */
  #end(milliseconds = lingerMilliseconds): void {
    if (this.#ending === 'yes') return;
    this.#endWatch?.();
    this.#outgoing.flush();
    this.#ending = 'yes';
    this.#socket.resume();
    this.#socket.end();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#socket.destroy(), milliseconds);
  }

  /**
   * Gives each state its time: to log in (counted from the handshake, whatever is asked meanwhile), to choose a first
   * password, to be silent once logged in (counted from the last reply).
   */
  #setDeadline(): void {
    if (this.#ending === 'yes') return;
    const { isEnrolling } = this.#caller.identity;
    const seconds = this.isLoggedIn ? idleSecondsMax : isEnrolling ? enrolmentSecondsMax : loginSecondsMax;
    if (seconds === this.#deadlineSeconds) {
      if (this.isLoggedIn) this.#deadline?.refresh();
      return;
    }
    clearTimeout(this.#deadline);
    this.#deadlineSeconds = seconds;
    this.#deadline = setTimeout(() => this.#late(), seconds * 1000);
  }

  #late(): void {
    if (this.#isBusy || this.#endWatch) {
      this.#deadline?.refresh();
      return;
    }
    const why = this.isLoggedIn ? `Nothing was asked for ${idleSecondsMax} s.` : 'Nobody logged in in time.';
    this.refuse(new Failure('going-away', why, { hint: 'Connect again.' }));
  }

  #closed(): void {
    this.#endWatch?.();
    clearTimeout(this.#deadline);
    this.#outgoing.forgetUnread();
    this.#forgetAsked?.();
    this.#incoming.close();
    this.#ending = 'yes';
    this.#caller.identity.close();
  }

  get #isBusy(): boolean {
    return this.#inFlight > 0 || this.#isWaiting || this.#incoming.isWaiting;
  }

  get #isOpen(): boolean {
    return this.#ending === 'no' && !this.#socket.destroyed;
  }

  get #inFlightMax(): number {
    return this.isLoggedIn ? requestsInFlightMax : 1;
  }

  /** Long lines are for who may import, and has begun to. */
  get #mayImport(): boolean {
    if (!this.#hasBegunImport) return false;
    const principal = this.#caller.identity.known();
    return principal !== undefined && may(principal, 'stock:import');
  }
}
