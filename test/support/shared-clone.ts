import { afterAll, beforeAll } from 'vitest';
import { type Clone, makeClone } from './clone.ts';

/** Makes a clone before the first test of the file and removes it after the last. */
export function shareClone(): () => Clone {
  let clone: Clone | undefined;
  beforeAll(async () => {
    clone = await makeClone();
  });
  afterAll(() => clone?.remove());
  return () => {
    if (!clone) throw new Error('The shared clone is there only while tests run.');
    return clone;
  };
}
