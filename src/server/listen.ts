import { constants } from 'node:crypto';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { PresentedCertificate } from '../auth/certificate.ts';
import type { Identity } from '../auth/identity.ts';
import { Failure } from '../model/failure.ts';
import { acceptBacklogMax, drainSecondsMax } from '../model/limits.ts';
import { alpnProtocol } from '../wire/message.ts';
import { BoundedLog } from './bounded-log.ts';
import { Connection } from './connection.ts';
import { chooseVictim } from './crowd.ts';
import type { Services } from './dispatch.ts';
import { HalfOpenPeers } from './half-open.ts';
import { Watches } from './watches.ts';

/** What TLS needs, in PEM. */
export interface ServerCredentials {
  readonly key: string;
  readonly cert: string;
  readonly clientAuthority: string;
  readonly revocationList: string;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
}

/**
 * The whole option set, for the first context and for every later one: left out of a swap, `minVersion` and
 * `secureOptions` silently bring back TLS 1.2 and resumption. Sessions are never resumed, because a resumed one carries
 * yesterday's verdict on a certificate.
 */
function tlsOptions(credentials: ServerCredentials, asksForCertificate: boolean): TlsOptions {
  return {
    key: credentials.key,
    cert: credentials.cert,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
    ALPNProtocols: [alpnProtocol],
    // A refusal at this level would tell neither side why; it is decided, and explained, once TLS stands.
    rejectUnauthorized: false,
    requestCert: asksForCertificate,
    ...(asksForCertificate ? { ca: credentials.clientAuthority, crl: credentials.revocationList } : {}),
  };
}

/** Accepts TLS connections and hands each one that may stay to a `Connection`. */
export class Listener {
  readonly #server: Server;
  readonly #services: Services;
  readonly #halfOpen = new HalfOpenPeers((reason) => this.#cutOff(reason));
  /** Peers that were cut off during the handshake: each is one more failed handshake for TLS, and was counted. */
  #cuts = 0;
  readonly #connections = new Set<Connection>();
  readonly #strangerLog: BoundedLog;
  readonly #watches: Watches;
  #rechecking: NodeJS.Immediate | undefined;

  private constructor(server: Server, services: Services) {
    this.#server = server;
    this.#services = services;
    this.#strangerLog = new BoundedLog(services.log, 'strangers');
    this.#watches = new Watches(services.store, services.log);
    server.on('connection', (raw: Socket) => this.#halfOpen.admit(raw));
    server.on('tlsClientError', (error, socket) => this.#handshakeFailed(error, socket));
    server.on('secureConnection', (socket) => this.#accept(socket));
    services.auth.accounts.onAccessEnded(() => this.#recheckSoon());
  }

  /** Failures: `conflict` when the port is taken, `bad-params` when the address cannot be listened on. */
  static async open({ host, port, credentials }: ListenOptions, services: Services): Promise<Listener> {
    const server = createServer(tlsOptions(credentials, services.auth.mode !== 'token'));
    const listener = new Listener(server, services);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(explainListenError(error, host, port)));
      server.listen({ host, port, backlog: acceptBacklogMax }, resolve);
    });
    // Without a listener an accept that fails later, for want of file descriptors, would end the process.
    server.on('error', (error) => services.log.error({ err: error }, 'cannot accept a connection'));
    return listener;
  }

  /** Takes other certificates for the connections to come, and judges those that are there by what holds now. */
  renew(credentials: ServerCredentials): void {
    this.#server.setSecureContext(tlsOptions(credentials, this.#services.auth.mode !== 'token'));
    this.#recheck();
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('The server does not listen on TCP.');
    return address.port;
  }

  /** How many peers there are, by how far they have come. Looks at each. */
  get crowd(): Readonly<Record<'handshake' | 'stranger' | 'user', number>> {
    let user = 0;
    for (const { isLoggedIn } of this.#connections) if (isLoggedIn) user++;
    return { handshake: this.#halfOpen.size, stranger: this.#connections.size - user, user };
  }

  /** How many peers are connected, logged in or not. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Stops accepting, lets everybody finish what is in flight, and cuts off who is not done after 10 s. */
  async drain(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#halfOpen.destroyAll();
    for (const connection of this.#connections) connection.drain();
    const cutOff = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, drainSecondsMax * 1000);
    await closed;
    clearTimeout(cutOff);
  }

  /** Closes the connections that rest on what does not hold any more. */
  #recheck(): void {
    for (const connection of this.#connections) connection.recheck();
  }

  /** In this turn of the event loop, and once for all that ends in it: there may be 10,000 connections to look at. */
  #recheckSoon(): void {
    this.#rechecking ??= setImmediate(() => {
      this.#rechecking = undefined;
      this.#recheck();
    });
  }

