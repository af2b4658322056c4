import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, openAs, WireClient } from '../support/wire-client.ts';
import { times } from './length.ts';
import { startProcess } from './server-process.ts';

const rows = times(3000, 30_000);
const items = 40;
const kills = times(6, 60);

test(
  `an accepted import survives ${kills} kills -9, and counts each of its ${rows} rows once`,
  async () => {
    const folder = await temporaryFolder();
    let server = await startProcess(folder, true);
    onTestFinished(() => server.kill());
    const { link } = server;
    if (!link) throw new Error('The server printed no link.');
    const client = await WireClient.open(server);
    const { accessToken } = await enrollAdministrator({ ...server, link: () => link }, client);
    const id = await acceptImport(client);
    const done: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      // A kill is worth something between two commits of the import, not before the first or after the last.
      const looking = await openAs(server, accessToken);
      const before = await doneOf(looking, id);
      while ((await doneOf(looking, id)) === before && before < rows) await sleep(1);
      await server.kill();
      server = await startProcess(folder);
      done.push(await doneOf(await openAs(server, accessToken), id));
    }
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(done[0]).toBeLessThan(rows);
    const last = await openAs(server, accessToken);
    await expect.poll(() => doneOf(last, id), { timeout: 30_000 }).toBe(rows);

    const movements = await allMovements(last);
    expect(movements.filter(({ kind }) => kind === 'add')).toHaveLength(rows);
    const noted = movements.filter(({ kind }) => kind === 'add').map(({ note }) => Number(note));
    expect(noted.sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, at) => at));
    const stock = (await last.ask('view', { limit: 1000 }))?.result?.['items'] as { item: string; quantity: number }[]; // As src/wire/README.md has it.
    const sums = new Map<string, number>();
    for (let at = 0; at < rows; at++) sums.set(itemOf(at), (sums.get(itemOf(at)) ?? 0) + at + 1);
    expect(new Map(stock.map(({ item, quantity }) => [item, quantity]))).toEqual(new Map([...sums].sort()));
  },
  times(120_000, 900_000),
);

const itemOf = (at: number) => `Item ${at % items}`;

/** Every row has its number as its note, and so is an operation of its own. */
async function acceptImport(client: WireClient): Promise<number> {
  const begun = await client.ask('import.begin', { digest: 'a'.repeat(64), rows });
  const id = Number(begun?.result?.['import']);
  for (let page = 0; page * 500 < rows; page++) {
    const at = (index: number) => page * 500 + index;
    const row = (_: unknown, index: number) => ({
      line: at(index) + 2,
      item: itemOf(at(index)),
      quantity: at(index) + 1,
      unit: 'kg',
      note: String(at(index)),
    });
    await client.ask('import.page', { import: id, page, rows: Array.from({ length: 500 }, row) });
  }
  const operation = '0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e';
  expect(await client.ask('import.accept', { import: id, operation })).toMatchObject({ result: { state: 'accepted' } });
  return id;
}

async function doneOf(client: WireClient, id: number): Promise<number> {
  return Number((await client.ask('import.status', { import: id }))?.result?.['done']);
}

async function allMovements(client: WireClient): Promise<{ kind: string; note?: string }[]> {
  const all: { kind: string; note?: string }[] = [];
  for (let cursor: unknown; ; ) {
    const page = await client.ask('history', { limit: 1000, ...(cursor === undefined ? {} : { cursor }) });
    all.push(...((page?.result?.['movements'] ?? []) as typeof all)); // As src/wire/README.md has it.
    cursor = page?.result?.['cursor'];
    if (cursor === undefined) return all;
  }
}
