import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startServer } from '../support/server.ts';
import { shareServer } from '../support/shared-server.ts';
import { enrollAdministrator, enrollUser, line, openAs, WireClient } from '../support/wire-client.ts';

const server = shareServer();

const digest = () => randomUUID().replaceAll('-', '').repeat(2);
const administrator = () => openAs(server(), server().grant['accessToken']);

/** A page of this many rows whose line has this many bytes, by spaces around it. */
function pageOf(id: unknown, rows: number, bytes: number): string {
  const row = (at: number) => ({ line: at + 2, item: `Row ${at}`, quantity: 1 });
  const params = { import: id, page: 0, rows: Array.from({ length: rows }, (_, at) => row(at)) };
  const written = line(1, 'import.page', params).trimEnd();
  return `${written.padEnd(bytes, ' ')}\n`;
}

/** Resolves when the import is done. */
async function done(client: WireClient, id: unknown): Promise<unknown> {
  const look = async () => (await client.ask('import.status', { import: id }))?.result?.['state'];
  await expect.poll(look, { timeout: 10_000 }).toBe('done');
  return (await client.ask('import.status', { import: id }))?.result;
}

test('a page of an import may be a line of 1 MiB, and what comes behind it is answered in turn', async () => {
  const client = await administrator();
  const begun = await client.ask('import.begin', { digest: digest(), rows: 1000 });
  const id = begun?.result?.['import'];
  client.write(pageOf(id, 1000, 1024 * 1024) + line(2, 'ping'));
  expect(await client.replies(2)).toMatchObject([{ result: { rows: 1000 } }, { id: 2, result: {} }]);
  client.write(pageOf(id, 1000, 1024 * 1024 + 1));
  expect(await client.reply()).toMatchObject({ id: null, error: { data: { code: 'bad-frame' } } });
  await client.closed;
});

test('no other command may have a longer line, and nobody else', async () => {
  const client = await administrator();
  await client.ask('import.begin', { digest: digest(), rows: 1 });
  client.write(`${line(1, 'ping').trimEnd().padEnd(65_537, ' ')}\n`);
  const refused = { id: null, error: { message: 'A line may be at most 65536 bytes.', data: { code: 'bad-frame' } } };
  expect(await client.reply()).toMatchObject(refused);
  await client.closed;
  const { client: clerk } = await enrollUser(server(), await administrator(), 'long-clerk', 'clerk');
  clerk.write(pageOf(1, 10, 65_537));
  expect(await clerk.reply()).toMatchObject(refused);
  await clerk.closed;
  // Nor who may import, where they have not begun to.
  const idle = await administrator();
  idle.write(pageOf(1, 10, 65_537));
  expect(await idle.reply()).toMatchObject(refused);
  await idle.closed;
});

/** A connection that has begun an import, and a page of that as long as it may be. */
async function importer(): Promise<{ client: WireClient; page: string }> {
  const client = await administrator();
  const begun = await client.ask('import.begin', { digest: digest(), rows: 10 });
  return { client, page: pageOf(begun?.result?.['import'], 10, 1024 * 1024) };
}

test('of one user one long line at a time is read on, and the next when that is there or its connection gone', async () => {
  const [slow, next, leaving] = await Promise.all([importer(), importer(), importer()]);
  const other = await administrator();
  /** What the machine has of it has been read, as far as it will be, once others were answered a few times. */
  const write = async ({ client }: { client: WireClient }, bytes: string) => {
    await new Promise((resolve) => client.socket.write(bytes, resolve));
    for (let times = 0; times < 10; times++) expect(await other.ask('ping')).toHaveProperty('result');
  };
  await write(slow, slow.page.slice(0, 100_000));
  await write(leaving, leaving.page.slice(0, 100_000));
  next.client.write(next.page);
  for (let times = 0; times < 10; times++) expect(await other.ask('ping')).toHaveProperty('result');
  const answered: string[] = [];
  const replies = [
    slow.client.reply().then((reply) => answered.push(`slow ${reply?.result?.['rows']}`)),
    next.client.reply().then((reply) => answered.push(`next ${reply?.result?.['rows']}`)),
  ];
  leaving.client.socket.destroy();
  expect(await other.ask('ping')).toHaveProperty('result');
  slow.client.write(slow.page.slice(100_000));
  await Promise.all(replies);
  expect(answered).toEqual(['slow 10', 'next 10']);
});

