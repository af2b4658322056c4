import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { alpnProtocol } from '../../src/wire/message.ts';
import type { LoadJob, LoadNews, LoadTarget } from './peer.ts';

// The load generator: a process of its own, which does as little as it can for each request, and the same for each
// peer. It writes adds, counts newlines, and looks for the one word that says a reply is a refusal.

const items = 200;
/** As long as a session's. */
const credential = 'session:AAAAAAAAAAAAAAAA';
const newline = 0x0a;

interface Protocol {
  readonly alpn: readonly string[];
  login(): string;
  add(item: string, operation: string): string;
  isRefusal(replies: Buffer): boolean;
}

function protocolOf(target: LoadTarget): Protocol {
  if (target.protocol === 'redis') {
    return {
      alpn: [],
      login: () => formatRedis('AUTH', target.secret),
      add: (item, operation) =>
        formatRedis(
          'EVALSHA',
          target.script ?? '',
          '1',
          operation,
          item,
          'main',
          '1',
          'admin',
          credential,
          '127.0.0.1',
        ),
      isRefusal: (replies) => replies[0] === 0x2d || replies.includes('\n-'), // A line that begins with a hyphen.
    };
  }
  return {
    alpn: [alpnProtocol],
    login: () => `{"jsonrpc":"2.0","id":0,"method":"authenticate","params":{"token":"${target.secret}"}}\n`,
    add: (item, operation) =>
      `{"jsonrpc":"2.0","id":1,"method":"add","params":{"item":"${item}","quantity":1,"operation":"${operation}"}}\n`,
    isRefusal: (replies) => replies.includes('"error":'),
  };
}

function formatRedis(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

const process12 = Math.floor(Math.random() * 0x1000);
let made = 0;

/** A UUID of version 7. In one millisecond they come in any order, as those of many clients do. */
function makeOperation(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  const random = hex(Math.floor(Math.random() * 0x1000), 3);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random}-8${hex(process12, 3)}-${hex(made++, 12)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

async function open({ port, ca }: LoadTarget, protocol: Protocol): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca,
    servername: '',
    minVersion: 'TLSv1.3',
    ALPNProtocols: [...protocol.alpn],
  });
  await once(socket, 'secureConnect');
  socket.setNoDelay(true);
  socket.write(protocol.login());
  await once(socket, 'data');
  return socket;
}

async function run({ target, connections, depth, warmUpSeconds, seconds }: LoadJob): Promise<void> {
  const protocol = protocolOf(target);
  let adds = 0;
  const ask = (socket: TLSSocket, count: number) => {
    let text = '';
    for (let at = 0; at < count; at++) text += protocol.add(`Item ${made % items}`, makeOperation());
    socket.write(text);
  };
  // One after another: a crowd of strangers at the door is another test.
  for (let at = 0; at < connections; at++) {
    const socket = await open(target, protocol);
    socket.on('data', (chunk: Buffer) => {
      if (protocol.isRefusal(chunk)) throw new Error(`An add was refused: ${chunk}`);
      let replies = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, end + 1)) replies++;
      adds += replies;
      if (replies > 0) ask(socket, replies);
    });
    socket.on('close', () => {
      throw new Error(`${target.protocol} closed a connection.`);
    });
    ask(socket, depth);
  }
  await sleep(warmUpSeconds * 1000);
  const [before, since, used] = [adds, performance.now(), process.cpuUsage()];
  tell('counting');
  await sleep(seconds * 1000);
  const { user, system } = process.cpuUsage(used);
  tell({ adds: adds - before, seconds: (performance.now() - since) / 1000, processorTime: user + system });
}

function tell(news: LoadNews): void {
  process.send?.(news);
}

process.once('message', (job: LoadJob) => void run(job));
process.once('disconnect', () => process.exit());
