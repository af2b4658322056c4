import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { PasswordHasher } from '../../src/auth/password.ts';
import { startServer } from '../support/server.ts';
import { enrollAdministrator, enrollUser, line, openAs, testPassword, WireClient } from '../support/wire-client.ts';

test('of 64 logins at once some are told to come back, the others are right, and an add is served meanwhile', async () => {
  const server = await startServer({
    flags: { 'auth.password.memoryKibibytes': '65536', 'auth.password.passes': '3' },
  });
  const grant = await enrollAdministrator(server);
  const worker = await openAs(server, grant['accessToken']);
  // Nobody twice, because many tries for one user are held against that user.
  const users = Array.from({ length: 8 }, (_, at) => `user-${at}`);
  for (const user of users) (await enrollUser(server, worker, user, 'clerk')).client.socket.destroy();
  const userOf = (at: number) => users[at / 8] ?? `nobody-${at}`;
  const clients = await Promise.all(Array.from({ length: 64 }, () => WireClient.open(server)));
  let answered = 0;
  const logins = clients.map(async (client, at) => {
    client.write(line(at, 'login', { user: userOf(at), password: testPassword }));
    const reply = await client.reply();
    answered++;
    return { at, reply };
  });
  const added = await worker.ask('add', { item: 'Soap', quantity: 1, operation: randomUUID() });
  const answeredBefore = answered;
  expect(added).toMatchObject({ result: { balance: 1 } });
  const replies = await Promise.all(logins);
  expect(answeredBefore).toBeLessThan(64);
  const busy = replies.filter(({ reply }) => reply?.error?.data.code === 'busy');
  const decided = replies.filter((login) => !busy.includes(login));
  expect(busy.length).toBeGreaterThan(20);
  expect(decided.length).toBeGreaterThanOrEqual(4);
  for (const { reply } of busy) expect(reply).toMatchObject({ error: { code: 1008, data: { retryAfter: 2 } } });
  for (const { at, reply } of decided) {
    if (at % 8 === 0) expect(reply).toMatchObject({ result: { user: userOf(at) } });
    else expect(reply).toMatchObject({ error: { code: 1003 } });
  }
  // Busy counts as no failure, and the same connection may try again.
  const again = clients[busy[0]?.at ?? 0];
  expect(await again?.ask('login', { user: 'admin', password: testPassword })).toMatchObject({
    result: { user: 'admin' },
  });
});

test('who is known goes before all strangers, and has places that they cannot take', async () => {
  const hasher = new PasswordHasher({ memoryKibibytes: 19456, passes: 2, charactersMin: 12 });
  const done: string[] = [];
  const strangers = Array.from({ length: 60 }, (_, at) =>
    hasher.verify(null, 'guess', { address: `198.51.100.${at}`, isKnown: false }).then(
      () => done.push('stranger'),
      (error: unknown) => expect(error).toMatchObject({ code: 'busy' }),
    ),
  );
  await hasher.verify(null, 'guess', { address: '192.0.2.1', isKnown: true });
  // Not behind more than were at work already when they came.
  expect(done.length).toBeLessThanOrEqual(availableParallelism());
  await Promise.all(strangers);
});
