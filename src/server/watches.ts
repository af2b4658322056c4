import type { Principal } from '../auth/principal.ts';
import type { WatchWish } from '../command/command.ts';
import { formatMovement } from '../command/field.ts';
import { assertMayWatch } from '../command/watch.ts';
import { Failure } from '../model/failure.ts';
import { watchPageRows, watchReadsPerRoundMax } from '../model/limits.ts';
import type { WatchQuery } from '../model/stock.ts';
import type { Store } from '../store/store.ts';
import { formatNotification } from '../wire/message.ts';
import type { Logger } from './log.ts';

/** For so long movements may gather before they are read: nobody sees it, and a busy store is asked less often. */
const gatherMilliseconds = 5;
/** After so long of pushing, everybody else has as long. */
const turnMilliseconds = 2;

/** The connection of somebody who watches. */
export interface Audience {
  /** Who it is now. Failures: as `Identity.principal`. */
  principal(): Principal;
  /** Whether what was pushed before is on its way: nothing is read for a peer that does not read. */
  readonly takesMore: boolean;
  /** Sends lines at once. */
  push(lines: string): void;
  /** Says why and closes. */
  finish(failure: Failure): void;
}

interface Watcher {
  readonly audience: Audience;
  readonly low: boolean;
  /** Everything up to this movement that it may see was pushed. */
  cursor: number;
}

/** Watchers who are to get the same. */
interface Group {
  readonly query: WatchQuery;
  readonly watchers: Watcher[];
}

/**
 * Pushes the ledger to those who watch it. Nothing is kept for anybody but a place in the ledger: when it has grown, and
 * a watcher's socket takes more, the next page is read, once for all who are at the same place with the same scope. So a
 * slow reader is merely behind. Rights are judged before a page is read and, as it may have waited, before it is pushed.
 */
export class Watches {
  readonly #store: Store;
  readonly #log: Logger;
  /** In the order in which they were served: who was last comes last. */
  readonly #watchers = new Set<Watcher>();
  #size = 0;
  #isRunning = false;

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
    store.onGrowth((size) => this.#grow(size));
    // Another process may have written as well.
    store.onOutsideChange(() => void store.head().then(({ size }) => this.#grow(size), this.#report));
  }

  /** Begins to push what comes after `wish.after`; what is returned ends it. */
  add(audience: Audience, { after, seq, low }: WatchWish): () => void {
    const watcher: Watcher = { audience, low, cursor: after };
    this.#watchers.add(watcher);
    this.#grow(seq);
    this.wake();
    return () => void this.#watchers.delete(watcher);
  }

  /** A watcher's socket takes more again. */
  wake(): void {
    if (this.#isRunning || this.#watchers.size === 0) return;
    this.#isRunning = true;
    // Not in the caller's turn: it may have a reply to send first.
    setImmediate(() => void this.#run());
  }

  #grow(size: number): void {
    if (size <= this.#size) return;
    this.#size = size;
    this.wake();
  }

  async #run(): Promise<void> {
    try {
      for (let groups = this.#due(); groups.length > 0; groups = this.#due()) {
        const isBehind = await this.#serve(groups);
        if (!isBehind) await rest(gatherMilliseconds);
      }
    } finally {
      this.#isRunning = false;
    }
  }

  /** Who is behind and takes more, by what they are to get. */
  #due(): readonly Group[] {
    const groups = new Map<string, Group>();
    for (const watcher of this.#watchers) {
      const { cursor: after, low, audience } = watcher;
      if (after >= this.#size || !audience.takesMore) continue;
      const scope = this.#judge(watcher)?.scope;
      if (scope === undefined) continue;
      const key = `${after} ${low} ${scope}`;
      const group = groups.get(key);
      if (group) group.watchers.push(watcher);
      else if (groups.size < watchReadsPerRoundMax) {
        groups.set(key, { query: { scope, after, low, limit: watchPageRows }, watchers: [watcher] });
      }
    }
    return [...groups.values()];
  }

  /** Reads for all groups and pushes to all of them. Whether somebody has more to come at once. */
  async #serve(groups: readonly Group[]): Promise<boolean> {
    const size = this.#size;
    const pages = groups.map(({ query }) => this.#store.movementsAfter(query));
    let isBehind = false;
    let since = performance.now();
    for (const [at, page] of (await Promise.allSettled(pages)).entries()) {
      const { query, watchers = [] } = groups[at] ?? {};
      const text = page.status === 'fulfilled' ? page.value.movements.map(lineOf).join('') : '';
      for (const watcher of watchers) {
        if (page.status === 'rejected') {
          this.#fail(watcher, page.reason);
          continue;
        }
        // Who was limited while the page was read gets none of it, and the next one by what holds then.
        if (!this.#watchers.has(watcher) || String(this.#judge(watcher)?.scope) !== String(query?.scope)) continue;
        watcher.cursor = page.value.through;
        isBehind ||= watcher.cursor < size;
        this.#watchers.delete(watcher);
        this.#watchers.add(watcher);
        if (text !== '') watcher.audience.push(text);
        const took = performance.now() - since;
        if (took < turnMilliseconds) continue;
        await rest(took);
        since = performance.now();
      }
    }
    return isBehind;
  }

  /** Who watches, if they still may. Who may not any more is told so, as the last thing on their connection. */
  #judge(watcher: Watcher): Principal | undefined {
    try {
      const principal = watcher.audience.principal();
      assertMayWatch(principal, watcher.low);
      return principal;
    } catch (error) {
      this.#fail(watcher, error);
      return undefined;
    }
  }

  #fail(watcher: Watcher, error: unknown): void {
    this.#watchers.delete(watcher);
    if (!(error instanceof Failure)) this.#report(error);
    const failure = error instanceof Failure ? error : new Failure('internal', 'The server failed. Watch again.');
    watcher.audience.finish(failure);
  }

  readonly #report = (error: unknown): void => {
    // While a server stops, its store may close before the last watcher has gone.
    if (!(error instanceof Failure)) this.#log.error({ err: error }, 'a watch failed because of a bug');
  };
}

function lineOf(movement: Parameters<typeof formatMovement>[0]): string {
  return formatNotification({ method: 'movement', params: formatMovement(movement) });
}

function rest(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
