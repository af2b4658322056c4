import { expect, test } from 'vitest';
import { checkParams } from '../../src/command/check.ts';
import { endOf } from '../../src/command/field.ts';
import { history } from '../../src/command/history.ts';

test('a day is meant to its end where something ends, and an hour as it is', () => {
  expect(endOf('2026-05-03')).toBe(Date.parse('2026-05-04T00:00:00Z') - 1);
  expect(endOf('2026-05-03T14:02:00+02:00')).toBe(Date.parse('2026-05-03T12:02:00Z'));
});

test.each(['2026-02-30', '2025-02-29', '2026-13-01', '2026-02-30T10:00:00Z'])(
  '%s is no time: no calendar has it',
  (since) => {
    expect(() => checkParams(history, { since })).toThrow('a time must be like 2026-05-03');
  },
);

test('2024-02-29 is one', () => {
  expect(checkParams(history, { since: '2024-02-29' })).toEqual({ since: '2024-02-29' });
});
