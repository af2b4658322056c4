import { v7 } from 'uuid';
import type * as v from 'valibot';
import type { Command, ObjectSchema } from '../command/command.ts';
import { commands } from '../command/index.ts';
import { renewWhenDue } from './certificate.ts';
import { exportRows, type HistoryExport, type MovementRow, type StockExport, type StockRow } from './export.ts';
import type { ImportStatus } from './import.ts';
import { type ImportOptions, type ImportRow, importTyped } from './import-typed.ts';
import { type OpenedSession, openSession, type TargetOptions } from './target.ts';
import { type WatchedMovement, type WatchOptions, watchMovements } from './watch.ts';

/** What logs in and out is `connect`'s own affair; what watches is no single call. */
type Session =
  | 'watch'
  | 'authenticate'
  | 'login'
  | 'refresh'
  | 'enroll'
  | 'logout'
  | 'passwd'
  | 'cert.challenge'
  | 'cert.request';
type Callable = Exclude<(typeof commands)[number], { readonly name: Session }>;

/** An operation id is made for whoever does not repeat one. */
type Given<Params> = Params extends { operation: string } ? Omit<Params, 'operation'> & { operation?: string } : Params;
type Method<C extends { readonly params: ObjectSchema; readonly result: ObjectSchema }> = (
  params?: Given<v.InferInput<C['params']>>,
) => Promise<v.InferOutput<C['result']>>;

/** The commands whose names begin so, by the rest of their names. */
type Methods<Prefix extends string> = {
  readonly [C in Callable as C['name'] extends `${Prefix}${infer Rest}`
    ? Rest extends `${string}.${string}`
      ? never
      : Rest
    : never]: Method<C>;
};

/**
 * Adds what the rows say, all of it or nothing, through lost connections and restarts of the server, and resolves when it is
 * counted. Failures: `ImportRefusal` with what is wrong with rows; `conflict` when the same rows were imported before.
 */
type ImportAll = (
  rows: Iterable<ImportRow> | AsyncIterable<ImportRow>,
  options?: ImportOptions,
) => Promise<ImportStatus>;

/** A server's inventory as one user: a method for each command, `user.add` and its like below `user`, and so on. */
export interface Inventory extends Methods<''> {
  readonly session: Methods<'session.'>;
  readonly token: Methods<'token.'>;
  readonly user: Methods<'user.'>;
  readonly item: Methods<'item.'>;
  readonly location: Methods<'location.'>;
  readonly import: Methods<'import.'> & ImportAll;
  readonly server: Methods<'server.'>;
  /**
   * The movements as they happen, or from one on: each once and in order, however often the connection is lost and made
   * again; it is one of its own. Leaving the loop ends it, and so does `close`.
   */
  watch(options?: WatchOptions): AsyncGenerator<WatchedMovement, void, undefined>;
  /** Everything there is, a page at a time: stock by location, items with their sums, or movements, the newest first. */
  export(options?: StockExport): AsyncGenerator<StockRow, void, undefined>;
  export(options: HistoryExport): AsyncGenerator<MovementRow, void, undefined>;
  /** Ends the connection. */
  close(): Promise<void>;
}

/** Opens the inventory that the options name. Failures: `login-required`, `not-found`, `bad-params`. */
export async function openInventory(options: TargetOptions): Promise<Inventory> {
  const { session } = await openRenewed(options);
  const closing = new AbortController();
  const close = () => {
    closing.abort();
    return session.close();
  };
  const inventory: Record<string, unknown> = { close };
  for (const command of commands) {
    const method = (params: Record<string, unknown> = {}) =>
      session.call(command, needsOperation(command) ? { operation: v7(), ...params } : params);
    const [first = '', second] = command.name.split('.');
    if (second === undefined) inventory[first] = method;
    else inventory[first] = { ...(inventory[first] as object), [second]: method }; // Only such groups have a dot.
  }
  inventory['watch'] = (wanted: WatchOptions = {}) => watchMovements(session, wanted, { signal: closing.signal });
  const importAll: ImportAll = (rows, wanted = {}) => importTyped(session, rows, wanted);
  inventory['import'] = Object.assign(importAll, inventory['import']);
  inventory['export'] = (wanted: StockExport | HistoryExport = {}) => exportRows(session, wanted);
  return inventory as unknown as Inventory; // Built above from the very table that the type is made of.
}

/** A session that begins with a renewed certificate if it was due: later there is nobody whom a failure could be told. */
async function openRenewed(options: TargetOptions): Promise<OpenedSession> {
  const opened = await openSession(options);
  const { session, kept } = opened;
  if (!kept) return opened;
  try {
    if (!(await renewWhenDue(kept, (command, params) => session.call(command, params)))) return opened;
  } catch {
    return opened; // The old one is good still, and if it is not the first call says so.
  }
  await session.close();
  return openSession(options);
}

function needsOperation({ params }: Command): boolean {
  return 'entries' in params && 'operation' in (params.entries as object); // Each command takes a strict object.
}
