import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadServerConfig } from '../../src/config/server.ts';
import { makeAdministratorLink } from '../../src/daemon.ts';
import { temporaryFolder } from '../support/server.ts';

test('a link for an administrator of a store that is not there is refused, and none is made', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'mistyped', 'inv.db');
  const flags = { store: `sqlite:${path}`, 'certs.folder': join(folder, 'certs') };
  await expect(makeAdministratorLink(loadServerConfig({ flags, env: {} }).config, 'admin')).rejects.toMatchObject({
    code: 'not-found',
    message: `There is no store ${path}.`,
  });
  expect(await readdir(folder)).toEqual([]);
});
