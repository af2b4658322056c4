import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { formatAddress } from '../model/enrolment-link.ts';
import { Failure } from '../model/failure.ts';
import { lineBytesMax } from '../model/limits.ts';
import { LineDecoder } from '../wire/frame.ts';
import { alpnProtocol, formatRequest, type Notification, parseFromServer, type Request } from '../wire/message.ts';
import { type Protection, protectionOf } from './protection.ts';

/** Where a server is, whom to trust there, and what to show it. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** The authorities that may have signed the server's certificate, PEM. */
  readonly ca: string;
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
}

/** A page of 1,000 rows is longer than any request. */
const replyBytesMax = 64 * lineBytesMax;
const connectSeconds = 10;
const replySeconds = 60;
/** The server closes after 5 minutes of silence; a program that keeps a connection keeps it by asking. */
const pingSeconds = 60;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (failure: Failure) => void;
}

/** Is given what a server says unasked, and how many bytes it said. */
export type OnNotification = (notification: Notification, bytes: number) => void;

/** One connection to a server whose certificate was verified. Requests are pipelined and may be answered in any order. */
export class ClientConnection {
  readonly #socket: TLSSocket;
  readonly #address: string;
  readonly #decoder = new LineDecoder();
  readonly #pending = new Map<number, Pending>();
  readonly #pinging: NodeJS.Timeout;
  readonly #onNotification: OnNotification;
  /** Resolves with the reason when the connection has ended. */
  readonly ended: Promise<Failure>;
  #settleEnded: (failure: Failure) => void = () => undefined;
  /** Runs while anything is waited for, for whoever has waited longest; what is pipelined is answered one after another. */
  readonly #patience: NodeJS.Timeout;
  #lastId = 0;
  #ended: Failure | undefined;

  private constructor(socket: TLSSocket, address: string, onNotification: OnNotification) {
    this.#socket = socket;
    this.#address = address;
    this.#onNotification = onNotification;
    // Node.js 20 has no Promise.withResolvers.
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    socket.setNoDelay(true);
    // Any request puts the next ping off, and a ping alone keeps no program alive.
    this.#pinging = setInterval(() => void this.request('ping', {}).catch(() => undefined), pingSeconds * 1000).unref();
    // Not the socket's silence: a server that says other things without end has not answered either.
    this.#patience = setInterval(() => {
      // Silence between requests is nobody's fault, and what is not read may hold the answer.
      if (this.#pending.size === 0 || socket.isPaused()) return;
      this.#end(unreachable(address, `did not answer for ${replySeconds} s`));
    }, replySeconds * 1000).unref();
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#end(unreachable(address, `was lost (${reasonOf(error)})`)));
    socket.on('close', () => this.#end(unreachable(address, 'closed the connection')));
  }

  /**
   * `onNotification` is given what the server says unasked. Failures: `unreachable`, `untrusted`. Under TLS 1.3 the server
   * judges our certificate only after this resolves.
   */
  static async open(endpoint: Endpoint, onNotification: OnNotification = () => undefined): Promise<ClientConnection> {
    const { host, port, ca, certificate } = endpoint;
    const socket = await openSocket(host, port, { ca, ...certificate });
    return new ClientConnection(socket, formatAddress(host, port), onNotification);
  }

  /** False once the connection has ended; what was asked before may have happened or not. */
  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /** Whether what arrives is taken. While it is not, it waits at the server. */
  set isReading(isReading: boolean) {
    if (isReading) this.#socket.resume();
    else this.#socket.pause();
  }

  get protection(): Protection {
    return protectionOf(this.#socket);
  }

  /** Sends one request and resolves with its result. Failures: the server's, `bad-params` of what is no JSON, or `unreachable`. */
  async request(method: string, params: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.#ended) throw this.#ended;
    const id = ++this.#lastId;
    const line = formatOrRefuse({ id, method, params }); // Before anything waits for it: what cannot be sent is not answered.
    this.#pinging.refresh();
    if (this.#pending.size === 0) this.#patience.refresh();
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      // What is asked in one turn leaves in one write, and so in one round trip.
      this.#socket.cork();
      this.#socket.write(line);
      process.nextTick(() => this.#socket.uncork());
    });
  }

  close(): void {
    this.#end(new Failure('unreachable', 'This connection was closed by its own side.'));
  }

  #receive(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk);
      for (let line = this.#decoder.next(replyBytesMax); line; line = this.#decoder.next(replyBytesMax)) {
        this.#settle(line);
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#end(unreachable(this.#address, 'does not speak our protocol'));
    }
  }

  #settle(line: Uint8Array): void {
    const reply = parseFromServer(line);
    if ('method' in reply) {
      this.#onNotification(reply, line.length);
      return;
    }
    if (reply.id === null) {
      this.#end('failure' in reply ? reply.failure : unreachable(this.#address, 'answered nobody'));
      return;
    }
    const pending = this.#pending.get(Number(reply.id));
    if (!pending) return;
    if (Number(reply.id) === this.#pending.keys().next().value) this.#patience.refresh();
    this.#pending.delete(Number(reply.id));
    if ('failure' in reply) pending.reject(reply.failure);
    else pending.resolve(reply.result);
  }

