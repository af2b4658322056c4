import { Failure, type FailureDetails, failures, parseFailureCode, type RefusalReason } from '../model/failure.ts';
import { failureCharactersMax, jsonValuesMax, requestIdCharactersMax } from '../model/limits.ts';
import { makePrintable, printable } from '../model/printable.ts';
import { parseJson } from './json.ts';

/** The protocol's name in the TLS handshake (ALPN, RFC 7301). */
export const alpnProtocol = 'secure-inv/1';

export type RequestId = number | string;

/** One request line: JSON-RPC 2.0 with named parameters and an id. */
export interface Request {
  readonly id: RequestId;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** One reply line. The id is null when the request's own could not be read, or nothing was asked. */
export type Reply =
  | { readonly id: RequestId; readonly result: unknown }
  | { readonly id: RequestId | null; readonly failure: Failure };

/** What a server says unasked, on its own line: no reply belongs to it. */
export interface Notification {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

const memberNames = new Set(['jsonrpc', 'id', 'method', 'params']);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' ? value.length <= requestIdCharactersMax : Number.isSafeInteger(value);
}

function refuse(why: string): never {
  throw new Failure('bad-request', `One request object per line: ${why}.`);
}

/** The request in a line. Throws `bad-frame` (not JSON as we allow it) or `bad-request` (not a request). */
export function parseRequest(line: Uint8Array, valuesMax = jsonValuesMax): Request {
  const value = parseJson(line, valuesMax);
  if (Array.isArray(value)) refuse('an array is not one; write several lines instead');
  if (!isObject(value)) refuse('this is not an object');
  const { jsonrpc, id, method, params = {} } = value;
  if (jsonrpc !== '2.0') refuse('"jsonrpc" must be "2.0"');
  if (!isRequestId(id)) refuse(`"id" must be an integer or a string of at most ${requestIdCharactersMax} characters`);
  if (typeof method !== 'string') refuse('"method" must be a string');
  if (!isObject(params)) refuse('"params" must be an object');
  for (const name of Object.keys(value)) {
    if (!memberNames.has(name))
      refuse(`it has a member ${JSON.stringify(name.slice(0, 40))} that requests do not have`);
  }
  return { id, method, params };
}

/** The line of a request, with its newline. */
export function formatRequest(request: Request): string {
  return `${JSON.stringify({ jsonrpc: '2.0', ...request })}\n`;
}

/** The line of a reply, with its newline. */
export function formatReply(reply: Reply): string {
  if ('result' in reply) return `${JSON.stringify({ jsonrpc: '2.0', id: reply.id, result: reply.result })}\n`;
  return `${JSON.stringify({ jsonrpc: '2.0', id: reply.id, error: formatFailure(reply.failure) })}\n`;
}

/** The line of a notification, with its newline. */
export function formatNotification({ method, params }: Notification): string {
  return `${JSON.stringify({ jsonrpc: '2.0', method, params })}\n`;
}

/** The error object of a failure, as on the wire and as `--json` prints it. */
export function formatFailure(failure: Failure): unknown {
  return {
    code: failures[failure.code].rpc,
    message: printable(failure.message), // It may quote what was sent, and is read on a terminal.
    data: { code: failure.code, ...failure.details },
  };
}

/**
 * What a server says in a line. Throws `bad-frame` when it is neither a reply nor a notification. A server of ours sends no character that a terminal
 * obeys; what another one sends is made harmless here, before any program or person reads it.
 */
export function parseFromServer(line: Uint8Array): Reply | Notification {
  const value = makePrintable(parseJson(line));
  if (isObject(value)) {
    const { id, result, error, method, params = {} } = value;
    if (id === undefined && typeof method === 'string' && isObject(params)) return { method, params };
    if (isObject(error) && (id === null || isRequestId(id))) return { id, failure: parseFailure(error) };
    if (isRequestId(id) && result !== undefined) return { id, result };
  }
  throw new Failure('bad-frame', 'The server sent a line that is not a reply.');
}

function parseFailure(error: Record<string, unknown>): Failure {
  const data = isObject(error['data']) ? error['data'] : {};
  const text = (key: string) => textOf(data[key]);
  const details: FailureDetails = {
    hint: text('hint'),
    retryAfter: typeof data['retryAfter'] === 'number' ? data['retryAfter'] : undefined,
    reason: text('reason') as RefusalReason | undefined, // Shown, never decided upon; a newer server may know more.
    request: text('request'),
  };
  return new Failure(
    parseFailureCode(data['code']) ?? 'internal',
    textOf(error['message']) ?? 'The server refused, and did not say why.',
    details,
  );
}

/** What a server says may be anything, of any length; it is shown and kept. */
function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  return value.length > failureCharactersMax ? `${value.slice(0, failureCharactersMax)}…` : value;
}
