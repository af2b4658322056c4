import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Peer } from './peer.ts';
import { type Workspace, waitForOutput } from './workspace.ts';

const password = 'Plenty-long-passphrase-71';

/**
 * The job as an engineer would build it, with what an add promises here: an id counts once, for one body, and answers
 * a repeat with the first result; the balance grows; a stream keeps who did what, when, from where and by which right.
 * (It is spared the hashes, the check of names and rights, and the total over locations.)
 */
const script = `
  local first = redis.call('HMGET', KEYS[1], 'body', 'result')
  local body = ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3]
  if first[1] then
    if first[1] ~= body then return redis.error_reply('ERR conflict') end
    return {ok = first[2]}
  end
  local time = redis.call('TIME')
  local at = time[1] .. string.sub('00000' .. time[2], -6, -4)
  local balance = redis.call('HINCRBY', 'stock', ARGV[1] .. ' ' .. ARGV[2], ARGV[3])
  local seq = redis.call('INCR', 'seq')
  local result = cjson.encode({item = ARGV[1], location = ARGV[2], quantity = tonumber(ARGV[3]), balance = balance,
    seq = seq, operation = KEYS[1], at = at})
  redis.call('HSET', KEYS[1], 'body', body, 'result', result)
  redis.call('XADD', 'ledger', seq, 'at', at, 'kind', 'add', 'operation', KEYS[1], 'item', ARGV[1],
    'location', ARGV[2], 'delta', ARGV[3], 'balance', balance, 'user', ARGV[4], 'credential', ARGV[5], 'source', ARGV[6])
  return {ok = result}
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
