import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { verifyStore } from '../../src/store/files.ts';
import { startServer, temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, testPassword, WireClient } from '../support/wire-client.ts';
import { times } from './length.ts';
import { mountSmallDisk, type SmallDisk, whyNoDisk } from './small-disk.ts';
import { tryUnder } from './trial.ts';

const probe = mkdtempSync(join(tmpdir(), 'disk-'));
const reason = whyNoDisk(probe);
rmdirSync(probe);
const skipped = reason === undefined ? '' : ` (skipped: ${reason})`;

test.skipIf(reason !== undefined)(
  `on a full disk changes are refused, reads, logins and refreshes go on, and all goes on when there is room${skipped}`,
  async () => {
    const folder = await temporaryFolder();
    const disk = await mountSmallDisk(join(folder, 'small'), 48);
    onTestFinished(() => disk.unmount());
    const path = join(folder, 'small', 'data', 'inv.db');
    const server = await startServer({ flags: { store: `sqlite:${path}` } });
    const client = await WireClient.open(server);
    const { refreshToken } = await enrollAdministrator(server, client);
    const add = (item: string, operation: string) =>
      client.ask('add', { item, quantity: 1, operation, note: 'x'.repeat(200) });
    await add('Soap', randomUUID());
    for (let round = 0; round < times(1, 10); round++) {
      disk.fill();
      const refused: string[] = [];
      for (let tries = 0; refused.length < 3; tries++) {
        const operation = randomUUID();
        const reply = await add(`Item ${tries % 50}`, operation);
        // Until the log needs another page of the disk, which is soon.
        expect(tries).toBeLessThan(2000);
        if (reply?.error) {
          expect(reply.error).toMatchObject({ message: 'The disk is full; nothing was changed.' });
          refused.push(operation);
        }
      }
      const viewed = await client.ask('view', { items: ['Soap'] });
      expect(viewed?.result?.['items']).toMatchObject([{ item: 'Soap' }]);
      const another = await WireClient.open(server);
      expect(await another.ask('login', { user: 'admin', password: testPassword })).toHaveProperty(
        'result.accessToken',
      );
      const refresher = await WireClient.open(server);
      if (round === 0) expect(await refresher.ask('refresh', { refreshToken })).toHaveProperty('result.refreshToken');
      const audited = await client.ask('audit', { event: 'login', limit: 1 });
      expect(audited?.result?.['records']).toMatchObject([{ subject: 'admin' }]);
      const status = await client.ask('server.status');
      expect(status?.result?.['warnings']).toContain('The disk is full; nothing was changed.');
      expect(await client.ask('location.add', { location: 'attic' })).toHaveProperty('error.data.code', 'storage');

      disk.empty();
      const [operation = ''] = refused;
      await expect.poll(() => add('Item 0', operation), { timeout: 5000 }).toHaveProperty('result');
      expect((await client.ask('server.status'))?.result?.['warnings']).toEqual([]);
    }
    await expect(verifyStore(`sqlite:${path}`, () => undefined)).resolves.toHaveProperty('root');
  },
);

const fillings = times(1, 30);

test.skipIf(reason !== undefined)(
  `a disk that is full ${fillings} times under load loses and doubles nothing, and looks go on${skipped}`,
  { timeout: times(60_000, 900_000) },
  async () => {
    let disk: SmallDisk | undefined;
    const outcome = await tryUnder(
      async (stage) => {
        const { load } = stage;
        const looks = () => load.history.filter(({ what }) => what === 'seen').length;
        for (let filling = 0; filling < fillings; filling++) {
          disk?.fill();
          await sleep(100);
          const before = looks();
          await expect.poll(looks, { timeout: 5000 }).toBeGreaterThan(before);
          if (filling % 3 === 1) await stage.server.kill();
          disk?.empty();
          if (filling % 3 === 1) await stage.restart();
          await load.progress(50);
        }
      },
      {
        async prepare(folder) {
          const small = await mountSmallDisk(join(folder, 'data'), 96);
          onTestFinished(() => small.unmount());
          disk = small;
          return process.env;
        },
      },
    );
    expect(outcome.violations).toEqual([]);
    expect(outcome.repeated).toBeGreaterThan(fillings);
  },
);
