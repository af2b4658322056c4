import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeEnding, renewalOf } from '../../src/pki/ending.ts';
import { LiveCertificates } from '../../src/pki/live-certificates.ts';
import { certificateFolder, day } from './folder.ts';

const now = Date.parse('2026-05-03T12:00:00Z');
const all = renewalOf(new Set(['server-ca-key.pem', 'client-ca-key.pem']));
const none = renewalOf(new Set());

function told(file: string, days: number, isRenewed = none): string | undefined {
  return describeEnding('/etc/certs', { file, at: now + days * day }, now, isRenewed);
}

test.each([
  ['server.pem', none, 30.9],
  ['server.pem', all, 7.9],
  ['client-crl.pem', none, 14.9],
  ['client-crl.pem', all, 7.9],
  ['server-ca.pem', none, 30.9],
  ['server-ca.pem', all, 30.9],
  ['client-ca.pem', all, 30.9],
] as const)('%s is warned of when something can be done, not before', (file, isRenewed, days) => {
  expect(told(file, days, isRenewed)).toMatch(
    /^\/etc\/certs\/\S+ ends in \d+ days \(2026-.* UTC\)\. .*npm run gen-certs/,
  );
  expect(told(file, days + 0.2, isRenewed)).toBeUndefined();
});

test('the words are those of a person, and name the command', () => {
  expect(told('server.pem', 1.5)).toBe(
    '/etc/certs/server.pem ends in 1 day (2026-05-05 00:00 UTC). Bring server-ca-key.pem back into the folder and run: npm run gen-certs -- --force --folder /etc/certs',
  );
  expect(told('client-crl.pem', 0.5, all)).toBe(
    '/etc/certs/client-crl.pem ends within a day (2026-05-04 00:00 UTC). The server could not renew it (its log says why). Run: npm run gen-certs -- --folder /etc/certs',
  );
  expect(told('client-ca.pem', -1)).toBe(
    '/etc/certs/client-ca.pem has ended (2026-05-02 12:00 UTC). Run: npm run gen-certs -- --force --new-authority --folder /etc/certs (everything is issued and trusted anew)',
  );
});

test('the log is told 30 days ahead and daily in the last week of what the server cannot renew', async () => {
  const toldAfter = async (days: number, hasKey = false) => {
    const folder = await certificateFolder();
    if (!hasKey) await rm(join(folder, 'server-ca-key.pem'));
    const told: [string, number][] = [];
    const live = await LiveCertificates.open(folder, () => Date.now() + days * day, {
      onProblem: () => undefined,
      onEnding: (file, left) => void told.push([file, left]),
    });
    await live.close();
    return told;
  };
  expect(await toldAfter(59.5, true)).toEqual([]); // It is renewed in half a day.
  expect(await toldAfter(58.5)).toEqual([]);
  expect(await toldAfter(59.5)).toEqual([['server.pem', 30]]);
  expect(await toldAfter(60.5)).toEqual([]);
  expect(await toldAfter(82.5)).toEqual([['server.pem', 7]]);
  expect(await toldAfter(88.5)).toEqual([['server.pem', 1]]);
});
