/** A running server that does the measured job. */
export interface Peer {
  readonly name: string;
  readonly pid: number;
  readonly target: LoadTarget;
  /** How many adds it has counted so far: the ledger's or the stream's size. */
  counted(): Promise<number>;
}

/** What the load generator needs to know of a peer; the lines of the two protocols are in load.ts. */
export interface LoadTarget {
  readonly protocol: 'secure-inv' | 'redis';
  readonly port: number;
  /** The authority of its certificate, PEM. */
  readonly ca: string;
  /** The access token or the password. */
  readonly secret: string;
  /** Redis: the SHA-1 of the script that does the job. */
  readonly script?: string;
}

/** One round, as the load generator is told. */
export interface LoadJob {
  readonly target: LoadTarget;
  readonly connections: number;
  /** Requests that each connection keeps in flight. */
  readonly depth: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** What the load generator answers: first that it begins to count, then what it counted. */
export type LoadNews =
  | 'counting'
  | {
      readonly adds: number;
      readonly seconds: number;
      /** Its own user and system time meanwhile, in microseconds. */
      readonly processorTime: number;
    };
