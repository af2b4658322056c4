/** What the attacker's process is told to do, to whom. */
export type Attack = { readonly port: number; readonly ca: string } & (
  | {
      /** As many connections as this say nothing, drip a ClientHello, or drip a request: a byte a second. */
      readonly kind: 'silent';
      readonly connections: number;
    }
  | {
      /** As many log in, with one token after the other, and say nothing or drip a request from then on. */
      readonly kind: 'silent members';
      readonly connections: number;
      readonly tokens: readonly string[];
    }
  | {
      /** Tries of wrong passwords, each on a new connection. */
      readonly kind: 'logins';
      readonly perSecond: number;
    }
  | {
      /** Connections that ask for long pages without end and read none. */
      readonly kind: 'unread';
      readonly connections: number;
      readonly token: string;
    }
  | {
      /** One user's connections, each with so many requests in flight. */
      readonly kind: 'flood';
      readonly connections: number;
      readonly depth: number;
      readonly what: Flooding;
      readonly token: string;
    }
  | {
      /** Connections that stay and do nothing; without tokens they do not even log in. */
      readonly kind: 'idle';
      readonly connections: number;
      readonly tokens: readonly string[];
    }
);

/** Valid requests of which there may be too many. */
export type Flooding = 'add' | 'delivery' | 'short delivery' | 'view' | 'search' | 'history' | 'import' | 'ping';

/** What it tells now and then, counted from its start. */
export interface Tally {
  /** Sockets that were dialed, each a new one, and those of them that reached the server. */
  readonly dialed: number;
  readonly reached: number;
  /** Those that are there now, and the most that ever were at once. */
  readonly connections: number;
  readonly most: number;
  /** What was answered. */
  readonly done: number;
}
