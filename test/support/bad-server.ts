import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { connect } from '../../src/index.ts';
import { ensureCertificates } from '../../src/pki/issue.ts';
import { temporaryFolder } from './server.ts';

/** An inventory on a server that no real one is: it does with each connection what it is told, the last of it again and again. */
export async function startBadServer(...behaviours: readonly ((socket: TLSSocket, text: string) => void)[]) {
  const folder = await temporaryFolder();
  await ensureCertificates(folder, []);
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  const [key, cert] = [await read('server-key.pem'), await read('server.pem')];
  let connections = 0;
  const server = createServer({ key, cert, ALPNProtocols: ['secure-inv/1'] }, (socket) => {
    const behave = behaviours[Math.min(connections++, behaviours.length - 1)];
    socket.on('error', () => undefined);
    socket.on('data', (text) => behave?.(socket, String(text)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const options = { server: `127.0.0.1:${port}`, ca: join(folder, 'server-ca.pem'), token: 'any' };
  const inventory = await connect(options);
  onTestFinished(() => inventory.close());
  return inventory;
}
