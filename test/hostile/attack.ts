/** What the attacker's process is told to do, to whom. */
export type Attack = { readonly port: number; readonly ca: string } & (
  | {
      /** As many connections as this say nothing, drip a ClientHello, or drip a request: a byte a second. */
      readonly kind: 'silent';
      readonly connections: number;
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
      readonly what: 'add' | 'delivery' | 'view' | 'ping';
      readonly token: string;
    }
  | {
      /** Connections that stay and do nothing; without tokens they do not even log in. */
      readonly kind: 'idle';
      readonly connections: number;
      readonly tokens: readonly string[];
    }
);

/** What it tells now and then: how many connections it has, and how much it has done. */
export interface Tally {
  readonly connections: number;
  readonly done: number;
}