  #end(failure: Failure): void {
    if (this.#ended) return;
    this.#ended = failure;
    clearInterval(this.#pinging);
    clearInterval(this.#patience);
    this.#socket.destroy();
    for (const { reject } of this.#pending.values()) reject(failure);
    this.#pending.clear();
    this.#settleEnded(failure);
  }
}

/** The authority a server shows of itself, unverified. */
export interface ShownAuthority {
  readonly pem: string;
  /** SHA-256 of the DER, base64url as in an enrolment link. */
  readonly fingerprint: string;
  /** The same as `openssl x509 -fingerprint -sha256` writes it. */
  readonly shownFingerprint: string;
}

/**
 * First contact: takes the authority out of the chain that the server sends, and sends nothing. Whoever uses it compares
 * its fingerprint with one known from elsewhere, and then connects again, verified. Failures: `unreachable`, `untrusted`.
 */
export async function fetchAuthority(host: string, port: number): Promise<ShownAuthority> {
  const socket = await openSocket(host, port, { rejectUnauthorized: false });
  let certificate = socket.getPeerCertificate(true);
  socket.destroy();
  // A self-signed certificate is its own issuer. The bound is against a chain made to be long.
  for (let depth = 0; depth < 4 && certificate.issuerCertificate; depth++) {
    if (certificate.issuerCertificate === certificate) break;
    certificate = certificate.issuerCertificate;
  }
  const authority = new X509Certificate(certificate.raw);
  if (!authority.ca) {
    throw new Failure('untrusted', `The server at ${formatAddress(host, port)} does not show its authority.`, {
      hint: 'Ask the operator for server-ca.pem and use --ca FILE.',
    });
  }
  return {
    pem: authority.toString(),
    fingerprint: fingerprintOf(authority.toString()),
    shownFingerprint: authority.fingerprint256,
  };
}

/** SHA-256 of a certificate's DER, base64url as in an enrolment link. Failures: `bad-params` when `what` is no certificate. */
export function fingerprintOf(pem: string, what = 'The authority'): string {
  try {
    return createHash('sha256').update(new X509Certificate(pem).raw).digest('base64url');
  } catch {
    throw new Failure('bad-params', `${what} is not a certificate in a PEM file.`, {
      hint: 'Log in again, with the server-ca.pem that the operator has: secure-inv login --ca FILE',
    });
  }
}

interface Trust {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: boolean;
}

async function openSocket(host: string, port: number, trust: Trust): Promise<TLSSocket> {
  const address = formatAddress(host, port);
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const opening = connectOrRefuse({
      host,
      port,
      ...trust,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [alpnProtocol],
      // A server name is never an address (RFC 6066 section 3); addresses are checked against the certificate all the same.
      servername: isIP(host) ? '' : host,
    });
    const fail = (failure: Failure) => {
      opening.destroy();
      reject(failure);
    };
    opening.setTimeout(connectSeconds * 1000, () =>
      fail(unreachable(address, `did not answer for ${connectSeconds} s`)),
    );
    opening.once('error', (error) => fail(explainConnectError(error, host, address)));
    opening.once('secureConnect', () => {
      opening.setTimeout(0);
      opening.removeAllListeners('error');
      opening.removeAllListeners('timeout');
      resolve(opening);
    });
  });
  if (socket.alpnProtocol === alpnProtocol) return socket;
  socket.destroy();
  throw unreachable(address, 'is not a secure-inv server');
}

/** Before anything is sent, Node reads the certificates and keys it was given, and throws what it thinks of them. */
function connectOrRefuse(options: ConnectionOptions): TLSSocket {
  try {
    return connect(options);
  } catch (error) {
    if (!(error instanceof Error && 'library' in error)) throw error;
    const isMismatch = 'reason' in error && error.reason === 'key values mismatch';
    throw isMismatch
      ? new Failure('bad-params', 'The key does not belong to the certificate.', { hint: 'See --cert and --key.' })
      : new Failure('bad-params', 'The certificate, its key or the authority is not a PEM file.', {
          hint: 'See --cert, --key and --ca.',
        });
  }
}

/** JSON has no 5n and no circles, and a `toJSON` may throw what it likes. */
function formatOrRefuse(request: Request): string {
  try {
    return formatRequest(request);
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Failure('bad-params', `The parameters of ${request.method} cannot be written as JSON (${why}).`);
  }
}

function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

function unreachable(address: string, what: string): Failure {
  return new Failure('unreachable', `The server at ${address} ${what}.`, {
    hint: 'Is it running (npm start), and is the address right?',
  });
}

function explainConnectError(error: Error, host: string, address: string): Failure {
  const code = reasonOf(error);
  const plain: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'is not there: the connection was refused',
    ENOTFOUND: 'cannot be found: there is no such name',
    EAI_AGAIN: 'cannot be found: names are not resolved at the moment',
    EHOSTUNREACH: 'cannot be reached: there is no way to that host',
    ENETUNREACH: 'cannot be reached: there is no way to that network',
    ECONNRESET: 'closed the connection during the TLS handshake',
  };
  const known = plain[code];
  if (known) return unreachable(address, known);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new Failure('untrusted', `The certificate of ${address} is not for that name.`, {
      hint: `Use the name the operator gave you, or have the operator run: npm run gen-certs -- --force --host ${host}`,
    });
  }
  if (/CERT|ISSUER|SIGN|VERIFY/.test(code)) {
    const expired = code === 'CERT_HAS_EXPIRED';
    const why = expired ? 'has expired' : 'is not signed by the authority you trust';
    return new Failure('untrusted', `The certificate of ${address} ${why}.`, {
      hint: expired
        ? 'The operator renews it: npm run gen-certs -- --force'
        : `Somebody else may be answering. If the operator made new authorities, log in again: secure-inv login --server ${address} --fingerprint …`,
    });
  }
  if (/SSL|TLS|PROTO|EPROTO/.test(code)) return unreachable(address, 'does not speak TLS 1.3 as secure-inv does');
  return unreachable(address, `cannot be reached (${code})`);
}
