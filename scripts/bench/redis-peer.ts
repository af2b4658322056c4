import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Peer } from './peer.ts';
import { type Workspace, waitForOutput } from './workspace.ts';

const password = 'Plenty-long-passphrase-71';

/** The job as an engineer would build it: an id counts once, the balance grows, a stream keeps who did what. */
const script = `
  if not redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'NX') then
    return redis.call('HGET', 'stock', ARGV[1])
  end
  local balance = redis.call('HINCRBY', 'stock', ARGV[1], ARGV[2])
  redis.call('XADD', 'ledger', '*', 'operation', KEYS[1], 'item', ARGV[1], 'delta', ARGV[2], 'balance', balance,
    'user', ARGV[3])
  return balance
`;

/** The version of the redis-server that is installed, if one is. */
export function findRedis(): string | undefined {
  try {
    return /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1];
  } catch {
    return undefined;
  }
}

/** Starts Redis with TLS, a password, and an append-only file that is fsynced before each reply. */
export async function openRedis(workspace: Workspace, certs: string, version: string): Promise<Peer> {
  const folder = join(workspace.folder, 'redis');
  await mkdir(folder);
  const port = await freePort();
  const ca = await readFile(join(certs, 'server-ca.pem'), 'utf8');
  const settings = [
    ...['--port', '0', '--tls-port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--requirepass', password],
    ...['--tls-cert-file', join(certs, 'server.pem'), '--tls-key-file', join(certs, 'server-key.pem')],
    ...['--tls-ca-cert-file', join(certs, 'client-ca.pem'), '--tls-auth-clients', 'no', '--tls-protocols', 'TLSv1.3'],
    // No snapshot and no rewrite of the file: either would fall into some rounds and not into others.
    ...['--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', '0', '--save', ''],
  ];
  const server = workspace.spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'pipe'] });
  await waitForOutput(server, /Ready to accept connections/);
  const ask = (...words: readonly string[]) => askRedis(port, ca, words);
  const sha = await ask('SCRIPT', 'LOAD', script);
  return {
    name: `Redis ${version}`,
    pid: server.pid ?? 0,
    target: { protocol: 'redis', port, ca, secret: password, script: sha },
    counted: async () => Number(await ask('XLEN', 'ledger')),
  };
}

/** One command on a connection of its own; the reply's last line. */
async function askRedis(port: number, ca: string, words: readonly string[]): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca, servername: '' });
  await once(socket, 'secureConnect');
  let answer = '';
  for (const command of [['AUTH', password], words]) {
    socket.write(`*${command.length}\r\n${command.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
    answer = String((await once(socket, 'data'))[0]);
  }
  socket.destroy();
  if (answer.startsWith('-')) throw new Error(`Redis refused ${words[0]}: ${answer}`);
  return answer.trimEnd().split('\r\n').at(-1)?.replace(/^:/, '') ?? '';
}

/** Redis takes no port 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
