import * as v from 'valibot';
import { expect, test } from 'vitest';
import { checkParams } from '../../src/command/check.ts';
import { parseSpan, until } from '../../src/command/field.ts';
import { renderProblems } from '../../src/command/import/accept.ts';
import { importStatus } from '../../src/command/import/status.ts';
import { tokenCreate } from '../../src/command/token/create.ts';
import { watch } from '../../src/command/watch.ts';

test('a day begins at its first millisecond and is over after its last; a time is itself', () => {
  const day = parseSpan({ since: '2026-05-03', until: '2026-05-03' });
  expect(new Date(day.since ?? 0).toISOString()).toBe('2026-05-03T00:00:00.000Z');
  expect(new Date(day.until ?? 0).toISOString()).toBe('2026-05-03T23:59:59.999Z');
  const time = '2026-05-03T14:02:00Z';
  expect(parseSpan({ until: time })).toEqual({ since: undefined, until: Date.parse(time) });
  expect(parseSpan({ since: time, until: time })).toEqual({ since: Date.parse(time), until: Date.parse(time) });
  expect(() => parseSpan({ since: '2026-05-04', until: '2026-05-03' })).toThrow('since is after until');
});

test('only days that there are', () => {
  const isTime = (text: string) => v.is(until, text);
  expect(['2028-02-29', '2026-12-31T23:59:59+02:00'].filter(isTime)).toHaveLength(2);
  expect(['2026-02-29', '2026-02-30T10:00:00Z', '2026-04-31', '2026-13-01'].filter(isTime)).toEqual([]);
});

test('a number that is none of those allowed is refused by naming them', () => {
  for (const number of [-1, 1.5, '-1']) {
    expect(() => checkParams(watch, { after: number })).toThrow(
      `after must be the number of a movement, a whole number from 0 (got ${JSON.stringify(number)}).`,
    );
    expect(() => checkParams(tokenCreate, { name: 'pc', role: 'viewer', days: number })).toThrow(
      `days must be a whole number from 1 to 365 (got ${JSON.stringify(number)}).`,
    );
    expect(() => checkParams(importStatus, { import: number })).toThrow(
      `import must be a whole number from 1 (got ${JSON.stringify(number)}).`,
    );
  }
});

test('what is wrong with a file is never cut: where a table would be, it is told in lines', () => {
  const problems = [{ line: 4, problem: 'No location "Attic".', fix: 'Add it: secure-inv location add "Attic"' }];
  const screen = { now: null, bold: String, dim: String, server: '', enrolmentLink: String };
  expect(renderProblems(problems, { ...screen, columns: 80 })).toBe(
    `LINE  PROBLEM               FIX\n   4  No location "Attic".  Add it: secure-inv location add "Attic"`,
  );
  expect(renderProblems(problems, { ...screen, columns: 60 })).toBe(
    'Line 4: No location "Attic". Add it: secure-inv location add "Attic"',
  );
});
