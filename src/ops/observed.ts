import type { FailureCode, RefusalReason } from '../model/failure.ts';

/** Every metric of ours begins so. */
export const prefix = 'secure_inv_';

/** What became of a request. */
export type CommandOutcome = 'ok' | FailureCode;

/** Why somebody could not show who they are. */
export type LoginProblem = 'password' | 'link' | 'token' | 'refresh-token' | 'too-many-tries';

/** Why a peer did not get as far as sending a request. */
export type HandshakeProblem =
  | 'timeout'
  | 'crowd'
  | 'reset'
  | 'not-tls'
  | 'version'
  | 'other-protocol'
  | 'alert'
  | 'other'
  | `certificate-${RefusalReason}`;

/** What metrics look up when they are asked for. Times are milliseconds. */
export interface Observed {
  readonly version: string;
  readonly startedAt: number;
  readonly now: () => number;
  readonly divergence: () => number;
  readonly connections: () => Readonly<Record<'handshake' | 'stranger' | 'user', number>>;
  readonly hashing: () => Readonly<Record<'running' | 'waiting', number>>;
  readonly certificateEnds: () => readonly { readonly file: string; readonly at: number }[];
  readonly storeBytes: () => Promise<Readonly<Record<'database' | 'log', number>>>;
  readonly diskFree: () => Promise<number>;
  /** When the last backup was made; null when none is known. */
  readonly backupAt: () => Promise<number | null>;
  readonly isReady: () => Promise<boolean>;
}

/** OpenSSL has hundreds of codes, and a peer can cause many: they are told apart no further than an operator would. */
export function handshakeProblem(code: unknown): HandshakeProblem {
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'reset';
  if (typeof code !== 'string') return 'other';
  if (/^ERR_SSL_(HTTP_REQUEST|WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/.test(code)) return 'not-tls';
  if (/^ERR_SSL_(UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|NO_SHARED_CIPHER)$/.test(code)) return 'version';
  if (code === 'ERR_SSL_NO_APPLICATION_PROTOCOL') return 'other-protocol';
  return code.includes('_ALERT_') ? 'alert' : 'other';
}