test('an import goes from socket to ledger, and its answer may be asked for again', async () => {
  const client = await administrator();
  const begun = await client.ask('import.begin', { name: 'x\u001b[2J.csv', digest: digest(), rows: 2 });
  const id = begun?.result?.['import'];
  const rows = [
    { line: 2, item: 'Wire flour', quantity: 1.5, unit: 'kg', precision: 3, note: 'mill' },
    { line: 3, item: 'Wire salt', quantity: 0 },
  ];
  expect(await client.ask('import.page', { import: id, page: 0, rows })).toMatchObject({ result: { rows: 2 } });
  const operation = randomUUID();
  const dry = await client.ask('import.accept', { import: id, dryRun: true, operation });
  expect(dry).toMatchObject({ result: { state: 'staged', problems: [], problemsTotal: 0 } });
  const accepted = await client.ask('import.accept', { import: id, operation });
  expect(accepted).toMatchObject({ result: { state: 'accepted', name: 'x\\u{1b}[2J.csv' } });
  expect(await done(client, id)).toMatchObject({ state: 'done', rows: 2, done: 2, user: 'admin' });
  expect(await client.ask('import.accept', { import: id, operation })).toMatchObject({ result: { state: 'done' } });
  const viewed = await client.ask('view', { items: ['wire flour', 'wire salt'] });
  expect(viewed?.result?.['items']).toMatchObject([
    { item: 'Wire flour', quantity: 1.5, unit: 'kg' },
    { item: 'Wire salt', quantity: 0 },
  ]);
  const { movements } = (await client.ask('history', { item: 'Wire flour' }))?.result ?? {};
  expect(movements).toMatchObject([
    { kind: 'add', delta: 1.5, balance: 1.5, user: 'admin', note: 'mill' },
    { kind: 'item', delta: 0 },
  ]);
});

test('rows are judged one by one by the schema, and as a whole before anything is counted', async () => {
  const client = await administrator();
  const begun = await client.ask('import.begin', { digest: digest(), rows: 2 });
  const id = begun?.result?.['import'];
  const good = { line: 2, item: 'Judged', quantity: 1 };
  const bad = [
    { quantity: -1 },
    { quantity: 1.0005 },
    { item: '' },
    { item: 'a\u202e' },
    { precision: 4 },
    { unit: 'x'.repeat(17) },
    { such: 1 },
    { line: 1e300 },
    { line: 2 ** 60 },
  ];
  for (const more of bad) {
    const reply = await client.ask('import.page', { import: id, page: 0, rows: [{ ...good, ...more }] });
    expect([more, reply?.error?.data.code]).toEqual([more, 'bad-params']);
  }
  await client.ask('import.page', { import: id, page: 0, rows: [good, { ...good, line: 3, location: 'nowhere' }] });
  const refused = await client.ask('import.accept', { import: id, operation: randomUUID() });
  expect(refused?.result).toMatchObject({ state: 'staged', problemsTotal: 1, problems: [{ line: 3 }] });
  expect(await client.ask('view', { items: ['Judged'] })).toMatchObject({ error: { data: { code: 'not-found' } } });
  for (const rows of [0, 1_000_001]) {
    const reply = await client.ask('import.begin', { digest: digest(), rows });
    expect(reply?.error?.data.code).toBe('bad-params');
  }
});

