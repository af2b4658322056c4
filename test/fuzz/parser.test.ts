import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ContextStore } from '../../src/client/context.ts';
import { formatPem } from '../../src/pki/der.ts';
import { ensureCertificates } from '../../src/pki/issue.ts';
import { loadServerCertificates } from '../../src/pki/server-certificates.ts';
import { temporaryFolder } from '../support/server.ts';
import { parserTargets } from './parser-targets.ts';

// `npm run test:fuzz` does the same for minutes. What it finds becomes a test here, or in server.test.ts.

const seed = 20_260_503;

test.each(parserTargets)('$name: whatever is read is taken or refused, at once', async ({ open }) => {
  const target = await open();
  try {
    await target.run(seed, Math.min(target.batchInputs, 300));
  } finally {
    await target.close();
  }
});

test.each(['{}', 'null', '[]', '7', '{"contexts":[]}', '{"contexts":{"a":null}}'])(
  'found: contexts that are JSON and nothing of ours, %s, are damaged',
  async (text) => {
    const folder = await temporaryFolder();
    writeFileSync(join(folder, 'contexts.json'), text);
    await expect(new ContextStore(folder, folder).find(undefined)).rejects.toMatchObject({
      code: 'bad-params',
      message: expect.stringContaining('is damaged'),
    });
  },
);

test.each(['null', '[]', '"x"'])('found: tokens that are JSON and nothing of ours, %s, are damaged', async (text) => {
  const folder = await temporaryFolder();
  const store = new ContextStore(folder, folder);
  await store.writeTokens('a', {});
  writeFileSync(join(folder, 'a.json'), text);
  await expect(store.readTokens('a')).rejects.toMatchObject({ message: expect.stringContaining('is damaged') });
});

test.each(['server.pem', 'client-ca.pem', 'server-ca.pem'])(
  'found: in %s a key that no key can be read from is a damaged certificate',
  async (file) => {
    const folder = await temporaryFolder();
    await ensureCertificates(folder, []);
    const [first = '', ...others] = readFileSync(join(folder, file), 'utf8').split(/(?=-----BEGIN )/);
    const der = Buffer.from(first.replace(/-----[^-]+-----/g, ''), 'base64');
    der[der.indexOf(Buffer.from('03420004', 'hex')) + 3] = 5; // A point in a form that there is not.
    writeFileSync(join(folder, file), formatPem(der, 'CERTIFICATE') + others.join(''));
    await expect(loadServerCertificates(folder)).rejects.toMatchObject({
      code: 'bad-params',
      message: expect.stringContaining('holds a damaged certificate'),
    });
  },
);
