import type { TLSSocket } from 'node:tls';
import type { WatchWish } from '../command/command.ts';
import { importBegin } from '../command/import/begin.ts';
import { importPage } from '../command/import/page.ts';
import { Failure, failures } from '../model/failure.ts';
import {
  enrolmentSecondsMax,
  idleSecondsMax,
  importPageBytesMax,
  jsonValuesMax,
  jsonValuesMaxBeforeLogin,
  lineBytesMax,
  lineBytesMaxBeforeLogin,
  lineSecondsMax,
  loginSecondsMax,
  requestsInFlightMax,
  silentPeerMillisecondsMax,
  unreadReplyBytesMax,
  unreadReplyBytesMaxBeforeLogin,
  unreadReplySecondsMax,
} from '../model/limits.ts';
import { may } from '../model/user.ts';
import { LineDecoder, lineTooLong } from '../wire/frame.ts';
import { formatReply, parseRequest, type Reply, type Request } from '../wire/message.ts';
import { type Caller, dispatch, type Services, weightOf } from './dispatch.ts';
import type { Turn } from './fair-share.ts';
import type { Watches } from './watches.ts';

/** A peer that does not close after our last word is cut off. */
const lingerMilliseconds = 1000;
/** Whoever watches may go without a word for as long as nothing happens: this is how a peer that vanished is found out. */
const keepAliveMilliseconds = 60_000;

/**
 * One client's socket: the only place that touches its events. Bytes go in, the decoder makes lines of them, `dispatch`
 * makes replies of those, and bytes go out. Whatever the peer does, what it can occupy here is bounded: before login
 * one request and 4 KiB, after it 256 requests; then the socket is not read, so the peer feels it and memory does not.
 */
export class Connection {
  readonly #socket: TLSSocket;
  readonly #caller: Caller;
  readonly #services: Services;
  readonly #watches: Watches;
  readonly #decoder = new LineDecoder();
  readonly #since = performance.now();
  /** Requests without an answer, each by its weight. */
  #inFlight = 0;
  /** A line waits for its user's turn, or to get long; the decoder, which still holds it, is left alone until then. */
  #isWaiting = false;
  #isPumping = false;
  #outgoing = '';
  #ending: 'no' | 'drain' | 'yes' = 'no';
  /** What is said at the end of a drain. */
  #lastWord: Failure | undefined;
  /** The peer will ask no more, and still reads: `printf … | openssl s_client` does. */
  #isHalfClosed = false;
  #hasBegunImport = false;
  /** Lets another connection of this user have a long line; there while this one has one. */
  #endLongLine: (() => void) | undefined;
  /** By when a line that has begun must be there. */
  #lineDeadline: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #deadlineSeconds = 0;
  #unreadSince: NodeJS.Timeout | undefined;
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

