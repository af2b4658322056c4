import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compiledPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/server.ts';
import { Receiver, status, verifying } from './receiver.ts';

const { server: program } = await compiledPrograms();

/** What `secure-invd notify test` says, with its store in the folder and nothing else configured. */
async function runTrial(folder: string, ...flags: readonly string[]) {
  const config = join(folder, 'server.jsonc');
  await writeFile(config, '{}');
  const words = [`--config=${config}`, `--store=sqlite:${join(folder, 'inventory.db')}`, ...flags, 'notify', 'test'];
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (said.err += text));
  const [exit] = await once(child, 'close');
  return { ...said, exit };
}

async function openFolder(secret: string): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'webhook-secret'), `${secret}\n`, { mode: 0o600 });
  return folder;
}

const secret = 'only-the-two-of-us-know-this-very-long-one';

test('a trial tells which webhooks have taken a signed message, and nothing secret', async () => {
  const [good, bad] = [await Receiver.open(), await Receiver.open()];
  good.answer = verifying(secret);
  bad.answer = status(302, { location: good.url });
  const folder = await openFolder(secret);
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, (await readFile(good.caFile, 'utf8')) + (await readFile(bad.caFile, 'utf8')));
  const flags = [`--notify-ca=${ca}`, '--notify-webhooks'];
  expect(await runTrial(folder, ...flags, good.url)).toEqual({
    out: `notify.webhooks[0] (127.0.0.1:${good.port}) has taken the message.\n`,
    err: '',
    exit: 0,
  });
  const [received] = good.received;
  const body = JSON.parse(received?.body ?? '');
  expect(body).toEqual({ id: received?.headers['secure-inv-delivery'], event: 'test', at: expect.any(String) });

  const other = await runTrial(folder, ...flags, `${good.url},${bad.url},https://127.0.0.2:${good.port}/hush`);
  expect(other.out.split('\n')).toEqual([
    `notify.webhooks[0] (127.0.0.1:${good.port}) has taken the message.`,
    `notify.webhooks[1] (127.0.0.1:${bad.port}) has not taken the message: HTTP status 302.`,
    `notify.webhooks[2] (127.0.0.2:${good.port}) has not taken the message: ERR_TLS_CERT_ALTNAME_INVALID.`,
    '',
  ]);
  expect(other.err).toContain('secure-invd: 2 of 3 webhooks cannot be told of low stock.\nhint: See to the receiver');
  expect(other.exit).toBe(1);
  for (const hidden of ['hush', secret]) expect(other.out + other.err).not.toContain(hidden);
  expect([good.received.length, bad.received.length]).toEqual([2, 1]);
});

test('a trial without webhooks, or with a secret that others can read, sends nothing', async () => {
  const receiver = await Receiver.open();
  const folder = await openFolder(secret);
  expect(await runTrial(folder)).toEqual({
    out: '',
    err: 'secure-invd: No webhook is configured.\nhint: List the https URLs of your receivers in notify.webhooks.\n',
    exit: 1,
  });
  await chmod(join(folder, 'webhook-secret'), 0o644);
  const open = await runTrial(folder, `--notify-ca=${receiver.caFile}`, '--notify-webhooks', receiver.url);
  expect(open).toMatchObject({ out: '', err: expect.stringContaining('is open to others.'), exit: 1 });
  expect(open.err).not.toContain(secret);
  expect(receiver.received).toEqual([]);
  await expect(stat(join(folder, 'inventory.db'))).rejects.toMatchObject({ code: 'ENOENT' });
});
