import { expect, test } from 'vitest';
import { outdated } from '../../scripts/docs.ts';

test('the generated documents say what the code says (npm run docs)', () => {
  expect(outdated()).toEqual([]);
});
