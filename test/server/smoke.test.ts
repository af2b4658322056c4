import { expect, test } from 'vitest';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';

test('a new server lets the first administrator enroll, add and view', async () => {
  const server = await startServer();
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  const operation = '0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e';
  const added = await client.ask('add', { item: 'Maggi', quantity: 200, operation });
  expect(added?.result).toMatchObject({
    item: 'Maggi',
    location: 'main',
    quantity: 200,
    balance: 200,
    seq: 1,
    created: true,
  });
  const viewed = await client.ask('view');
  expect(viewed?.result).toMatchObject({ items: [{ item: 'Maggi', quantity: 200 }], seq: 1 });
});
