import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClientConnection } from '../../src/client/connect.ts';
import { ContextStore } from '../../src/client/context.ts';
import { serverOptions } from '../programs.ts';
import type { Peer } from './peer.ts';
import { type Workspace, waitForOutput } from './workspace.ts';

const password = 'Plenty-long-passphrase-71';
const storeFile = 'secure-inv.db';

/** The compiled programs, as a person runs them. */
export const programs = {
  server: fileURLToPath(new URL('../../dist/secure-invd.js', import.meta.url)),
  client: fileURLToPath(new URL('../../dist/secure-inv.js', import.meta.url)),
};

/** A server with its first administrator, who is logged in at `home`. */
export interface SecureInvPeer extends Peer {
  /** The environment of whoever uses the client here. */
  readonly env: NodeJS.ProcessEnv;
  /** Asks as the administrator, on a connection of its own. */
  ask(method: string, params: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  /** A connection of the administrator, or of another user, who is enrolled anew. */
  connect(user?: string): Promise<ClientConnection>;
}

/** Starts the server on a free port, with the store of this name, which is made if there is none. */
export function spawnServer(workspace: Workspace, certs: string, name: string): ChildProcess {
  const settings = [
    ...['--listen-port', '0', '--store', `sqlite:${join(workspace.folder, name, storeFile)}`],
    ...['--certs-folder', certs, '--auth-token-access-minutes', '60', '--log-level', 'warn'],
  ];
  return workspace.spawn(process.execPath, [...serverOptions, programs.server, ...settings], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** As `spawnServer`; enrolls the first administrator. */
export async function openSecureInv(workspace: Workspace, certs: string, name: string): Promise<SecureInvPeer> {
  const server = spawnServer(workspace, certs, name);
  // In any order.
  const [, address = '', link = ''] = await waitForOutput(
    server,
    /^(?=.*listening on \S+:(\d+) )(?=.*enroll '(.*?)')/s,
  );
  const port = Number(address);
  const home = join(workspace.folder, name, 'home');
  const env = { PATH: process.env['PATH'], HOME: home };
  const enroll = workspace.spawn(process.execPath, [programs.client, 'enroll', link, '--password-stdin'], {
    env,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  enroll.stdin?.end(`${password}\n`);
  const [code] = await once(enroll, 'exit');
  if (code !== 0) throw new Error(`The administrator could not enroll (status ${code}).`);

  const ca = await readFile(join(certs, 'server-ca.pem'), 'utf8');
  const contexts = new ContextStore(join(home, '.config', 'secure-inv'), join(home, '.local', 'state', 'secure-inv'));
  const { accessToken: secret = '' } = await contexts.readTokens(`127.0.0.1:${port}`);
  const open = () => ClientConnection.open({ host: '127.0.0.1', port, ca });
  const connect: SecureInvPeer['connect'] = async (user) => {
    const connection = await open();
    if (user === undefined) {
      await connection.request('authenticate', { token: secret });
      return connection;
    }
    const { code } = await ask('user.reset', { user });
    await connection.request('enroll', { code });
    await connection.request('enroll', { password });
    return connection;
  };
  const ask: SecureInvPeer['ask'] = async (method, params) => {
    const connection = await connect();
    const result = await connection.request(method, params);
    connection.close();
    return result as Record<string, unknown>; // Every result is an object.
  };
  return {
    name: 'secure-inv',
    pid: server.pid ?? 0,
    target: { protocol: 'secure-inv', port, ca, secret },
    counted: async () => Number((await ask('view', { limit: 1 }))['seq']),
    env,
    ask,
    connect,
  };
}
