import { expect, test } from 'vitest';
import { RecentMap } from '../../src/auth/recent-map.ts';

test('a recent map keeps as many values as it may, and forgets the one that was used longest ago', () => {
  const map = new RecentMap<string[]>(2, () => []);
  map.get('a').push('kept');
  map.get('b').push('forgotten');
  expect(map.get('a')).toEqual(['kept']);
  map.get('c').push('new');
  expect(map.get('a')).toEqual(['kept']);
  expect(map.get('c')).toEqual(['new']);
  expect(map.get('b')).toEqual([]);
  expect(map.get('a')).toEqual([]);
});
