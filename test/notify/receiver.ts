import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { temporaryFolder } from '../support/server.ts';

/** A request as it arrived. */
export interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (response: ServerResponse, received: Received) => void;

export const ok: Answer = (response) => void response.writeHead(204).end();

/** A status, and anything else that goes before the answer's body. */
export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end('not read');

/** Takes what is signed under the secret, as src/wire/README.md tells receivers to verify it, and answers 401 to the rest. */
export const verifying =
  (secret: string): Answer =>
  (response, { headers, body }) => {
    const [, seconds = '', mac = ''] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['secure-inv-signature'])) ?? [];
    const expected = createHmac('sha256', secret).update(`${seconds}.${body}`).digest();
    const given = Buffer.from(mac, 'hex');
    const isRight = given.length === expected.length && timingSafeEqual(given, expected);
    const isFresh = Math.abs(Number(seconds) * 1000 - Date.now()) < 300_000;
    response.writeHead(isRight && isFresh ? 204 : 401).end();
  };

/** A real HTTPS server of somebody else, with a certificate of an authority of its own. */
export class Receiver {
  readonly received: Received[] = [];
  /** The authority, a PEM file. */
  readonly caFile: string;
  readonly port: number;
  /** The most requests that were under way at the same moment. */
  inFlightMax = 0;
  answer: Answer = ok;
  #inFlight = 0;
  readonly #credentials: { readonly cert: string; readonly key: string };
  #server: Server | undefined;

  private constructor(caFile: string, port: number, credentials: { readonly cert: string; readonly key: string }) {
    this.caFile = caFile;
    this.port = port;
    this.#credentials = credentials;
  }

  /** Listening, until the test is finished, with a certificate that was issued at this time. */
  static async open(issuedAt = Date.now()): Promise<Receiver> {
    const folder = await temporaryFolder();
    await makeServerCertificates(folder, { hosts: [] }, issuedAt);
    const read = (file: string) => readFile(join(folder, file), 'utf8');
    const credentials = { cert: await read('server.pem'), key: await read('server-key.pem') };
    const probe = await listen(createServer(credentials), 0);
    const address = probe.address();
    await closeServer(probe);
    const port = typeof address === 'object' && address ? address.port : 0;
    const receiver = new Receiver(join(folder, 'server-ca.pem'), port, credentials);
    await receiver.start();
    onTestFinished(() => receiver.stop());
    return receiver;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}/hook?key=hush-hush-hush`;
  }

  get ids(): readonly unknown[] {
    return this.received.map(({ headers }) => headers['secure-inv-delivery']);
  }

  get items(): readonly unknown[] {
    return this.received.map(({ body }) => JSON.parse(body).item);
  }

  get seqs(): readonly unknown[] {
    return this.received.map(({ body }) => JSON.parse(body).seq);
  }

  /** Listens again, on the same port. */
  async start(): Promise<void> {
    const server = createServer(this.#credentials, (request, response) => void this.#take(request, response));
    this.#server = await listen(server, this.port);
  }

  /** Refuses connections from now on. */
  async stop(): Promise<void> {
    if (this.#server) await closeServer(this.#server);
    this.#server = undefined;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.inFlightMax = Math.max(this.inFlightMax, ++this.#inFlight);
    response.once('close', () => this.#inFlight--);
    const chunks: Buffer[] = [];
    request.on('error', () => undefined).on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(request, 'end');
    const { method, url, headers } = request;
    const received = { method, url, headers, body: Buffer.concat(chunks).toString() };
    this.received.push(received);
    this.answer(response, received);
  }
}

async function listen(server: Server, port: number): Promise<Server> {
  server.on('tlsClientError', () => undefined); // A sender that does not trust us is what some tests are about.
  server.listen(port, '0.0.0.0');
  await once(server, 'listening');
  return server;
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
