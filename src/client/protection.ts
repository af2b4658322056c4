import type { TLSSocket } from 'node:tls';

/** How a connection is protected, as this end knows it. */
export interface Protection {
  readonly protocol: string;
  readonly cipher: string;
  /** The group that the keys were agreed on in, or `unknown` where this Node.js does not tell. */
  readonly keyExchange: string;
  /** Whether who records the connection now needs more than a quantum computer later; null: not known. */
  readonly postQuantum: boolean | null;
}

const unknown = 'unknown';

type Handshake = Pick<TLSSocket, 'getEphemeralKeyInfo' | 'getProtocol' | 'getCipher'>;

/** What was agreed on in the handshake of an open connection. */
export function protectionOf(socket: Handshake): Protection {
  const key = socket.getEphemeralKeyInfo() ?? {};
  const group = 'name' in key && typeof key.name === 'string' && key.name !== '' ? key.name : undefined;
  return {
    protocol: socket.getProtocol() ?? unknown,
    cipher: socket.getCipher()?.standardName ?? unknown,
    keyExchange: group ?? unknown,
    // Every group with a lattice in it has ML-KEM (FIPS 203) in its name: X25519MLKEM768, SecP256r1MLKEM768, MLKEM1024.
    postQuantum: group === undefined ? null : /MLKEM/i.test(group),
  };
}
