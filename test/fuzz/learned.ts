import { standIns } from './params.ts';

/** What stands for a text of a result, by the name that the result has for it. */
const texts = { cursor: '<cursor>', refreshToken: '<refresh>', device: '<device>', code: '<code>', token: '<api>' };

/** What later inputs may show of a result, each behind what stands for it. */
export function* learnedFrom(result: Readonly<Record<string, unknown>>): Iterable<[string, string]> {
  for (const [key, placeholder] of Object.entries(texts)) {
    const found = result[key];
    if (typeof found === 'string') yield [placeholder, found];
  }
  if (typeof result['token'] === 'string' && typeof result['id'] === 'string') yield ['<token-id>', result['id']];
  const [session] = Array.isArray(result['sessions']) ? result['sessions'] : [];
  if (typeof session?.id === 'string') yield ['<session>', session.id];
  const { item, change } = result;
  const isArchived = typeof change === 'object' && change !== null && 'archived' in change && change.archived === true;
  // As it stands in a string of JSON: a name may have quotes.
  if (isArchived && typeof item === 'string') yield ['<archived>', JSON.stringify(item).slice(1, -1)];
  for (const key of ['import', 'seq'] as const) {
    const found = result[key];
    if (typeof found === 'number') yield [String(standIns[key]), String(found)];
  }
}
