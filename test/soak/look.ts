import type { ServerProcess } from '../fault/server-process.ts';
import { WireClient } from '../support/wire-client.ts';

/** What of a movement is judged. */
export interface Movement {
  readonly operation: string;
  readonly item: string;
  readonly delta: number;
  readonly seq: number;
}

interface Stock {
  readonly movements: readonly Movement[];
  readonly balances: ReadonlyMap<string, number>;
}

/** All that a server has, as whoever has this token sees it. */
export async function look(server: ServerProcess, token: string): Promise<Stock> {
  return open(server, async (client) => {
    await client.ask('authenticate', { token });
    const movements: Movement[] = [];
    for (let cursor: unknown; ; ) {
      const page = await client.ask('history', { limit: 1000, ...(cursor === undefined ? {} : { cursor }) });
      const rows = page?.result?.['movements'] as Movement[]; // As src/wire/README.md has it.
      movements.push(...rows);
      cursor = page?.result?.['cursor'];
      if (cursor === undefined) break;
    }
    const viewed = await client.ask('view');
    const stock = viewed?.result?.['items'] as { item: string; quantity: number }[]; // As above.
    return { movements, balances: new Map(stock.map(({ item, quantity }) => [item, quantity])) };
  });
}

async function open<T>(server: ServerProcess, use: (client: WireClient) => Promise<T>): Promise<T> {
  const cleanings: (() => void)[] = [];
  try {
    return await use(await WireClient.open(server, {}, (clean) => cleanings.push(clean)));
  } finally {
    for (const clean of cleanings) clean();
  }
}
