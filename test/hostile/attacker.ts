import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack, Tally } from './attack.ts';
import { countDone, dial, dialTls, insist, tally } from './dialer.ts';
import { flood, line } from './flood.ts';

// A process of its own, so that what it costs is not taken for the time of those who are served. It ends with its parent.

function drip(socket: Socket, bytes: Buffer): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (!socket.destroyed) socket.write(bytes.subarray(sent, ++sent));
  }, 1000);
  socket.once('close', () => clearInterval(timer));
}

/** The head of a record with a ClientHello of 512 bytes, which never comes to its end. */
const hello = Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), Buffer.alloc(400)]);

const drippedRequest = Buffer.from(line(1, 'ping').padStart(60));

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
      socket.once('secureConnect', () => drip(socket, drippedRequest));
      return socket;
    },
  ];
  await gather(attack.connections, kinds);
}

async function gather(connections: number, kinds: readonly (() => Socket)[]): Promise<void> {
  for (let at = 0; at < connections; at++) {
    const open = kinds[at % kinds.length];
    if (open) insist(open);
    if (at % 50 === 0) await sleep(5);
  }
}

/** As many as may be there without having logged in are not to be reached: so few more at a time log in. */
async function beSilentMembers(attack: Attack & { kind: 'silent members' }): Promise<void> {
  for (let at = 0; at < attack.connections; at++) {
    const token = attack.tokens[at % attack.tokens.length];
    insist(() => {
      const socket = dialTls(attack);
      socket.write(line(0, 'authenticate', { token }));
      socket.once('data', () => {
        countDone();
        if (at % 2 === 0) drip(socket, drippedRequest);
      });
      return socket;
    });
    if (at % 4 === 0) await sleep(10);
  }
}

const guessesAtOnce = 10;

function guess(attack: Attack & { kind: 'logins' }): void {
  let made = 0;
  const since = performance.now();
  setInterval(() => {
    const due = ((performance.now() - since) / 1000) * attack.perSecond;
    // Whoever is late catches up bit by bit, because what was dialed wants to go on.
    for (const some = Math.min(due, made + guessesAtOnce); made < some; made++) {
      const socket = dialTls(attack);
      socket.write(line(1, 'login', { user: `user-${made % 50}`, password: `not the password ${made}` }));
      socket.once('data', () => {
        countDone();
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

async function idle(attack: Attack & { kind: 'idle' }): Promise<void> {
  for (let at = 0; at < attack.connections; at++) {
    const socket = dialTls(attack);
    const token = attack.tokens[at % attack.tokens.length];
    await new Promise<void>((resolve) => {
      socket.once(token === undefined ? 'secureConnect' : 'data', () => resolve());
      socket.once('close', () => resolve());
      if (token !== undefined) socket.write(line(0, 'authenticate', { token }));
    });
    countDone();
  }
}

function begin(attack: Attack): unknown {
  if (attack.kind === 'silent') return beSilent(attack);
  if (attack.kind === 'silent members') return beSilentMembers(attack);
  if (attack.kind === 'logins') return guess(attack);
  if (attack.kind === 'unread') return askWithoutReading(attack);
  if (attack.kind === 'flood') return flood(attack);
  return idle(attack);
}

process.once('message', (attack: Attack) => void begin(attack));
process.once('disconnect', () => process.exit());
setInterval(() => process.send?.(tally() satisfies Tally), 200);
