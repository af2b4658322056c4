import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import * as v from 'valibot';
import { afterEach, expect, test, vi } from 'vitest';
import { formatProgress } from '../../src/client/progress.ts';
import { checkResult } from '../../src/command/check.ts';
import { startBadServer } from '../support/bad-server.ts';

type Asked = { readonly id: number; readonly method: string; readonly params: Readonly<Record<string, unknown>> };

/** A server that logs anybody in and answers all else with what `answer` makes of it: the text of the reply's members. */
function answering(answer: (asked: Asked, socket: TLSSocket) => string | undefined) {
  return startBadServer((socket, text) => {
    for (const line of text.trim().split('\n')) {
      const asked = JSON.parse(line) as Asked; // Our own client sent it.
      const isLogin = asked.method === 'authenticate';
      const members = isLogin
        ? '"result":{"user":"vera","role":"viewer","expiresAt":"2099-01-01T00:00:00Z"}'
        : answer(asked, socket);
      if (members !== undefined) socket.write(`{"jsonrpc":"2.0","id":${asked.id},${members}}\n`);
    }
  });
}

const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no failure',
    (error: unknown) => error,
  );

afterEach(() => void vi.useRealTimers());

test('what JSON cannot say is refused at once, and the connection goes on', async () => {
  const inventory = await answering(({ method }) => (method === 'ping' ? '"result":{}' : undefined));
  await inventory.ping({});
  const circle: Record<string, unknown> = { item: 'Soap' };
  circle['note'] = circle;
  for (const params of [{ item: 'Soap', quantity: 5n }, circle]) {
    const failure = await failureOf(inventory.add(params as unknown as { item: string; quantity: number })); // As JavaScript may.
    expect(failure).toMatchObject({ name: 'Failure', code: 'bad-params', message: expect.stringContaining('JSON') });
    await inventory.ping({});
  }
});

test('a refusal whose message is no text, or has no end, is a refusal all the same', async () => {
  let message = '{"toString":1,"valueOf":1}';
  const inventory = await answering(() => `"error":{"code":1004,"message":${message},"data":{"code":"forbidden"}}`);
  const failure = 'The server refused, and did not say why.';
  expect(await failureOf(inventory.view({}))).toMatchObject({ code: 'forbidden', message: failure });
  message = JSON.stringify('x'.repeat(4_000_000));
  const long = await failureOf(inventory.view({}));
  expect(long instanceof Error && long.message.length).toBeLessThan(3000);
});

test('a reply with many mistakes in it is refused for the first', () => {
  let looks = 0;
  const schema = v.array(
    v.pipe(
      v.number(),
      v.check(() => ++looks < 0),
    ),
  );
  expect(() => checkResult(schema, [1, 2, 3])).toThrow('does not understand');
  expect(looks).toBe(1);
});

test('a server that talks without end and answers nothing is given up', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  let hears: (() => void) | undefined;
  const heard = new Promise<void>((resolve) => {
    hears = resolve;
  });
  const inventory = await answering((_asked, socket) => {
    const talk = () => {
      if (socket.destroyed) return;
      socket.write('{"jsonrpc":"2.0","method":"news","params":{}}\n');
      setTimeout(talk, 2);
    };
    talk();
    hears?.();
    return undefined;
  });
  const call = failureOf(inventory.user.disable({ user: 'clerk1' })); // Not repeated when its answer is lost.
  await heard;
  for (let seconds = 0; seconds < 75; seconds += 15) {
    vi.advanceTimersByTime(15_000);
    await sleep(5);
  }
  vi.useRealTimers();
  await inventory.close();
  expect(await call).toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('did not answer for 60 s'),
  });
}, 20_000);

test('of movements without end, no more than some megabytes wait for whoever is slow', async () => {
  let written = 0;
  const note = 'n'.repeat(1_000_000);
  const inventory = await answering(({ method }, socket) => {
    if (method !== 'watch') return '"result":{}';
    const push = (): void => {
      if (socket.destroyed || written > 200) return;
      const movement = { seq: ++written, at: 'x', kind: 'add', item: 'x', location: 'm', delta: 1, balance: 1 };
      const params = { ...movement, user: 'u', operation: 'o', note };
      if (socket.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'movement', params })}\n`)) setImmediate(push);
      else socket.once('drain', push);
    };
    setTimeout(push, 50);
    return '"result":{"seq":0}';
  });
  const watch = inventory.watch({});
  expect(await watch.next()).toMatchObject({ value: { seq: 1 } });
  await sleep(1000);
  // What sockets hold on both sides comes on top of four lines.
  expect(written * note.length).toBeLessThan(25_000_000);
  await watch.return();
}, 20_000);

test('an export follows an empty page to the next, and ends where pages lead back', async () => {
  const item = { item: 'Soap', quantity: 3, unit: 'pcs', locations: [], precision: 0 };
  const pages: Readonly<Record<string, unknown>> = {
    '': { items: [], cursor: 'a', seq: 1 },
    a: { items: [item], cursor: 'b', seq: 1 },
    b: { items: [], cursor: 'a', seq: 1 },
  };
  const inventory = await answering(
    ({ params }) => `"result":${JSON.stringify(pages[String(params['cursor'] ?? '')])}`,
  );
  const rows = inventory.export({ what: 'items' });
  expect(await rows.next()).toMatchObject({ value: { item: 'Soap', quantity: 3 } });
  expect(await failureOf(rows.next())).toMatchObject({ code: 'bad-frame', message: expect.stringContaining('no end') });
});

test('progress of less than nothing is none', () => {
  expect(formatProgress('rows', -5000, 100)).toContain(' 0 % ');
});
