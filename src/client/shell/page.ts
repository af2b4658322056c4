import type { Command } from '../../command/command.ts';
import { pageRowsDefault } from '../../model/limits.ts';
import type { ClientSession } from '../call.ts';

/**
 * Asks, and of a page asks on until it is as long as was asked for: where little of very much fits, the server looks at so
 * much at a time. A page that leads back to itself is the last.
 */
export async function askForPage(
  session: ClientSession,
  command: Command,
  params: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const { pageOf } = command.shell ?? {};
  const first = await session.call(command, params);
  if (pageOf === undefined) return first;
  const most = Number(params['limit'] ?? pageRowsDefault);
  const rows = [...rowsOf(first[pageOf])];
  const seen = new Set<unknown>();
  let { cursor } = first;
  while (cursor !== undefined && rows.length < most && !seen.has(cursor)) {
    seen.add(cursor);
    const page = await session.call(command, { ...params, limit: most - rows.length, cursor });
    rows.push(...rowsOf(page[pageOf]));
    ({ cursor } = page);
  }
  const { cursor: _, ...rest } = first;
  return { ...rest, [pageOf]: rows, ...(cursor === undefined ? {} : { cursor }) };
}

function rowsOf(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? list : [];
}
