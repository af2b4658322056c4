import type { TLSSocket } from 'node:tls';
import { unreadReplyBytesMax, unreadReplyBytesMaxBeforeLogin, unreadReplySecondsMax } from '../model/limits.ts';

/** Who is at the other end of a connection. */
export interface Reader {
  readonly isLoggedIn: () => boolean;
  readonly isWatching: () => boolean;
  /** Has left too much unread for too long. */
  readonly tooSlow: () => void;
}

/** What a connection sends, and how much of it may lie unread: little before login, and not for long after it. */
export class Outgoing {
  readonly #socket: TLSSocket;
  readonly #reader: Reader;
  #text = '';
  #unreadSince: NodeJS.Timeout | undefined;
  /** Once true for ever: what somebody asked for is still on its way when they log out, and so is the answer to that. */
  #wasLoggedIn = false;

  constructor(socket: TLSSocket, reader: Reader) {
    this.#socket = socket;
    this.#reader = reader;
  }

  /** Whether so much lies unread that nothing more is to be answered. */
  get isTooMuch(): boolean {
    const most = this.#wasLoggedIn ? unreadReplyBytesMax : unreadReplyBytesMaxBeforeLogin;
    return this.#socket.writableLength > most;
  }

  /** Replies that become ready together leave in one write, because each write is a TLS record and a system call. */
  add(text: string): void {
    if (this.#socket.destroyed) return;
    this.#wasLoggedIn ||= this.#reader.isLoggedIn();
    if (this.#text === '') setImmediate(() => this.flush());
    this.#text += text;
  }

  /** At once, so that what it costs is known to whoever pushes, and so is whether the socket takes more. */
  push(text: string): void {
    this.#text += text;
    this.flush();
  }

  flush(): void {
    const text = this.#text;
    this.#text = '';
    if (text === '' || this.#socket.destroyed || !this.#socket.writable) return;
    this.#socket.write(text);
    // Whoever watches is sent nothing until they have read, and would be waited for without end.
    if (!this.isTooMuch && !(this.#reader.isWatching() && this.#socket.writableNeedDrain)) return;
    if (!this.#wasLoggedIn) this.#socket.destroy();
    else this.#unreadSince ??= setTimeout(this.#reader.tooSlow, unreadReplySecondsMax * 1000);
  }

  /** All was read, or nobody reads any more. */
  forgetUnread(): void {
    clearTimeout(this.#unreadSince);
    this.#unreadSince = undefined;
  }
}
