import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClientConnection } from '../../src/client/connect.ts';
import { ContextStore } from '../../src/client/context.ts';
import type { Peer } from './peer.ts';
import { type Workspace, waitForOutput } from './workspace.ts';

const password = 'Plenty-long-passphrase-71';

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
}

/** Starts the server on a free port with these certificates and an empty store, and enrolls an administrator. */
export async function openSecureInv(workspace: Workspace, certs: string, name: string): Promise<SecureInvPeer> {
  const settings = [
    ...['--listen-port', '0', '--store', `sqlite:${join(workspace.folder, name, 'inventory.db')}`],
    ...['--certs-folder', certs, '--auth-token-access-minutes', '60', '--log-level', 'warn'],
  ];
  const server = workspace.spawn(process.execPath, [programs.server, ...settings], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
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
  const ask: SecureInvPeer['ask'] = async (method, params) => {
    const connection = await ClientConnection.open({ host: '127.0.0.1', port, ca });
    await connection.request('authenticate', { token: secret });
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
  };
}
