import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { Attack, Tally } from './attack.ts';

const addresses = 200;
const redialMilliseconds = 1000;

let trusting: SecureContext | undefined;
const counted = { dialed: 0, reached: 0, connections: 0, most: 0, done: 0 };

/** What this process has done so far. */
export function tally(): Tally {
  return { ...counted };
}

/** Counts requests that were answered. */
export function countDone(more = 1): void {
  counted.done += more;
}

/** Limits for each address are no hindrance to somebody who has many. */
export function dial(port: number): Socket {
  counted.dialed++;
  const localAddress = process.platform === 'linux' ? { localAddress: `127.2.${counted.dialed % addresses}.1` } : {};
  const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true, ...localAddress });
  socket.on('error', () => undefined);
  socket.once('connect', () => {
    counted.reached++;
    counted.most = Math.max(counted.most, ++counted.connections);
    socket.once('close', () => counted.connections--);
  });
  return socket;
}

/** The same with TLS on it, which may not have shaken hands yet. */
export function dialTls({ port, ca }: Pick<Attack, 'port' | 'ca'>): TLSSocket {
  // Made once, because reading the authority takes longer than all the rest of a dial.
  trusting ??= createSecureContext({ ca });
  const socket = connectTls({
    socket: dial(port),
    secureContext: trusting,
    servername: '',
    ALPNProtocols: ['secure-inv/1'],
  });
  socket.on('error', () => undefined);
  return socket;
}

/** Calls again and again, whenever the last try has ended, for as long as this process lives. */
export function insist(open: () => Socket): void {
  const socket = open();
  socket.once('close', () => setTimeout(() => insist(open), redialMilliseconds));
}
