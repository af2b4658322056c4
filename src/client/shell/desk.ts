import type * as v from 'valibot';
import type { Command } from '../../command/command.ts';
import { view } from '../../command/view.ts';
import { whoami } from '../../command/whoami.ts';
import { Failure } from '../../model/failure.ts';
import { shellWord } from '../../model/shell-word.ts';
import { defaultLocation } from '../../model/stock.ts';
import { type ClientSession, isPassing } from '../call.ts';
import type { Endpoint } from '../connect.ts';
import type { OperationQueue } from '../queue.ts';
import { wholeOf } from '../queue-entry.ts';
import { callKept, sendQueue } from '../queue-sender.ts';
import { print } from './answer.ts';
import { describeOperation, type OperationParams, sayOutcome, withQueueLock } from './operation.ts';
import { askForPage } from './page.ts';

export type Stock = v.InferOutput<typeof view.result>['items'][number];

/** A server that took so long to be found away is not asked again for so many times as long: people go on working. */
const restTimes = 3;

/**
 * What the menu does with the server, and without it: changes are kept while it is away, and sent before what is asked next.
 * Without a `queue`, which belongs to a saved login, they are refused then.
 */
export class Desk {
  readonly #session: ClientSession;
  readonly #endpoint: Endpoint;
  readonly #queue: OperationQueue | undefined;
  /** Where things are added and taken; undefined while nobody has said it. */
  #place: string | undefined;
  #away: { readonly failure: Failure; readonly until: number } | undefined;

  constructor(session: ClientSession, endpoint: Endpoint, queue: OperationQueue | undefined) {
    this.#session = session;
    this.#endpoint = endpoint;
    this.#queue = queue;
  }

  /** Whether a change can wait for the server. */
  get keeps(): boolean {
    return this.#queue !== undefined;
  }

  get place(): string {
    return this.#place ?? defaultLocation;
  }

  /**
   * Works at the place that is given, or where the user is limited to one at that. Failures: those of a login that is none; a
   * server that is away; `conflict` for several places of which nobody says one, `not-found` for one that is none of them.
   */
  async open(place: string | undefined): Promise<void> {
    this.#place = place;
    const { locations } = await this.#ask(() => this.#session.call(whoami, {}));
    if (place !== undefined) {
      await this.#ask(() => this.#session.call(view, { location: place, limit: 1 }));
      return;
    }
    const [only = defaultLocation, ...others] = locations ?? [];
    if (others.length > 0 && !locations?.includes(defaultLocation)) {
      const places = [only, ...others].join(', ');
      throw new Failure('conflict', `You work at ${places}. Say where: secure-inv menu --at ${shellWord(only)}`);
    }
    this.#place = others.length === 0 ? only : defaultLocation;
  }

  /** Prints a page of what there is; tells where the next one begins, if there is one. */
  async show(cursor: string | undefined): Promise<string | undefined> {
    const params = cursor === undefined ? {} : { cursor };
    const { cursor: next, ...page } = await this.#ask(() => askForPage(this.#session, view, params));
    print(view, page, false, this.#endpoint);
    return typeof next === 'string' ? next : undefined;
  }

  /** The item of this name or code. Failures: `not-found`; `conflict` when it is archived. */
  async look(item: string): Promise<Stock> {
    const { items } = await this.#ask(() => this.#session.call(view, { items: [item] }));
    const [found] = items;
    if (found) return found;
    throw new Failure('conflict', `${item} is archived. To bring it back: secure-inv item restore`);
  }

  /** Does it, or keeps it behind what is kept already, and says which. */
  async change(command: Command, params: OperationParams): Promise<void> {
    if (this.#place === undefined) await this.#openLater();
    const placed = this.place === defaultLocation ? params : { ...params, location: this.place };
    try {
      const result = await this.#ask(() => callKept(this.#session, this.#queue, command, placed));
      print(command, result, false, this.#endpoint);
    } catch (error) {
      if (!this.#queue || !isAway(error)) throw error;
      const entry = await this.#queue.add({ method: command.name, params: placed });
      process.stdout.write(`${error.message} Kept, and sent as soon as it can be: ${describeOperation(entry)}.\n`);
    }
  }

  /** As `open`, after a server that was away and has not said where this user works. */
  async #openLater(): Promise<void> {
    try {
      await this.open(undefined);
    } catch (error) {
      if (!isAway(error)) throw error;
    }
  }

  /** How many changes wait for the server, and how many it refused, which wait for somebody. */
  async kept(): Promise<{ readonly waiting: number; readonly refused: number }> {
    if (!this.#queue) return { waiting: 0, refused: 0 };
    const { server } = this.#queue.owner;
    const entries = wholeOf(await this.#queue.list()).filter((entry) => entry.isQueued && entry.server === server);
    const refused = entries.filter(({ refusal }) => refusal).length;
    return { waiting: entries.length - refused, refused };
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    if (this.#away && performance.now() < this.#away.until) throw this.#away.failure;
    const startedAt = performance.now();
    try {
      await this.#sendWaiting();
      return await work();
    } catch (error) {
      const now = performance.now();
      if (isAway(error)) this.#away = { failure: error, until: now + restTimes * (now - startedAt) };
      throw error;
    }
  }

  async #sendWaiting(): Promise<void> {
    const queue = this.#queue;
    if (!queue || (await this.kept()).waiting === 0) return;
    await this.#session.protection(); // While it is away no lock is taken.
    await withQueueLock(queue, () => sendQueue(this.#session, queue, ({ isQueued }) => isQueued, sayOutcome));
  }
}

/** Nothing was counted, and some other time it can be. */
export function isAway(error: unknown): error is Failure {
  return isPassing(error) && error.code !== 'unconfirmed';
}
