import { randomBytes } from 'node:crypto';
import { WireClient } from '../support/wire-client.ts';
import type { Load } from './load.ts';

const rows = 600;
/** Of three bytes a letter; a page of rows may have a MiB. */
const longest = '三'.repeat(200);

/**
 * Lets the log of the store grow by a MiB and the ledger by nothing, so that a checkpoint comes soon: an import is staged
 * that nobody accepts. A server that is killed meanwhile has done enough.
 */
export async function growLog({ way, token }: Load): Promise<void> {
  const cleanings: (() => void)[] = [];
  try {
    const client = await WireClient.open(way(), {}, (clean) => cleanings.push(clean));
    await client.ask('authenticate', { token });
    const begun = await client.ask('import.begin', { digest: randomBytes(32).toString('hex'), rows });
    const row = (_: unknown, at: number) => ({
      line: at + 2,
      item: `Grown ${at}`,
      quantity: 1,
      description: longest,
      note: longest,
    });
    const page = { import: begun?.result?.['import'], page: 0, rows: Array.from({ length: rows }, row) };
    await client.ask('import.page', page);
  } catch {
    // It was killed before it listened to this.
  } finally {
    for (const clean of cleanings) clean();
  }
}
