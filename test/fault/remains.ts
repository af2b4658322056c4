import { WireClient } from '../support/wire-client.ts';
import { beginning, type Movement, type Remains } from './history.ts';
import type { Way } from './load.ts';
import { readStock } from './result.ts';

/** All that a server has, or has got since, as whoever has this token sees it. */
export async function readRemains(server: Way, token: string, since = beginning): Promise<Remains> {
  return converse(server, async (client) => {
    await client.ask('authenticate', { token });
    const ledger: Movement[] = [];
    for (let cursor: unknown; ; ) {
      const page = await client.ask('history', { limit: 1000, ...(cursor === undefined ? {} : { cursor }) });
      if (!page?.result) throw new Error('The history cannot be read.');
      const movements = page.result['movements'] as Movement[]; // As src/wire/README.md has it.
      ledger.push(...movements.filter(({ seq }) => seq > since.seq));
      cursor = page.result['cursor'];
      if (cursor === undefined || ledger.at(-1)?.seq === since.seq + 1) break;
    }
    const viewed = await client.ask('view');
    return { since, ledger: ledger.reverse(), stock: readStock(viewed?.result).quantities };
  });
}

/** Does something on a connection that is closed afterwards. */
export async function converse<T>(server: Way, use: (client: WireClient) => Promise<T>): Promise<T> {
  const cleanings: (() => void)[] = [];
  try {
    return await use(await WireClient.open(server, {}, (clean) => cleanings.push(clean)));
  } finally {
    for (const clean of cleanings) clean();
  }
}
