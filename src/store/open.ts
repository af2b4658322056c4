import { Failure } from '../model/failure.ts';
import type { Store } from './store.ts';

export interface OpenOptions {
  /** Serve from this store: take its lock, which only one process can hold. False: make one change beside the server. */
  readonly exclusive: boolean;
  /** Names the webhooks that are told of low stock; without any, nothing is kept for them. */
  readonly webhooks?: readonly string[];
}

/**
 * Opens the store that a URL names: `sqlite:PATH`. Failures: `bad-params` for another scheme, `conflict` when another
 * server has this store, `storage` when its files cannot be used.
 */
export async function openStore(url: string, options: OpenOptions): Promise<Store> {
  const path = /^sqlite:(.+)$/.exec(url)?.[1];
  if (path === undefined) throw new Failure('bad-params', `store must be sqlite:PATH (got ${JSON.stringify(url)}).`);
  // Imported here, because a static import of node:sqlite fails on older versions of Node before anything can say so.
  const { openSqliteStore } = await import('./sqlite/sqlite-store.ts');
  return openSqliteStore(path, options);
}
