import { setTimeout } from 'node:timers/promises';
import { outboxDays, outboxForgetMax, webhookCloseMillisecondsMax, webhookWarningMinutes } from '../model/limits.ts';
import type { Store } from '../store/store.ts';
import { Lane } from './lane.ts';
import type { Webhook } from './webhook.ts';

const hour = 3_600_000;

export interface NotifierOptions {
  /** In the order of the configuration. */
  readonly webhooks: readonly Webhook[];
  readonly store: Store;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What the notifier tells whoever keeps the log. `webhook` is a host: the rest of a URL may be a secret. */
export interface NotifierEvents {
  readonly onFailing: (webhook: string, reason: string) => void;
  readonly onRecovered: (webhook: string) => void;
  readonly onTry: (webhook: string, id: string, attempt: number, reason: string | undefined) => void;
  /** So many messages were a week old and are given up. */
  readonly onForgotten: (count: number) => void;
  readonly onError: (error: unknown) => void;
}

/** Sends what is in the store's outbox, until each message has arrived or is a week old. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #events: NotifierEvents;
  readonly #lanes: readonly { readonly lane: Lane; readonly webhook: Webhook }[];
  readonly #running: Promise<unknown>;
  readonly #forgetting: NodeJS.Timeout;

  constructor(options: NotifierOptions, events: NotifierEvents) {
    const { webhooks, store, now } = options;
    this.#options = options;
    this.#events = events;
    this.#lanes = webhooks.map((webhook) => {
      const { host } = webhook;
      const lane = new Lane(webhook, store, now, {
        onFailing: (reason) => events.onFailing(host, reason),
        onRecovered: () => events.onRecovered(host),
        onTry: (...tried) => events.onTry(host, ...tried),
        onError: events.onError,
      });
      return { lane, webhook };
    });
    const forget = () => this.#forget().catch(events.onError);
    this.#forgetting = setInterval(() => void forget(), hour).unref();
    // Nobody wants to hear of last week's stock just because the server was off meanwhile.
    this.#running = forget().then(() => Promise.all(this.#lanes.map(({ lane }) => lane.run())));
  }

  /** Something was put into the outbox. */
  wake(): void {
    for (const { lane } of this.#lanes) lane.wake();
  }

  /** What an operator should see to: sentences. */
  async warnings(): Promise<readonly string[]> {
    if (this.#lanes.length === 0) return [];
    const waiting = new Map((await this.#options.store.waitingDeliveries()).map((one) => [one.webhook, one]));
    return this.#lanes.flatMap(({ lane, webhook: { key, host } }, at) => {
      const { count, oldestAt } = waiting.get(key) ?? { count: 0, oldestAt: 0 };
      const minutes = (this.#options.now() - oldestAt) / 60_000;
      if (count === 0 || minutes < webhookWarningMinutes) return [];
      const since = new Date(oldestAt).toISOString().slice(0, 16).replace('T', ' ');
      const reason = lane.lastFailure === undefined ? '' : ` The last try: ${lane.lastFailure}.`;
      return [
        `notify.webhooks[${at}] (${host}) has not taken ${count} message${count === 1 ? '' : 's'}, the oldest from ${since} UTC.${reason} See to the receiver; after ${outboxDays} days a message is given up.`,
      ];
    });
  }

  /** Ends within a second or so. What was not confirmed by then stays in the outbox. */
  async close(): Promise<void> {
    clearInterval(this.#forgetting);
    for (const { lane } of this.#lanes) lane.close();
    const waited = new AbortController();
    const patience = setTimeout(webhookCloseMillisecondsMax, undefined, { signal: waited.signal }).catch(
      () => undefined,
    );
    await Promise.race([this.#running, patience]);
    waited.abort();
    for (const { lane } of this.#lanes) lane.abort();
    await this.#running;
  }

  async #forget(): Promise<void> {
    const before = this.#options.now() - outboxDays * 24 * hour;
    let count = 0;
    for (;;) {
      // A part at a time, so that nobody waits behind a long one.
      const forgotten = await this.#options.store.forgetDeliveries(before, outboxForgetMax);
      count += forgotten;
      if (forgotten < outboxForgetMax) break;
    }
    if (count > 0) this.#events.onForgotten(count);
  }
}
