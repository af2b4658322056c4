import { Failure, type FailureCode, type FailureDetails } from '../../model/failure.ts';
import type { LowStockNews } from '../../model/low-stock.ts';
import type { ItemStock } from '../../model/stock.ts';
import type { StockPage, Store } from '../store.ts';

/** The methods that change the store. All that are queued share one transaction. */
export const writeMethods = [
  'apply',
  'beginImport',
  'stageRows',
  'acceptImport',
  'rollImports',
  'addUser',
  'setRole',
  'setScope',
  'setEnabled',
  'setPassword',
  'setPasswordHash',
  'resetUser',
  'redeemEnrolment',
  'saveThrottle',
  'touch',
  'addSession',
  'rotateSession',
  'endSession',
  'addApiToken',
  'removeApiToken',
  'noteApiTokenUse',
  'addDevice',
  'audit',
  'auditRefusals',
  'forgetAudit',
  'addLocation',
  'renameLocation',
  'archiveLocation',
  'editItem',
  'hastenDeliveries',
  'endDelivery',
  'postponeDelivery',
  'forgetDeliveries',
] as const satisfies readonly (keyof Store)[];

/** The methods that only look. */
export const readMethods = [
  'view',
  'history',
  'itemDetails',
  'movementsAfter',
  'checkImport',
  'importStatus',
  'head',
  'locations',
  'users',
  'throttles',
  'sessions',
  'apiTokens',
  'hasDevice',
  'auditRecords',
  'nextDelivery',
  'waitingDeliveries',
  'health',
] as const satisfies readonly (keyof Store)[];

export type WriteMethod = (typeof writeMethods)[number];
export type ReadMethod = (typeof readMethods)[number];
export type Method = WriteMethod | ReadMethod;

const writes: ReadonlySet<Method> = new Set(writeMethods);

/** Whether a method changes the store. */
export function isWrite(method: Method): method is WriteMethod {
  return writes.has(method);
}

/** What the worker does for each method: the same as the store, but at once, and in a form that crosses fast. */
export type Methods = {
  readonly [M in Method]: (
    ...args: Parameters<Store[M]>
  ) => M extends 'view' ? CrossedPage : Awaited<ReturnType<Store[M]>>;
};

/** A page of stock whose balances are pairs: an object for each would take longer to cross than to be found (0.8 ms for 1,900, not 0.3). */
export interface CrossedPage extends Omit<StockPage, 'items'> {
  readonly items: readonly CrossedStock[];
}

interface CrossedStock extends Omit<ItemStock, 'locations'> {
  readonly balances: readonly (readonly [location: string, quantity: number])[];
}

/** One call to the worker. A tuple, because the hot path pays for every key that is cloned. */
export type Call = readonly [id: number, method: Method, args: readonly unknown[]];

/** The settlement of one call; `error` is absent when it succeeded. */
export type Reply = readonly [id: number, result: unknown, error?: CrossedError];

/** An error as it crosses between threads, where classes are lost. Without a code it is a bug. */
export interface CrossedError {
  readonly code: FailureCode | undefined;
  readonly message: string;
  readonly details: FailureDetails;
  readonly stack: string | undefined;
}

/** What a transaction was: its changes, how long its COMMIT took, and whether it was done. */
export type CommitTime = readonly [writes: number, milliseconds: number, isDone: boolean];

/** What main sends: calls, or the wish to close when every call before it is settled. */
export type ToWorker = readonly Call[] | 'close';

/**
 * What the worker sends: first `opened` or `refused`; then, after each commit, what it made low and the replies with the
 * ledger's size; and news of outside changes, and what the process is to warn of.
 */
export type FromWorker =
  | { readonly opened: string }
  | { readonly refused: CrossedError }
  | { readonly lowStock: LowStockNews }
  | { readonly warning: string; readonly name: string }
  | { readonly replies: readonly Reply[]; readonly size: number; readonly commit: CommitTime | undefined }
  | 'outside-change';

/** What the worker is started with. */
export interface WorkerOptions {
  readonly path: string;
  readonly exclusive: boolean;
  readonly webhooks?: readonly string[];
}

/** Prepares an error for the other thread. */
export function formatError(error: unknown): CrossedError {
  if (error instanceof Failure) {
    return { code: error.code, message: error.message, details: error.details, stack: undefined };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { code: undefined, message, details: {}, stack };
}

/** The error that crossed: a `Failure`, or for a bug an Error with the stack of the other thread. */
export function parseError({ code, message, details, stack }: CrossedError): Error {
  if (code !== undefined) return new Failure(code, message, details);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** Prepares a page of stock for the other thread. */
export function formatPage({ items, ...page }: StockPage): CrossedPage {
  const crossed = items.map(({ locations, ...item }) => ({
    ...item,
    balances: locations.map(({ location, quantity }) => [location, quantity] as const),
  }));
  return { ...page, items: crossed };
}

/** The page that crossed. */
export function parsePage({ items, ...page }: CrossedPage): StockPage {
  const shown = items.map(({ balances, ...item }) => ({
    ...item,
    locations: balances.map(([location, quantity]) => ({ location, quantity })),
  }));
  return { ...page, items: shown };
}
