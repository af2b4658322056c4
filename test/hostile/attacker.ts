import { randomUUID } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { formatRequest } from '../../src/wire/message.ts';
import type { Attack, Tally } from './attack.ts';

// A process of its own, so that what it costs is not taken for the time of those who are served. It ends with its parent.

/** A request as it stands on the wire. */
function line(id: number, method: string, params: Readonly<Record<string, unknown>> = {}): string {
  return formatRequest({ id, method, params });
}

const addresses = 200;
const redialMilliseconds = 1000;
const deliveryLines = 1000;

let connections = 0;
let done = 0;
let dialed = 0;

/** Limits for each address are no hindrance to somebody who has many. */
function dial(port: number): Socket {
  const localAddress = process.platform === 'linux' ? { localAddress: `127.2.${++dialed % addresses}.1` } : {};
  const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true, ...localAddress });
  socket.on('error', () => undefined);
  socket.once('connect', () => connections++);
  socket.once('connect', () => socket.once('close', () => connections--));
  return socket;
}

function dialTls({ port, ca }: Attack): TLSSocket {
  const socket = connectTls({ socket: dial(port), ca, servername: '', ALPNProtocols: ['secure-inv/1'] });
  socket.on('error', () => undefined);
  return socket;
}

/** Calls again and again, whenever the last try has ended, for as long as this process lives. */
function insist(open: () => Socket): void {
  const socket = open();
  socket.once('close', () => setTimeout(() => insist(open), redialMilliseconds));
}

function drip(socket: Socket, bytes: Buffer): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (!socket.destroyed) socket.write(bytes.subarray(sent, ++sent));
  }, 1000);
  socket.once('close', () => clearInterval(timer));
}

/** The head of a record with a ClientHello of 512 bytes, which never comes to its end. */
const hello = Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), Buffer.alloc(400)]);

async function beSilent(attack: Attack & { kind: 'silent' }): Promise<void> {
  const kinds: readonly (() => Socket)[] = [
    () => dial(attack.port).resume(),
    () => {
      const socket = dial(attack.port).resume();
      drip(socket, hello);
      return socket;
    },
    () => dial(attack.port).resume(),
    () => {
      const socket = dialTls(attack).resume();
      socket.once('secureConnect', () => drip(socket, Buffer.from(line(1, 'ping').padStart(60))));
      return socket;
    },
  ];
  for (let at = 0; at < attack.connections; at++) {
    const open = kinds[at % kinds.length];
    if (open) insist(open);
    if (at % 50 === 0) await sleep(5);
  }
}

function guess(attack: Attack & { kind: 'logins' }): void {
  let made = 0;
  const since = performance.now();
  setInterval(() => {
    for (const due = ((performance.now() - since) / 1000) * attack.perSecond; made < due; made++) {
      const socket = dialTls(attack);
      socket.write(line(1, 'login', { user: `user-${made % 50}`, password: `not the password ${made}` }));
      socket.once('data', () => {
        done++;
        socket.destroy();
      });
    }
  }, 5);
}

function askWithoutReading(attack: Attack & { kind: 'unread' }): void {
  for (let at = 0; at < attack.connections; at++) {
    insist(() => {
      const socket = dialTls(attack);
      socket.write(line(0, 'authenticate', { token: attack.token }));
      for (let id = 1; id <= 500; id++) socket.write(line(id, 'history', { limit: 1000 }));
      return socket.pause();
    });
  }
}

const requests = {
  add: () => line(1, 'add', { item: `Flood ${done % 200}`, quantity: 1, operation: randomUUID() }),
  delivery: () => {
    const lines = Array.from({ length: deliveryLines }, (_, at) => ({ item: `Flood ${at}`, quantity: 1 }));
    return line(1, 'add', { lines, operation: randomUUID() });
  },
  view: () => line(1, 'view', { limit: 1000 }),
  ping: () => line(1, 'ping'),
};

function flood({ depth, what, ...attack }: Attack & { kind: 'flood' }): void {
  const newline = 0x0a;
  for (let at = 0; at < attack.connections; at++) {
    const socket = dialTls({ ...attack, depth, what });
    socket.write(line(0, 'authenticate', { token: attack.token }));
    for (let sent = 0; sent < depth; sent++) socket.write(requests[what]());
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('"error":')) throw new Error(`A request was refused: ${chunk.toString('utf8', 0, 400)}`);
      let replies = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, end + 1)) replies++;
      done += replies;
      let text = '';
      for (; replies > 0; replies--) text += requests[what]();
      if (text !== '') socket.write(text);
    });
  }
}

async function idle(attack: Attack & { kind: 'idle' }): Promise<void> {
  for (let at = 0; at < attack.connections; at++) {
    const socket = dialTls(attack);
    const token = attack.tokens[at % attack.tokens.length];
    await new Promise<void>((resolve) => {
      socket.once(token === undefined ? 'secureConnect' : 'data', () => resolve());
      socket.once('close', () => resolve());
      if (token !== undefined) socket.write(line(0, 'authenticate', { token }));
    });
    done++;
  }
}

function begin(attack: Attack): unknown {
  if (attack.kind === 'silent') return beSilent(attack);
  if (attack.kind === 'logins') return guess(attack);
  if (attack.kind === 'unread') return askWithoutReading(attack);
  if (attack.kind === 'flood') return flood(attack);
  return idle(attack);
}

process.once('message', (attack: Attack) => void begin(attack));
process.once('disconnect', () => process.exit());
setInterval(() => process.send?.({ connections, done } satisfies Tally), 200);
