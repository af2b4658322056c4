import { expect, test } from 'vitest';
import { Allowance } from '../../src/auth/allowance.ts';
import { ownChangesPerMinuteMax } from '../../src/model/limits.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';

test('a user may change their own access so often in a minute, and others are not the slower for it', () => {
  let now = 60_000;
  const allowance = new Allowance(() => now);
  for (let at = 0; at < ownChangesPerMinuteMax; at++) allowance.spend(1);
  expect(() => allowance.spend(1)).toThrow(
    expect.objectContaining({ code: 'busy', details: expect.objectContaining({ retryAfter: 60 }) }),
  );
  allowance.spend(2);
  now += 60_000;
  allowance.spend(1);
});

test('nobody fills the audit log with tokens that come and go', async () => {
  const server = await startServer({ isClockStopped: true });
  const client = await WireClient.open(server);
  await enrollAdministrator(server, client);
  const codes: (string | undefined)[] = [];
  for (let at = 0; at < ownChangesPerMinuteMax / 2 + 1; at++) {
    const made = await client.ask('token.create', { name: 'one', role: 'viewer' });
    const gone = await client.ask('token.revoke', { id: made?.result?.['id'] ?? 'none' });
    codes.push(made?.error?.data.code, gone?.error?.data.code);
  }
  expect(codes).toContain('busy');
  const records = (await client.ask('audit', { limit: 1000 }))?.result?.['records'];
  expect((records as unknown[]).length).toBeLessThan(ownChangesPerMinuteMax + 10); // As its schema says.
});
