import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeServerCertificates } from '../../src/pki/issue.ts';
import { WireClient } from '../support/wire-client.ts';
import { times } from './length.ts';
import type { Way } from './load.ts';
import { tryUnder } from './trial.ts';

const rotations = times(3, 100);

async function serialAt(way: Way): Promise<string> {
  const cleanings: (() => void)[] = [];
  const client = await WireClient.open(way, {}, (clean) => cleanings.push(clean));
  const { serialNumber } = client.socket.getPeerCertificate();
  for (const clean of cleanings) clean();
  return serialNumber;
}

test(`${rotations} new server certificates under load drop no connection and no answer`, {
  timeout: times(60_000, 600_000),
}, async () => {
  const shown = new Set<string>();
  const outcome = await tryUnder(async ({ folder, load, server }) => {
    shown.add(await serialAt(server));
    for (let rotation = 1; rotation <= rotations; rotation++) {
      await makeServerCertificates(join(folder, 'certs'), { hosts: [], force: true });
      server.signal('SIGHUP');
      await expect.poll(async () => shown.add(await serialAt(server)).size, { timeout: 5000 }).toBe(rotation + 1);
      await load.progress(20);
    }
    expect(load.connections).toBe(8);
  });
  expect(outcome.violations).toEqual([]);
  expect(outcome.repeated).toBe(0);
});
