import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { compiledPrograms } from '../support/programs.ts';
import { shareServer } from '../support/shared-server.ts';
import { testPassword, WireClient } from '../support/wire-client.ts';

const { client: program } = await compiledPrograms();
const server = shareServer();

test('a page of little among very much is as long as it was asked for, whatever the server looks at at a time', async () => {
  const { port, folder, certs, grant } = server();
  const beside = new DatabaseSync(join(folder, 'data', 'inventory.db'));
  // Of each 15,000 the last one is there still.
  beside.exec(`
    WITH RECURSIVE one (id) AS (VALUES (100001) UNION ALL SELECT id + 1 FROM one WHERE id < 145000)
    INSERT INTO item (id, name, key, archived_at) SELECT id, id, id, iif((id - 100000) % 15000, 1, NULL) FROM one`);
  beside.close();
  const client = await WireClient.open(server());
  await client.ask('authenticate', { token: grant['accessToken'] });
  expect(await client.ask('view')).toMatchObject({ result: { items: [], cursor: expect.any(String) } });

  const env = { HOME: folder, SECURE_INV_SERVER: `127.0.0.1:${port}`, SECURE_INV_CA: join(certs, 'server-ca.pem') };
  const run = async (...words: readonly string[]) => {
    const child = promisify(execFile)(process.execPath, [program, ...words], { env });
    child.child.stdin?.end(`${testPassword}\n`);
    return (await child).stdout;
  };
  await run('login', '--user', 'admin', '--password-stdin');
  const table = await run('view');
  expect(table.match(/^1\d+/gm)).toEqual(['115000', '130000', '145000']);
  expect(table).not.toContain('--cursor');
  const named = (text: string) => {
    const { items, cursor }: { items: { item: string }[]; cursor?: string } = JSON.parse(text);
    return { items: items.map(({ item }) => item), cursor };
  };
  const first = named(await run('view', '--json', '--limit', '2'));
  expect(first).toEqual({ items: ['115000', '130000'], cursor: expect.any(String) });
  const next = named(await run('view', '--json', '--limit', '2', '--cursor', `${first.cursor}`));
  expect(next).toEqual({ items: ['145000'], cursor: undefined });
});
