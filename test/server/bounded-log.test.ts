import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { boundedLinesPerSecondMax } from '../../src/model/limits.ts';
import { BoundedLog } from '../../src/server/bounded-log.ts';

afterEach(() => void vi.useRealTimers());

test('of what somebody causes at will so many lines are told in a second, and then how many were left out', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const lines: { msg: string }[] = [];
  const bounded = new BoundedLog(pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line)) }), 'trees');
  for (let at = 0; at < boundedLinesPerSecondMax + 5; at++) bounded.tell('warn', { at }, 'a tree');
  expect(lines.map(({ msg }) => msg)).toEqual(Array(boundedLinesPerSecondMax).fill('a tree'));
  vi.advanceTimersByTime(1000);
  bounded.tell('warn', {}, 'another');
  expect(lines.slice(boundedLinesPerSecondMax)).toMatchObject([
    { msg: 'so many lines about trees were left out', lines: 5 },
    { msg: 'another' },
  ]);
});