  /** Whether this peer has been here for long enough to ask for something, and waits for nothing. */
  get isIdle(): boolean {
    const age = performance.now() - this.#since;
    return age > silentPeerMillisecondsMax && !this.#isBusy && !this.#caller.identity.isEnrolling;
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

  /** At once, so that what it costs is known to whoever pushes, and so is whether the socket takes more. */
  #push(lines: string): void {
    if (this.#ending !== 'no') return;
    this.#outgoing += lines;
    this.#flush();
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
    this.#decoder.push(chunk);
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
      const isFull = this.#inFlight >= this.#inFlightMax || this.#socket.writableLength > this.#unreadMax;
      if (this.#isWaiting || isFull) {
        this.#forgetLineDeadline();
        this.#socket.pause();
        return;
      }
      if (this.#decoder.held <= lineBytesMax) this.#forgetLongLine();
      else if (this.#mayBeginLongLine) this.#beginLongLine();
      if (this.#isWaiting) continue;
      const line = this.#nextLine();
      if (line) {
        this.#forgetLineDeadline();
        this.#ask(line);
      } else if (this.#ending === 'no') {
        if (this.#isHalfClosed && this.#inFlight === 0) this.#end();
        else this.#awaitRest();
        return;
      }
    }
    if (this.#ending === 'drain' && this.#lastWord && this.#inFlight === 0) this.refuse(this.#lastWord);
  }

  #awaitRest(): void {
    this.#socket.resume();
    if (this.#decoder.held === 0) return;
    this.#lineDeadline ??= setTimeout(() => {
      const why = `A line was not there within ${lineSecondsMax} s of its beginning.`;
      this.refuse(new Failure('going-away', why, { hint: 'Connect again.' }));
    }, lineSecondsMax * 1000);
  }

  #forgetLineDeadline(): void {
    clearTimeout(this.#lineDeadline);
    this.#lineDeadline = undefined;
  }

  /** One of each user's at a time, so that their memory does not grow with the connections that have begun an import. */
  #beginLongLine(): void {
    const { userId } = this.#caller.identity;
    if (userId === undefined) return;
    const { longLines } = this.#services;
    const weight = importPageBytesMax; // More than any share, so that it is alone.
    this.#isWaiting = true;
    longLines.ask(userId, () => {
      const start = () => {
        this.#isWaiting = false;
        this.#endLongLine = () => longLines.end(userId, weight);
        if (this.#isOpen) this.#pump();
        else this.#forgetLongLine();
      };
      return this.#isOpen ? { weight, start } : undefined;
    });
  }

  #forgetLongLine(): void {
    this.#endLongLine?.();
    this.#endLongLine = undefined;
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
      return this.#decoder.next(this.#lineMax);
    } catch (error) {
      return this.#refuseLine(error);
    }
  }

  /** Strangers have no share: they are few, and ask for one small thing at a time. */
  #ask(line: Uint8Array): void {
    const { userId } = this.#caller.identity;
    const { shares } = this.#services;
    this.#isWaiting = true;
    if (userId === undefined) this.#read(line, () => undefined)?.start();
    else shares.ask(userId, () => this.#read(line, (weight) => shares.end(userId, weight)));
  }

  /** What was not begun when its connection ended is not done: it may not be allowed any more, and nobody reads the reply. */
  #read(line: Uint8Array, done: (weight: number) => void): Turn | undefined {
    if (!this.#isOpen) return undefined;
    try {
      const request = parseRequest(line, this.isLoggedIn ? jsonValuesMax : jsonValuesMaxBeforeLogin);
      if (line.length > lineBytesMax && request.method !== importPage.name) throw lineTooLong(lineBytesMax);
      const weight = weightOf(request, line.length);
      const start = () => {
        this.#isWaiting = false;
        if (!this.#isOpen) return done(weight);
        this.#answer(request, weight, done);
        this.#pump();
      };
      return { weight, start };
    } catch (error) {
      return this.#refuseLine(error);
    }
  }

  /** Where one line ends and the next begins is no longer certain, so there is nothing to go on with. */
  #refuseLine(error: unknown): undefined {
    if (!(error instanceof Failure)) throw error;
    this.refuse(error);
  }

  #answer(request: Request, weight: number, done: (weight: number) => void): void {
    this.#inFlight += weight;
    void dispatch(request, this.#caller, this.#services).then((reply) => {
      this.#inFlight -= weight;
      done(weight);
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

  #mustEnd(reply: Reply): boolean {
    if (!('failure' in reply)) return false;
    return failures[reply.failure.code].closes || this.#caller.identity.isWornOut;
  }

  /** Replies that become ready together leave in one write, because each write is a TLS record and a system call. */
  #send(reply: Reply): void {
    if (this.#socket.destroyed || this.#ending === 'yes') return;
    if (this.#outgoing === '') setImmediate(() => this.#flush());
    this.#outgoing += formatReply(reply);
  }

  #flush(): void {
    const text = this.#outgoing;
    this.#outgoing = '';
    if (text === '' || this.#socket.destroyed || !this.#socket.writable) return;
    this.#socket.write(text);
    const isTooMuch = this.#socket.writableLength > this.#unreadMax;
    // Whoever watches is sent nothing until they have read, and would be waited for without end.
    if (!isTooMuch && !(this.#endWatch && this.#socket.writableNeedDrain)) return;
    if (!this.isLoggedIn) this.#socket.destroy();
    else this.#unreadSince ??= setTimeout(() => this.#tooSlow(), unreadReplySecondsMax * 1000);
  }

  #drained(): void {
    clearTimeout(this.#unreadSince);
    this.#unreadSince = undefined;
    if (this.#endWatch) this.#watches.wake();
    this.#pump();
  }

  /** Says goodbye, then reads and drops for a moment: closing on unread bytes would reset our last reply away. */
  #end(milliseconds = lingerMilliseconds): void {
    if (this.#ending === 'yes') return;
    this.#endWatch?.();
    this.#flush();
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
    clearTimeout(this.#unreadSince);
    this.#forgetLineDeadline();
    this.#forgetLongLine();
    this.#ending = 'yes';
    this.#caller.identity.close();
  }

  get #isBusy(): boolean {
    return this.#inFlight > 0 || this.#isWaiting;
  }

  get #isOpen(): boolean {
    return this.#ending === 'no' && !this.#socket.destroyed;
  }

  get #inFlightMax(): number {
    return this.isLoggedIn ? requestsInFlightMax : 1;
  }

  get #lineMax(): number {
    if (!this.isLoggedIn) return lineBytesMaxBeforeLogin;
    return this.#endLongLine ? importPageBytesMax : lineBytesMax;
  }

  /** Long lines are for who may import, and has begun to; that is asked only when so much has come that it matters. */
  get #mayBeginLongLine(): boolean {
    if (!this.#hasBegunImport || this.#endLongLine) return false;
    const principal = this.#caller.identity.known();
    return principal !== undefined && may(principal, 'stock:import');
  }

  get #unreadMax(): number {
    return this.isLoggedIn ? unreadReplyBytesMax : unreadReplyBytesMaxBeforeLogin;
  }
}
