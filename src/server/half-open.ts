import type { Socket } from 'node:net';
import {
  clientHelloBytesMin,
  halfOpenPeersHardMax,
  halfOpenPeersMax,
  halfOpenPeersPerAddressMax,
  handshakeSecondsMax,
  silentPeerMillisecondsMax,
} from '../model/limits.ts';

interface Peer {
  readonly socket: Socket;
  readonly address: string;
  readonly since: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * The peers between TCP accept and the end of the TLS handshake. Node's own handshake timer leaves sockets open, so each
 * has a timer here. Past the limits, peers that sent no ClientHello for 250 ms make room; one whose ClientHello arrived
 * keeps its time, so that an honest burst gets in past any number of silent or dripping peers.
 */
export class HalfOpenPeers {
  readonly #onCut: (reason: 'timeout' | 'crowd') => void;
  readonly #peers = new Map<string, Peer>();
  readonly #ofAddress = new Map<string, number>();

  /** `onCut` is called for each peer that is destroyed here, because of its time or of too many others. */
  constructor(onCut: (reason: 'timeout' | 'crowd') => void) {
    this.#onCut = onCut;
  }

  get size(): number {
    return this.#peers.size;
  }

  admit(socket: Socket): void {
    const address = socket.remoteAddress;
    const key = keyOf(socket);
    if (address === undefined || key === undefined) {
      socket.destroy(); // Gone before we looked.
      return;
    }
    const timer = setTimeout(() => {
      this.#onCut('timeout');
      socket.destroy();
    }, handshakeSecondsMax * 1000);
    this.#peers.set(key, { socket, address, since: performance.now(), timer });
    this.#ofAddress.set(address, (this.#ofAddress.get(address) ?? 0) + 1);
    socket.once('close', () => this.#remove(key));
    this.#makeRoom(address);
    // Too many came at once and all are young: those who then stay silent go when their time is up.
    if (this.#isCrowded(address)) setTimeout(() => this.#makeRoom(address), silentPeerMillisecondsMax + 1).unref();
  }

  /** The handshake is done: the peer is somebody else's concern. */
  complete(socket: Ends): void {
    const key = keyOf(socket);
    if (key !== undefined) this.#remove(key);
  }

  destroyAll(): void {
    for (const { socket } of this.#peers.values()) socket.destroy();
  }

  #isCrowded(address: string): boolean {
    return this.#peers.size > halfOpenPeersMax || (this.#ofAddress.get(address) ?? 0) > halfOpenPeersPerAddressMax;
  }

  #makeRoom(address: string): void {
    // Oldest first: a Map keeps the order of arrival.
    for (const [key, peer] of this.#peers) {
      if (!this.#isCrowded(address)) return;
      if (this.#peers.size > halfOpenPeersHardMax) {
        this.#cut(key, peer);
        continue;
      }
      if (performance.now() - peer.since < silentPeerMillisecondsMax) return;
      const counts = this.#peers.size > halfOpenPeersMax || peer.address === address;
      if (counts && peer.socket.bytesRead < clientHelloBytesMin) {
        this.#cut(key, peer);
      }
    }
  }

  #cut(key: string, { socket }: Peer): void {
    this.#onCut('crowd');
    socket.destroy();
    this.#remove(key);
  }

  #remove(key: string): void {
    const peer = this.#peers.get(key);
    if (!peer) return;
    clearTimeout(peer.timer);
    this.#peers.delete(key);
    const left = (this.#ofAddress.get(peer.address) ?? 1) - 1;
    if (left === 0) this.#ofAddress.delete(peer.address);
    else this.#ofAddress.set(peer.address, left);
  }
}

/** What the raw socket and the TLS socket around it have in common. */
interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
}

/** Our own address belongs to it: from one port a peer can connect to each address that this machine has. */
function keyOf({ remoteAddress, remotePort, localAddress }: Ends): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort} ${localAddress}`;
}
