import type { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { startBadServer } from '../support/bad-server.ts';

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