  #accept(socket: TLSSocket): void {
    this.#halfOpen.complete(socket);
    const source = socket.remoteAddress;
    if (source === undefined || socket.alpnProtocol !== alpnProtocol) {
      this.#strangerLog.tell('info', { source, alpn: socket.alpnProtocol }, 'closed: the peer speaks another protocol');
      this.#services.metrics?.handshakeFailed('other-protocol');
      socket.on('error', () => socket.destroy());
      socket.destroy();
      return;
    }
    const identity = this.#identify(socket, source);
    const isStranger = identity instanceof Failure;
    const caller = { identity: isStranger ? this.#services.identify(source, null) : identity, source };
    const connection = new Connection(socket, caller, this.#services, this.#watches);
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
    if (isStranger) {
      this.#strangerLog.tell('warn', { source, reason: identity.details.reason }, 'certificate refused');
      this.#auditRefusedCertificate(socket, source, identity);
      this.#services.metrics?.handshakeFailed(`certificate-${identity.details.reason ?? 'unverifiable'}`);
      connection.refuse(identity);
    } else {
      this.#makeRoom(connection);
    }
  }

  #identify(socket: TLSSocket, source: string): Identity | Failure {
    try {
      return this.#services.identify(source, presentedBy(socket));
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
  }

  #auditRefusedCertificate(socket: TLSSocket, source: string, { details }: Failure): void {
    // Twice the longest that is allowed: a peer's number can be of any length.
    const serial = socket.getPeerX509Certificate()?.serialNumber.toLowerCase().slice(0, 80);
    this.#services.audit.refused({
      event: 'certificate-refused',
      actor: { user: null, credential: null, source },
      subject: serial ?? null,
      detail: details.reason ?? null,
    });
  }

  #makeRoom(newcomer: Connection): void {
    const victim = chooseVictim(this.#connections, newcomer);
    if (!victim) return;
    this.#strangerLog.tell('warn', { source: victim.source }, 'connection refused: too many');
    victim.refuse(new Failure('busy', 'Too many connections. Try again in 10 s.', { retryAfter: 10 }));
  }

  #cutOff(reason: 'timeout' | 'crowd'): void {
    this.#cuts++;
    this.#services.metrics?.handshakeFailed(reason);
  }

  #handshakeFailed(error: Error, socket: TLSSocket): void {
    // Node leaves the socket open unless somebody destroys it.
    socket.destroy();
    const code = 'code' in error ? error.code : error.name;
    if (this.#cuts > 0 && code === 'ECONNRESET') this.#cuts--;
    else this.#services.metrics?.tlsFailed(code);
    this.#services.log.debug({ source: socket.remoteAddress, code }, 'TLS handshake failed');
  }
}

/** The certificate a peer showed, if it showed one. `authorized` alone proves nothing (security.md 1). */
function presentedBy(socket: TLSSocket): PresentedCertificate | null {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return null;
  const { authorized, authorizationError } = socket;
  return {
    certificate,
    authorizationError: authorized ? null : String(authorizationError ?? 'unknown'),
    sessionReused: socket.isSessionReused(),
  };
}

/** Whether a server could listen there now. Failures: as `Listener.open`. */
export async function assertCanListen(host: string, port: number): Promise<void> {
  const probe = createTcpServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (error) => reject(explainListenError(error, host, port)));
    probe.listen({ host, port }, () => probe.close(() => resolve()));
  });
}

function explainListenError(error: Error, host: string, port: number): Failure {
  const code = 'code' in error ? error.code : undefined;
  const where = `listen.host ${host}, listen.port ${port}`;
  if (code === 'EADDRINUSE') {
    return new Failure('conflict', `Port ${port} on ${host} is in use, perhaps by another secure-invd.`, {
      hint: 'Stop the other one, or choose another port: SECURE_INV_LISTEN_PORT=7444 npm start',
    });
  }
  if (code === 'EACCES') {
    return new Failure('bad-params', `This user may not listen there (${where}).`, { hint: 'Use a port above 1023.' });
  }
  return new Failure('bad-params', `Cannot listen there (${where}): ${error.message}.`, {
    hint: 'listen.host must be an address of this machine, such as 127.0.0.1 or 0.0.0.0.',
  });
}
