import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { TestServer } from './server.ts';

/** A reply as it stands on the wire. */
export interface WireReply {
  readonly id: number | string | null;
  readonly result?: Record<string, unknown>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data: {
      readonly code: string;
      readonly hint?: string;
      readonly reason?: string;
      readonly retryAfter?: number;
    };
  };
}

/** A client that knows TLS and lines and nothing of ours, so that it can say what our own client never would. */
export class WireClient {
  readonly socket: TLSSocket;
  readonly closed: Promise<void>;
  #text = '';
  #id = 0;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      this.#text += chunk;
      socket.emit('reply-text');
    });
  }

  static async open(
    { port, ca }: Pick<TestServer, 'port' | 'ca'>,
    options: ConnectionOptions = {},
    whenDone: (clean: () => void) => void = onTestFinished,
  ): Promise<WireClient> {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca,
      servername: '',
      ALPNProtocols: ['secure-inv/1'],
      ...options,
    });
    whenDone(() => void socket.destroy());
    await once(socket, 'secureConnect');
    return new WireClient(socket);
  }

  /** Writes these bytes as they are. */
  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next line that arrives; undefined when the server closed instead. */
  async reply(): Promise<WireReply | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n');
      if (end !== -1) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return JSON.parse(line);
      }
      if (this.socket.destroyed || this.socket.readableEnded) return undefined;
      // A lost connection is no error of the test: it is what some of them are about.
      await Promise.race([once(this.socket, 'reply-text').catch(() => undefined), this.closed]);
    }
  }

  /** The next lines that arrive, fewer when the server closed instead. */
  async replies(count: number): Promise<WireReply[]> {
    const replies: WireReply[] = [];
    while (replies.length < count) {
      const reply = await this.reply();
      if (!reply) break;
      replies.push(reply);
    }
    return replies;
  }

  /** Asks and waits for the next reply. */
  async ask(method: string, params: unknown = {}): Promise<WireReply | undefined> {
    this.write(line(++this.#id, method, params));
    return this.reply();
  }
}

/** A request as it stands on the wire. */
export function line(id: number | string, method: string, params: unknown = {}): string {
  return `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
}

export const testPassword = 'Plenty-long-passphrase-71';

/** Enrolls the first administrator on a connection, which is theirs afterwards; the reply's result has the tokens. */
export async function enrollAdministrator(
  server: Pick<TestServer, 'port' | 'ca' | 'link'>,
  client?: WireClient,
): Promise<Record<string, string>> {
  const connection = client ?? (await WireClient.open(server));
  await connection.ask('enroll', { code: server.link().code });
  const reply = await connection.ask('enroll', { password: testPassword });
  return reply?.result as Record<string, string>; // What a login gives is text.
}

/** Has an administrator add a user, who enrolls on a connection of their own, which is returned with what it was granted. */
export async function enrollUser(
  server: Pick<TestServer, 'port' | 'ca'>,
  administrator: WireClient,
  user: string,
  role: string,
  options: ConnectionOptions = {},
): Promise<{ client: WireClient; grant: Record<string, string> }> {
  const added = await administrator.ask('user.add', { user, role });
  const client = await WireClient.open(server, options);
  await client.ask('enroll', { code: added?.result?.['code'] });
  const enrolled = await client.ask('enroll', { password: testPassword });
  return { client, grant: enrolled?.result as Record<string, string> }; // As above.
}

/** A connection that an access token logged in. */
export async function openAs(
  server: Pick<TestServer, 'port' | 'ca'>,
  token: string | undefined,
  options: ConnectionOptions = {},
): Promise<WireClient> {
  const client = await WireClient.open(server, options);
  await client.ask('authenticate', { token });
  return client;
}
