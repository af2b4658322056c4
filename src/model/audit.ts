/**
 * What the audit log records besides stock, whose record is the movement itself. The first word is what it is about.
 * An event's name is a promise to whoever filters by it: never changed, only added to.
 */
export const auditEvents = [
  'login',
  'login-refused',
  'logout',
  'password-changed',
  'session-ended',
  'session-stolen',
  'link-opened',
  'link-refused',
  'user-added',
  'user-enrolled',
  'user-role-changed',
  'user-limited',
  'user-disabled',
  'user-enabled',
  'user-reset',
  'user-unlocked',
  'token-created',
  'token-revoked',
  'certificate-issued',
  'certificate-refused',
  'location-added',
  'location-renamed',
  'location-archived',
  'command-refused',
  'keys-rotated',
  'certificates-changed',
  'config-changed',
  'server-started',
  'server-stopped',
  'store-restored',
] as const;

export type AuditEvent = (typeof auditEvents)[number];

/** Who does something, and from where; null where nobody has proven who they are, or it is the server itself. */
export interface Actor {
  readonly user: string | null;
  /** As in the ledger: `session:ID`, `certificate:SERIAL`, … */
  readonly credential: string | null;
  /** The peer's IP address. */
  readonly source: string | null;
}

/** The server itself, or who works on its host. */
export const host: Actor = { user: null, credential: null, source: null };

/** Something that happened, to be written down. Nothing in it is secret. */
export interface AuditEntry extends Actor {
  readonly event: AuditEvent;
  /** Whom or what it was done to: most often a user's name. */
  readonly subject: string | null;
  /** What else there is to say, for people. */
  readonly detail: string | null;
  /** Milliseconds since 1970 in UTC. */
  readonly at: number;
}

/** An entry of the log; `count` of the same kind from one source in one minute share one. */
export interface AuditRecord extends AuditEntry {
  readonly id: number;
  readonly count: number;
}

/** Refusals of one kind from one source in one minute. The same `key` again replaces what it said before. */
export interface RefusalCount {
  readonly key: string;
  readonly entry: AuditEntry;
  readonly count: number;
}

export interface AuditQuery {
  readonly event?: AuditEvent | undefined;
  /** By this user or about them. */
  readonly user?: string | undefined;
  readonly source?: string | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Only records after this one, and then oldest first; without it newest first. */
  readonly after?: number | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}
