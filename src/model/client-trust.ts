/** What client certificates that TLS has accepted are judged by, also after the connection was made. */
export interface ClientTrust {
  /** The client authority, by its SHA-256 fingerprint. */
  readonly authority: string;
  /** Serials that it took back, in lower-case hex. */
  readonly revoked: ReadonlySet<string>;
  /** The number of the list that says so; a later list has a higher one. */
  readonly listNumber: bigint;
  /** When that list ends, and with it the trust in any client certificate: milliseconds since 1970. */
  readonly listExpiresAt: number;
}
