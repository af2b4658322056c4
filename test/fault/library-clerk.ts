import { connect, type Inventory } from '../../src/index.ts';
import { Failure } from '../../src/model/failure.ts';
import type { Change } from './history.ts';
import { type Load, type Login, parseRefusal, unsettled } from './load.ts';
import { countOf, linesOf, moveOf, undoOf } from './request.ts';

const changesMax = 3;

/**
 * A client as people write it: our library, which connects anew, repeats and gives up by itself. What it gives up is sent
 * again under the same id, as its message says.
 */
export async function workWithLibrary(load: Load, login: Login, authority: string): Promise<void> {
  const inventory = await connect({ server: `127.0.0.1:${load.way().port}`, ca: authority, token: login.token });
  const change = async () => {
    while (load.goesOn) await settle(inventory, load, load.nextChange(login), login);
  };
  const look = async () => {
    while (load.goesOn) await lookOnce(inventory, load, login);
  };
  try {
    await Promise.all([...Array.from({ length: changesMax }, change), look()]);
  } finally {
    await inventory.close();
  }
}

async function lookOnce(inventory: Inventory, load: Load, login: Login): Promise<void> {
  const look = load.nextLook(login);
  try {
    load.seen(look, await inventory.view(), login);
  } catch (error) {
    if (!isUnsettled(error)) throw error;
  }
}

async function settle(inventory: Inventory, load: Load, change: Change, login: Login): Promise<void> {
  while (!load.isAbandoned) {
    try {
      load.asked(change, { isRepeatedUnasked: true });
      return load.acknowledged(change, await ask(inventory, change), login);
    } catch (error) {
      const refusal = error instanceof Failure ? parseRefusal(error.code) : undefined;
      if (refusal) return load.refused(change.operation, refusal);
      if (!isUnsettled(error)) throw error;
    }
  }
}

function ask(inventory: Inventory, change: Change): Promise<unknown> {
  if (change.kind === 'move') return inventory.move(moveOf(change));
  if (change.kind === 'count') return inventory.count(countOf(change));
  return change.kind === 'undo' ? inventory.undo(undoOf(change)) : inventory[change.kind](linesOf(change));
}

function isUnsettled(error: unknown): boolean {
  return error instanceof Failure && unsettled.has(error.code);
}
