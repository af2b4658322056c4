// A process of its own that opens the store named by its argument and does what it is told: see store-process.ts.
import { type Failure, parseFailureCode } from '../../src/model/failure.ts';
import { openStore } from '../../src/store/open.ts';
import type { Told } from './store-process.ts';

const store = await openStore(`sqlite:${process.argv[2]}`, { exclusive: true });

process.on('message', async ({ id, method, args }: Told) => {
  try {
    // store-process.ts has the types of the store, and so the arguments fit the method.
    const call = store[method] as (...values: readonly unknown[]) => Promise<unknown>;
    process.send?.({ id, result: await call(...args) });
  } catch (error) {
    const { message, code } = error as Failure; // Whatever else was thrown has no code, and the test sees its message.
    process.send?.({ id, refused: parseFailureCode(code) ?? message });
  }
});
process.send?.('open');