test('a manager who is limited imports where they may, and learns nothing of other imports', async () => {
  const own = await startServer();
  const boss = await WireClient.open(own);
  await enrollAdministrator(own, boss);
  await boss.ask('location.add', { location: 'cellar' });
  const shared = digest();
  await boss.ask('import.begin', { digest: shared, rows: 1 });
  await boss.ask('import.page', { import: 1, page: 0, rows: [{ line: 2, item: 'Soap', quantity: 1 }] });
  await boss.ask('import.accept', { import: 1, operation: randomUUID() });
  const { client } = await enrollUser(own, boss, 'mia', 'manager');
  await boss.ask('user.limit', { user: 'mia', locations: ['cellar'] });
  expect(await client.ask('import.status', { import: 1 })).toMatchObject({ error: { message: 'No import 1.' } });
  const begun = await client.ask('import.begin', { digest: shared, rows: 1 });
  const id = begun?.result?.['import'];
  await client.ask('import.page', { import: id, page: 0, rows: [{ line: 2, item: 'Soap', quantity: 1 }] });
  const accept = (of: unknown) => client.ask('import.accept', { import: of, operation: randomUUID() });
  expect((await accept(id))?.result).toMatchObject({
    problems: [{ problem: 'No location "main".', fix: 'Known locations: cellar.' }],
  });
  const second = (await client.ask('import.begin', { digest: digest(), rows: 1 }))?.result?.['import'];
  const rows = [{ line: 2, item: 'Soap', quantity: 7, location: 'cellar' }];
  await client.ask('import.page', { import: second, page: 0, rows });
  expect(await accept(second)).toMatchObject({ result: { state: 'accepted' } });
  await done(client, second);
  expect(await client.ask('view')).toMatchObject({ result: { items: [{ item: 'Soap', quantity: 7 }] } });
});

test('access that ends while an import is looked at ends the look, and nothing is accepted', async () => {
  const boss = await administrator();
  const { client } = await enrollUser(server(), boss, 'hasty', 'manager');
  const rows = (page: number) =>
    Array.from({ length: 1000 }, (_, at) => ({ line: at + 2, item: `Hasty ${page * 1000 + at}`, quantity: 1 }));
  const stage = async (pages: number) => {
    const id = (await client.ask('import.begin', { digest: digest(), rows: pages * 1000 }))?.result?.['import'];
    for (let page = 0; page < pages; page++) await client.ask('import.page', { import: id, page, rows: rows(page) });
    return id;
  };
  const id = await stage(8);
  const answer = client.ask('import.accept', { import: id, operation: randomUUID() }).catch(() => undefined);
  await boss.ask('user.edit', { user: 'hasty', role: 'clerk' });
  expect(await answer).toMatchObject({ error: { data: { code: 'forbidden' } } });
  await boss.ask('user.edit', { user: 'hasty', role: 'manager' });
  const disabled = client.ask('import.accept', { import: id, operation: randomUUID() }).catch(() => undefined);
  await boss.ask('user.disable', { user: 'hasty' });
  expect((await disabled)?.result).toBeUndefined();
  expect(await boss.ask('import.status', { import: id })).toMatchObject({ result: { state: 'staged', done: 8000 } });
});

/** An import of so many rows, all of which are staged. */
async function staged(client: WireClient, rows: number): Promise<unknown> {
  const begun = await client.ask('import.begin', { digest: digest(), rows });
  const id = begun?.result?.['import'];
  for (let page = 0; page * 1000 < rows; page++) {
    const some = Array.from({ length: 1000 }, (_, at) => ({
      line: page * 1000 + at + 2,
      item: `Staged ${page}-${at}`,
      quantity: 1,
    }));
    await client.ask('import.page', { import: id, page, rows: some });
  }
  return id;
}

test('while an import is looked at, its user goes on with everything, but looks at one at a time', async () => {
  const [looking, working, waiting] = [await administrator(), await administrator(), await administrator()];
  const [first, second] = [await staged(looking, 40_000), await staged(waiting, 1000)];
  const answered: string[] = [];
  const look = async (client: WireClient, id: unknown, name: string) => {
    const reply = await client.ask('import.accept', { import: id, dryRun: true, operation: randomUUID() });
    answered.push(name);
    return reply;
  };
  const looks = [look(looking, first, 'first look'), look(waiting, second, 'second look')];
  const lines = Array.from({ length: 17 }, (_, at) => ({ item: `Beside ${at}`, quantity: 1 }));
  expect(await working.ask('add', { lines, operation: randomUUID() })).toHaveProperty('result');
  expect(await working.ask('view', { sort: 'sku', limit: 1 })).toHaveProperty('result');
  expect(answered).toEqual([]);
  for (const reply of await Promise.all(looks))
    expect(reply?.result).toMatchObject({ state: 'staged', problemsTotal: 0 });
  expect(answered).toEqual(['first look', 'second look']);
});
