import { connect, type Inventory } from '../../src/index.ts';
import { Failure } from '../../src/model/failure.ts';
import type { Change } from './history.ts';
import { type Load, refusals, unsettled } from './load.ts';

const changesMax = 3;

/**
 * A client as people write it: our library, which connects anew, repeats and gives up by itself. What it gives up is sent
 * again under the same id, as its message says.
 */
export async function workWithLibrary(load: Load, authority: string): Promise<void> {
  const inventory = await connect({ server: `127.0.0.1:${load.way().port}`, ca: authority, token: load.token });
  const change = async () => {
    while (load.goesOn) await settle(inventory, load, load.nextChange());
  };
  const look = async () => {
    while (load.goesOn) await lookOnce(inventory, load);
  };
  try {
    await Promise.all([...Array.from({ length: changesMax }, change), look()]);
  } finally {
    await inventory.close();
  }
}

async function lookOnce(inventory: Inventory, load: Load): Promise<void> {
  const look = load.nextLook();
  try {
    load.seen(look, await inventory.view());
  } catch (error) {
    if (!isUnsettled(error)) throw error;
  }
}

async function settle(inventory: Inventory, load: Load, { operation, item, delta }: Change): Promise<void> {
  while (!load.isAbandoned) {
    try {
      load.asked({ operation, item, delta });
      const params = { operation, item, quantity: Math.abs(delta) };
      load.acknowledged(operation, await (delta > 0 ? inventory.add(params) : inventory.take(params)));
      return;
    } catch (error) {
      if (error instanceof Failure && refusals.has(error.code)) {
        // The library repeats unasked, so nobody here knows that it was sent but once.
        load.asked({ operation, item, delta });
        load.refused(operation);
        return;
      }
      if (!isUnsettled(error)) throw error;
    }
  }
}

function isUnsettled(error: unknown): boolean {
  return error instanceof Failure && unsettled.has(error.code);
}
