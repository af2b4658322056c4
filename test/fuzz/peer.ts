import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

/** One end of a TLS connection that writes any bytes and hands over whole lines. */
export class Peer {
  readonly raw: Socket;
  readonly socket: TLSSocket;
  readonly lines: string[] = [];
  isClosed = false;
  #text = '';
  #wake: () => void = () => undefined;

  private constructor(raw: Socket, socket: TLSSocket) {
    this.raw = raw;
    this.socket = socket;
    raw.on('error', () => undefined);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    for (const end of ['end', 'close']) socket.on(end, () => this.#closed());
    raw.on('close', () => this.#closed());
  }

  /** Rejects when the handshake fails. */
  static async open(
    { port, ca }: { readonly port: number; readonly ca: string },
    options: ConnectionOptions = {},
    localAddress?: string,
  ): Promise<Peer> {
    const raw = connectTcp({ host: '127.0.0.1', port, noDelay: true, ...(localAddress ? { localAddress } : {}) });
    const socket = connect({ socket: raw, ca, servername: '', ALPNProtocols: ['secure-inv/1'], ...options });
    try {
      const gone = once(raw, 'close').then(() => Promise.reject(new Error('closed during the handshake')));
      gone.catch(() => undefined);
      await Promise.race([once(socket, 'secureConnect'), gone]);
    } catch (error) {
      raw.destroy();
      throw error;
    }
    return new Peer(raw, socket);
  }

  /** Writes the bytes in pieces that end at these places. */
  async write(bytes: Uint8Array, cuts: readonly number[] = []): Promise<void> {
    let from = 0;
    for (const cut of [...cuts].sort((a, b) => a - b)) {
      if (cut <= from || cut >= bytes.length) continue;
      this.socket.write(bytes.subarray(from, cut));
      from = cut;
      await turn();
    }
    this.socket.write(bytes.subarray(from));
  }

  /** Whether this came to hold within the time; looked at whenever a line comes, or the end. */
  async until(holds: () => boolean, milliseconds: number): Promise<boolean> {
    const late = performance.now() + milliseconds;
    while (!holds()) {
      const left = late - performance.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }

  close(): void {
    this.socket.destroy();
    this.raw.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#text += chunk.toString('utf8');
    const lines = this.#text.split('\n');
    this.#text = lines.pop() ?? '';
    this.lines.push(...lines);
    this.#wake();
  }

  #closed(): void {
    this.isClosed = true;
    this.#wake();
  }
}
