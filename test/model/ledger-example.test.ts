import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { appendLeaf, type Frontier, formatRecord, leafHash, rootOf, type Sha256 } from '../../src/model/ledger.ts';

const sha256: Sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The lines of a fenced block of src/wire/README.md. */
function block(name: string): string[] {
  const page = readFileSync(new URL('../../src/wire/README.md', import.meta.url), 'utf8');
  const [, text] = new RegExp(`\`\`\`\\w+ ${name}\\n([^]*?)\n\`\`\``).exec(page) ?? [];
  return text?.split('\n') ?? [];
}

test('the records in the description of the wire have these very bytes and hashes', () => {
  const lines = block('ledger-records');
  expect(lines).toHaveLength(2);
  let frontier: Frontier = [];
  const hashes = lines.map((line, size) => {
    const { at, balanceThousandths, deltaThousandths, v, ...rest } = JSON.parse(line);
    const record = { ...rest, at: Date.parse(at), balance: balanceThousandths, delta: deltaThousandths };
    expect(formatRecord(record)).toBe(line);
    const leaf = leafHash(record, sha256);
    frontier = appendLeaf(frontier, size, leaf, sha256);
    return Buffer.from(leaf).toString('hex');
  });
  const root = Buffer.from(rootOf(frontier, sha256)).toString('hex');
  expect([...hashes, root]).toEqual(block('ledger-hashes'));
});
