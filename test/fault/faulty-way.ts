import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What happens to one connection. Bytes are counted in the one direction that is meant. */
export type Mishap =
  | { readonly kind: 'none' }
  /** Each piece arrives later by so many milliseconds. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** Pieces of so many bytes at most, one a millisecond. */
  | { readonly kind: 'drip'; readonly bytes: number }
  /** Everything ends after so many bytes, by a reset or by an end. */
  | { readonly kind: 'cut'; readonly way: Direction; readonly after: number; readonly isReset: boolean }
  /** After so many bytes this direction ends while the other goes on. */
  | { readonly kind: 'half-close'; readonly way: Direction; readonly after: number }
  /** Whatever the client sends is also sent to the server on a second connection. */
  | { readonly kind: 'duplicate' };

export type Direction = 'to server' | 'to client';

/** A way to a server on which each connection meets with a mishap. */
export interface FaultyWay {
  readonly port: number;
  /** How many connections met with what. */
  readonly mishaps: ReadonlyMap<Mishap['kind'], number>;
  /** Resets every connection, so that new ones are made. */
  cut(): void;
}

/** Opens a way to wherever `target` says that the server is at that moment; `mishap` is asked for each connection. */
export async function openFaultyWay(target: () => number, mishap: () => Mishap): Promise<FaultyWay> {
  const sockets = new Set<Socket>();
  const mishaps = new Map<Mishap['kind'], number>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // What else happens to it follows from its close.
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const reach = () => keep(connect({ port: target(), host: '127.0.0.1', allowHalfOpen: true }));
  const server = createServer({ allowHalfOpen: true }, (client) => {
    keep(client);
    const met = mishap();
    mishaps.set(met.kind, (mishaps.get(met.kind) ?? 0) + 1);
    const upstream = reach();
    // Both directions have ended, or the connection broke: nothing is left of it on the other side either.
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
    carry(client, upstream, met, 'to server');
    carry(upstream, client, met, 'to client');
    if (met.kind === 'duplicate') {
      const twin = reach().resume();
      client.on('data', (bytes) => twin.write(bytes));
      client.once('close', () => twin.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  onTestFinished(() => {
    server.close();
    cut();
  });
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  return { port, mishaps, cut };
}

function carry(from: Socket, to: Socket, mishap: Mishap, way: Direction): void {
  let carried = 0;
  let queue = Promise.resolve();
  const later = (milliseconds: number, act: () => void) => {
    queue = queue.then(() => new Promise((resolve) => setTimeout(resolve, milliseconds))).then(act);
  };
  const write = (bytes: Buffer) => {
    if (to.writable && !to.write(bytes)) from.pause();
  };
  to.on('drain', () => from.resume());
  from.on('end', () => {
    if (mishap.kind === 'delay' || mishap.kind === 'drip') later(0, () => to.end());
    else to.end();
  });
  from.on('data', (bytes: Buffer) => {
    if (mishap.kind === 'delay') {
      later(mishap.milliseconds, () => write(bytes));
    } else if (mishap.kind === 'drip') {
      for (let at = 0; at < bytes.length; at += mishap.bytes) {
        later(1, () => write(bytes.subarray(at, at + mishap.bytes)));
      }
    } else if ((mishap.kind === 'cut' || mishap.kind === 'half-close') && mishap.way === way) {
      const room = mishap.after - carried;
      if (room > 0) write(bytes.subarray(0, room));
      if (bytes.length >= room) interrupt(from, to, mishap);
    } else {
      write(bytes);
    }
    carried += bytes.length;
  });
}

function interrupt(from: Socket, to: Socket, mishap: Extract<Mishap, { kind: 'cut' | 'half-close' }>): void {
  to.end();
  if (mishap.kind === 'half-close') return; // What comes now is read, and lost.
  if (mishap.isReset) {
    to.resetAndDestroy();
    from.resetAndDestroy();
  } else {
    from.end();
    from.destroySoon();
  }
}

/** A mishap by chance; a quarter of the connections meet with none. */
export function chooseMishap(chance: () => number): Mishap {
  const [way, after] = [chance() < 0.5 ? 'to server' : 'to client', Math.floor(300 + chance() ** 2 * 60_000)] as const;
  const kinds: readonly Mishap[] = [
    { kind: 'none' },
    { kind: 'none' },
    { kind: 'delay', milliseconds: 1 + Math.floor(chance() * 50) },
    { kind: 'drip', bytes: 64 + Math.floor(chance() * 512) },
    { kind: 'cut', way, after, isReset: chance() < 0.5 },
    { kind: 'cut', way, after, isReset: chance() < 0.5 },
    { kind: 'half-close', way, after },
    { kind: 'duplicate' },
  ];
  return kinds[Math.floor(chance() * kinds.length)] ?? { kind: 'none' };
}
