import { randomUUID } from 'node:crypto';
import { ClientConnection } from '../../src/client/connect.ts';
import type { Latency, LatencyJob } from './import.ts';

// Clients that add, each one thing after another, and note how long each answer took. A process of its own, so that
// what else is measured does not make it wait.

const items = 200;
let milliseconds: number[] = [];

async function addForEver({ port, ca, secret }: LatencyJob['target']): Promise<never> {
  const connection = await ClientConnection.open({ host: '127.0.0.1', port, ca });
  await connection.request('authenticate', { token: secret });
  for (let made = 0; ; made++) {
    const begun = performance.now();
    await connection.request('add', { item: `Item ${made % items}`, quantity: 1, operation: randomUUID() });
    milliseconds.push(performance.now() - begun);
  }
}

/** What was noted since the last time. */
function takeLatency(): Latency {
  const sorted = milliseconds.sort((a, b) => a - b);
  milliseconds = [];
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { adds: sorted.length, median: at(0.5), p99: at(0.99) };
}

process.on('message', (message: LatencyJob | 'take') => {
  if (message === 'take') process.send?.(takeLatency());
  else for (let at = 0; at < message.connections; at++) void addForEver(message.target);
});
process.once('disconnect', () => process.exit());
