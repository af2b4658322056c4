import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Failure } from '../model/failure.ts';
import { opsConnectionsMax, opsHeaderBytesMax, opsMetricsMilliseconds, opsRequestSecondsMax } from '../model/limits.ts';
import type { Finding } from './readiness.ts';

/** Only programs on this machine may ask. */
const address = '127.0.0.1';

/** A page of another origin can make a browser ask here by a name of its own (DNS rebinding), but not by these. */
const ownHost = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i;

/** What the pages show. */
export interface OpsPages {
  /** Whether the server does anything at all; false asks a supervisor to start it anew. */
  readonly isAlive: () => Promise<boolean>;
  readonly findings: () => Promise<readonly Finding[]>;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly onError: (error: unknown) => void;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly type?: string;
}

/**
 * The port for whoever watches over the server: `/livez`, `/readyz` and `/metrics`, over plain HTTP on the loopback
 * address. Whatever its peers do, what they occupy is bounded: 256 connections of which an idle one makes room, 4 KiB and 2 s
 * for a request, no bodies.
 */
export class OpsServer {
  readonly #server: Server;
  readonly #pages: OpsPages;
  readonly #sockets = new Set<Socket>();
  /** Since when those who have asked are being answered. */
  readonly #asked = new Map<Socket, number>();
  #metrics: { readonly at: number; readonly text: Promise<string> } | undefined;

  private constructor(server: Server, pages: OpsPages) {
    this.#server = server;
    this.#pages = pages;
    server.on('connection', (socket) => this.#admit(socket));
    server.on('request', (request, response) => void this.#respond(request, response));
    server.on('clientError', (_error, socket) => socket.destroy());
    // Nobody gets another protocol here, nor is told to go on with a body.
    for (const event of ['upgrade', 'connect', 'checkContinue', 'checkExpectation'] as const) {
      server.on(event, (request: IncomingMessage) => request.socket.destroy());
    }
  }

  /** Failures: `conflict` when the port is taken, `bad-params` when it cannot be listened on. */
  static async open(port: number, pages: OpsPages): Promise<OpsServer> {
    const server = createServer({
      maxHeaderSize: opsHeaderBytesMax,
      headersTimeout: opsRequestSecondsMax * 1000,
      requestTimeout: opsRequestSecondsMax * 1000,
      keepAliveTimeout: opsRequestSecondsMax * 1000,
      connectionsCheckingInterval: 500,
    });
    const ops = new OpsServer(server, pages);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(explainOpsError(error, port)));
      server.listen({ host: address, port }, resolve);
    });
    server.on('error', pages.onError);
    return ops;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #admit(socket: Socket): void {
    const others = this.#sockets.size < opsConnectionsMax ? [] : [...this.#sockets];
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#asked.delete(socket);
    });
    // A Set keeps the order of arrival. An honest probe asks long before it is the oldest, and takes its answer.
    const longAgo = performance.now() - opsRequestSecondsMax * 1000;
    const victim = others.find((one) => (this.#asked.get(one) ?? Number.NEGATIVE_INFINITY) < longAgo) ?? others[0];
    victim?.destroy();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#asked.set(request.socket, performance.now());
    response.once('close', () => this.#asked.delete(request.socket));
    const { status, text, type } = await this.#answer(request).catch((error: unknown): Answer => {
      this.#pages.onError(error);
      return { status: 500, text: 'internal error\n' };
    });
    const hasBody =
      request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
    response.writeHead(status, {
      'content-type': type ?? 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(hasBody || status >= 400 ? { connection: 'close' } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : text);
    if (hasBody) response.once('finish', () => request.socket.destroySoon()); // Nothing here reads one.
  }

  async #answer({ method, url = '', headers }: IncomingMessage): Promise<Answer> {
    if (!ownHost.test(headers.host ?? '')) return { status: 421, text: 'ask for 127.0.0.1 or localhost\n' };
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: 'only GET\n' };
    const [path, query] = url.split('?', 2);
    if (path === '/livez') return (await this.#pages.isAlive()) ? { status: 200, text: 'ok\n' } : notAlive;
    if (path === '/readyz') return formatFindings(await this.#pages.findings(), isVerbose(query));
    if (path === '/metrics') {
      return { status: 200, text: await this.#metricsText(), type: this.#pages.metrics.contentType };
    }
    return { status: 404, text: 'there are /livez, /readyz?verbose and /metrics\n' };
  }

  /** Once for all who ask within a moment: writing it out takes longer than all else here. */
  #metricsText(): Promise<string> {
    const at = performance.now();
    if (!this.#metrics || at - this.#metrics.at >= opsMetricsMilliseconds) {
      this.#metrics = { at, text: this.#pages.metrics.text() };
    }
    return this.#metrics.text;
  }
}

const notAlive: Answer = { status: 503, text: 'the store does not answer\n' };

function isVerbose(query: string | undefined): boolean {
  return new URLSearchParams(query).has('verbose');
}

function formatFindings(findings: readonly Finding[], verbose: boolean): Answer {
  const failed = findings.filter(({ problem }) => problem !== undefined);
  const shown = verbose ? findings : failed;
  const lines = shown.map(({ name, problem }) => (problem === undefined ? `[+] ${name}` : `[-] ${name}: ${problem}`));
  const summary = failed.length === 0 ? 'ready' : 'not ready';
  return { status: failed.length === 0 ? 200 : 503, text: `${[...lines, summary].join('\n')}\n` };
}

function explainOpsError(error: Error, port: number): Failure {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new Failure('conflict', `Port ${port} on ${address}, which is ops.port, is in use.`, {
      hint: 'Choose another port, or 0 for none: SECURE_INV_OPS_PORT=0 npm start',
    });
  }
  const hint = code === 'EACCES' ? 'Use a port above 1023.' : 'Choose another ops.port, or 0 for none.';
  return new Failure('bad-params', `Cannot listen on ${address}, ops.port ${port}: ${error.message}.`, { hint });
}
