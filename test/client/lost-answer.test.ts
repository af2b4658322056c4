import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/index.ts';
import { ensureCertificates } from '../../src/pki/issue.ts';
import { temporaryFolder } from '../support/server.ts';

/** A server that no real one is: it does with each connection what it is told, the last of it again and again. */
async function startBadServer(...behaviours: readonly ((socket: TLSSocket, text: string) => void)[]) {
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

const operation = '0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e';
const vanish = (socket: TLSSocket) => void socket.destroy();

function refuse(code: number, name: string) {
  return (socket: TLSSocket, text: string) => {
    for (const line of text.trim().split('\n')) {
      const error = { code, message: 'No.', data: { code: name } };
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(line).id, error })}\n`);
    }
  };
}

test('after a lost answer, a refusal that is no verdict of the stock still names the operation to repeat', async () => {
  const inventory = await startBadServer(vanish, refuse(1004, 'forbidden'));
  const failure = await inventory.add({ item: 'Soap', quantity: 1, operation }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'unconfirmed', details: { hint: expect.stringContaining(operation) } });
});

test('after a lost answer, a verdict of the stock is what is said', async () => {
  const inventory = await startBadServer(vanish, refuse(1007, 'out-of-stock'));
  const failure = await inventory.take({ item: 'Soap', quantity: 1, operation }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'out-of-stock' });
});

test('a refusal without a lost answer is itself', async () => {
  const inventory = await startBadServer(refuse(1004, 'forbidden'));
  const failure = await inventory.add({ item: 'Soap', quantity: 1, operation }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'forbidden' });
});
