import { afterEach, expect, test, vi } from 'vitest';
import { lineSecondsMax } from '../../src/model/limits.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, line, WireClient } from '../support/wire-client.ts';

afterEach(() => void vi.useRealTimers());

test('a line must be there within 30 s of its beginning, whatever was asked before it', async () => {
  const server = await startServer();
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  // What came in one write with a request that was answered is there.
  const drip = async (bytes: string) => {
    client.write(bytes);
    expect(await client.reply()).toMatchObject({ id: 1, result: {} });
  };
  await drip(`${line(1, 'ping')}{"jsonrpc":`);
  vi.advanceTimersByTime(lineSecondsMax * 1000 - 1);
  await drip(`"2.0","id":1,"method":"ping"}\n{"jsonrpc"`);
  vi.advanceTimersByTime(lineSecondsMax * 1000 - 1);
  client.write(':');
  vi.advanceTimersByTime(1);
  expect(await client.reply()).toMatchObject({ id: null, error: { data: { code: 'going-away' } } });
  vi.useRealTimers();
  await client.closed;
});

test('who waits between two lines may be silent for longer', async () => {
  const server = await startServer();
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  expect(await client.ask('ping')).toHaveProperty('result');
  vi.advanceTimersByTime(2 * lineSecondsMax * 1000);
  expect(await client.ask('ping')).toHaveProperty('result');
});
