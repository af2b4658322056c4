/**
 * Every way a request can fail: one row a code. `rpc` is the JSON-RPC error number (null: found by the client
 * itself, never on the wire), `exit` the status of `secure-inv`, `closes` whether the server ends the connection.
 */
export const failures = {
  'bad-frame': { rpc: -32700, exit: 2, closes: true },
  'bad-request': { rpc: -32600, exit: 2, closes: true },
  'unknown-command': { rpc: -32601, exit: 1, closes: false },
  'bad-params': { rpc: -32602, exit: 1, closes: false },
  internal: { rpc: -32603, exit: 2, closes: false },
  'login-required': { rpc: 1001, exit: 3, closes: false },
  'session-expired': { rpc: 1002, exit: 3, closes: false },
  'login-failed': { rpc: 1003, exit: 3, closes: false },
  forbidden: { rpc: 1004, exit: 4, closes: false },
  'not-found': { rpc: 1005, exit: 5, closes: false },
  conflict: { rpc: 1006, exit: 5, closes: false },
  'out-of-stock': { rpc: 1007, exit: 5, closes: false },
  busy: { rpc: 1008, exit: 7, closes: false },
  'going-away': { rpc: 1009, exit: 7, closes: true },
  'certificate-refused': { rpc: 1010, exit: 6, closes: true },
  storage: { rpc: 1011, exit: 7, closes: false },
  unconfirmed: { rpc: 1012, exit: 7, closes: false },
  unreachable: { rpc: null, exit: 6, closes: false },
  untrusted: { rpc: null, exit: 6, closes: false },
} as const satisfies Record<string, { rpc: number | null; exit: number; closes: boolean }>;

export type FailureCode = keyof typeof failures;

/** Why a client certificate was refused. */
export type RefusalReason =
  | 'revoked'
  | 'expired'
  | 'not-yet-valid'
  | 'wrong-purpose'
  | 'unknown-authority'
  | 'no-user-name'
  | 'unknown-user'
  | 'revocation-list'
  | 'unverifiable';

export interface FailureDetails {
  /** What to do next: a sentence or a command. */
  readonly hint?: string | undefined;
  /** Seconds after which the same request may succeed. */
  readonly retryAfter?: number | undefined;
  readonly reason?: RefusalReason | undefined;
  /** Names the line of the server's log that holds the cause. */
  readonly request?: string | undefined;
}

/** A refusal meant for the caller: nothing in it is secret. Anything else that is thrown is a bug. */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly details: FailureDetails;

  constructor(code: FailureCode, message: string, details: FailureDetails = {}) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.details = details;
  }
}

/** The code behind a JSON-RPC error number, if it is one of ours. */
export function parseFailureCode(code: unknown): FailureCode | undefined {
  return typeof code === 'string' && Object.hasOwn(failures, code)
    ? (code as FailureCode) // The line above found it among the keys.
    : undefined;
}
