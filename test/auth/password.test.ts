import { expect, test } from 'vitest';
import { makeDummyHash, PasswordHasher } from '../../src/auth/password.ts';

const settings = { memoryKibibytes: 19456, passes: 2, charactersMin: 12 };
const from = { address: '127.0.0.1', isKnown: true };

test('who has no password is checked against a hash like all others, which no password has', async () => {
  const hasher = new PasswordHasher(settings);
  const dummy = makeDummyHash(settings);
  // All that tells how much work a check is: the function, its parameters, and how long salt and hash are.
  const workOf = (hash: string) => hash.split('$').map((part, at) => (at < 4 ? part : part.length));
  expect(workOf(dummy)).toEqual(workOf(await hasher.hash('Crimson-anchor-meadow-58', from)));
  expect(hasher.isOutdated(dummy)).toBe(false);
  expect(await hasher.verify(dummy, 'Crimson-anchor-meadow-58', from)).toBe(false);
  expect(await hasher.verify(null, 'Crimson-anchor-meadow-58', from)).toBe(false);
  expect(makeDummyHash(settings)).not.toBe(dummy);
});
