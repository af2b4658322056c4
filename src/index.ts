import { type Inventory, openInventory } from './client/inventory.ts';
import { loadClientEnvironment } from './config/client.ts';

export type { HistoryExport, MovementRow, StockExport, StockRow } from './client/export.ts';
export { type ImportProgress, ImportRefusal, type ImportStatus } from './client/import.ts';
export type { ImportOptions, ImportRow } from './client/import-typed.ts';
export type { Inventory } from './client/inventory.ts';
export type { WatchedMovement, WatchOptions } from './client/watch.ts';
export { Failure, type FailureCode, type FailureDetails } from './model/failure.ts';

/** Where and who. What is left out is taken from `SECURE_INV_…` variables, then from the current context. */
export interface ConnectOptions {
  /** A context that `secure-inv login` made. */
  readonly context?: string;
  /** HOST or HOST:PORT. */
  readonly server?: string;
  /** A file with the authority to trust, PEM. */
  readonly ca?: string;
  /** Files with a client certificate and its key, PEM. */
  readonly cert?: string;
  readonly key?: string;
  /** An access token or an API token. */
  readonly token?: string;
}

/**
 * The inventory on a server, as the user who logged in with `secure-inv login`, or by certificate or token. Connects at
 * the first call, again when the connection was lost, and renews tokens unasked. A certificate of `secure-inv cert request` is
 * renewed here when it is due: who runs for longer than a week calls this again now and then. An `add` or `take` whose answer was
 * lost is repeated under its operation id, and so counted once.
 *
 * Every refusal is a `Failure`: `code` is one of the codes in src/wire/README.md, `message` a sentence, `details.hint`
 * what to do next.
 */
export function connect(options: ConnectOptions = {}): Promise<Inventory> {
  return openInventory({ ...loadClientEnvironment(process.env), ...options });
}
