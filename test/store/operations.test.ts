import { expect, test } from 'vitest';
import { hashBody } from '../../src/store/sqlite/operations.ts';
import { countOf, intentOf, moveOf, undoOf } from './intent.ts';

test('a body has the hash that operations of every store since the first have: a retry may come after an upgrade', () => {
  const lines = [
    ['Maggi', 200],
    ['Straße', 0.5, 'Cellar'],
  ] as const;
  const hashes = [
    intentOf('add', lines, { note: 'n' }),
    intentOf('take', lines),
    moveOf([['Maggi', 1, 'main', 'Cellar']]),
    countOf('Maggi', 0, { ifSeq: 7 }),
    undoOf(7, { note: 'n' }),
  ].map((intent) => Buffer.from(hashBody(intent)).toString('hex').slice(0, 16));
  expect(hashes).toEqual([
    'a007cd7aab22dc74',
    '2cd2aab0f775118c',
    'abbf95df73bb4535',
    'fc4812ac7176581d',
    '8c81dc97f4b46d2a',
  ]);
});
