import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ClientConnection } from '../../src/client/connect.ts';
import { protectionOf } from '../../src/client/protection.ts';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { startServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { WireClient } from '../support/wire-client.ts';

const server = shareServer();
const hybrid = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  keyExchange: 'X25519MLKEM768',
  postQuantum: true,
};

async function groupWith(ecdhCurve: string): Promise<string> {
  const { socket } = await WireClient.open(server(), { ecdhCurve });
  return protectionOf(socket).keyExchange;
}

describe('between our own client and server', () => {
  test('keys are agreed on in a post-quantum group, and the client says so', async () => {
    const connection = await ClientConnection.open({ host: '127.0.0.1', port: server().port, ca: server().ca });
    expect(connection.protection).toEqual(hybrid);
    connection.close();
  });

  test('also after the certificates were changed', async () => {
    const own = await startServer();
    await makeServerCertificates(own.certs, { hosts: [], force: true });
    await own.reload();
    const connection = await ClientConnection.open({ host: '127.0.0.1', port: own.port, ca: own.ca });
    expect(connection.protection).toEqual(hybrid);
    connection.close();
  });
});

test('the server takes the hybrid group also from a client that likes another one better', async () => {
  expect(await groupWith('X25519:X25519MLKEM768')).toBe('X25519MLKEM768');
  expect(await groupWith('P-256:X25519:X25519MLKEM768')).toBe('X25519MLKEM768');
});

test('a client that has no hybrid group is served, and knows what it got', async () => {
  for (const [offered, group] of [
    ['X25519', 'X25519'],
    ['P-256', 'prime256v1'],
  ] as const) {
    const { socket } = await WireClient.open(server(), { ecdhCurve: offered });
    expect(protectionOf(socket)).toEqual({ ...hybrid, keyExchange: group, postQuantum: false });
  }
});

test('our client says so when it is the server that has none', async () => {
  const read = (file: string) => readFile(join(server().certs, file), 'utf8');
  const [key, cert] = [await read('server-key.pem'), await read('server.pem')];
  const other = createServer({ key, cert, ALPNProtocols: ['secure-inv/1'], ecdhCurve: 'X25519' }, (socket) =>
    socket.on('error', () => undefined),
  );
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo; // It listens on TCP.
  const connection = await ClientConnection.open({ host: '127.0.0.1', port, ca: server().ca });
  expect(connection.protection).toMatchObject({ keyExchange: 'X25519', postQuantum: false });
  connection.close();
});

test('where Node.js does not tell the group, nothing is claimed', () => {
  // What Node.js 24 answered before it named hybrid groups, and what any answers once the connection is gone.
  for (const answer of [{}, null, { type: 'ECDH', name: '', size: 0 }]) {
    const socket = {
      getEphemeralKeyInfo: () => answer,
      getProtocol: () => null,
      getCipher: () => ({ name: '', standardName: 'TLS_AES_128_GCM_SHA256', version: 'TLSv1.3' }),
    };
    expect(protectionOf(socket)).toEqual({
      protocol: 'unknown',
      cipher: 'TLS_AES_128_GCM_SHA256',
      keyExchange: 'unknown',
      postQuantum: null,
    });
  }
});
