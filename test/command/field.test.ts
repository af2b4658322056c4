import * as v from 'valibot';
import { expect, test } from 'vitest';
import { parseSince, parseUntil, until } from '../../src/command/field.ts';

test('a day begins at its first millisecond and is over after its last; a time is itself', () => {
  expect(new Date(parseSince('2026-05-03')).toISOString()).toBe('2026-05-03T00:00:00.000Z');
  expect(new Date(parseUntil('2026-05-03')).toISOString()).toBe('2026-05-03T23:59:59.999Z');
  expect(parseUntil('2026-05-03T14:02:00Z')).toBe(Date.parse('2026-05-03T14:02:00Z'));
});

test('only days that there are', () => {
  const isTime = (text: string) => v.is(until, text);
  expect(['2028-02-29', '2026-12-31T23:59:59+02:00'].filter(isTime)).toHaveLength(2);
  expect(['2026-02-29', '2026-02-30T10:00:00Z', '2026-04-31', '2026-13-01'].filter(isTime)).toEqual([]);
});
