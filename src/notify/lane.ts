import { webhookPauseSecondsMax, webhookRetrySecondsMax, webhookRetrySecondsMin } from '../model/limits.ts';
import type { Delivery, Store } from '../store/store.ts';
import type { Webhook } from './webhook.ts';

/** The longest that a lane sleeps without looking into the outbox again. */
const sleepMillisecondsMax = webhookRetrySecondsMax * 1000;

/** What the lane of a webhook tells. */
export interface LaneEvents {
  /** The first failure after a success, or of all. */
  readonly onFailing: (reason: string) => void;
  /** The first success after a failure. */
  readonly onRecovered: () => void;
  readonly onTry: (id: string, attempt: number, reason: string | undefined) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Sends what waits for one webhook, one message at a time, until each has arrived. A message that failed comes later and
 * later, and others go before it; a receiver that failed is left alone for a while, whatever waits.
 */
export class Lane {
  readonly #webhook: Webhook;
  readonly #store: Store;
  readonly #now: () => number;
  readonly #events: LaneEvents;
  #stop = new AbortController();
  #isClosing = false;
  #isWoken = false;
  #wakeUp: () => void = () => undefined;
  /** The outbox could not be read or written at the last look. */
  #isInTrouble = false;
  #failuresInARow = 0;
  #pausedUntil = 0;
  #lastFailure: string | undefined;

  constructor(webhook: Webhook, store: Store, now: () => number, events: LaneEvents) {
    this.#webhook = webhook;
    this.#store = store;
    this.#now = now;
    this.#events = events;
  }

  /** Why the last try failed; undefined when it did not. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  /** Resolves after `close`. Never rejects. */
  async run(): Promise<void> {
    let isHastened = false;
    while (!this.#isClosing) {
      this.#isWoken = false; // Before the look: what comes after it is to be seen by the next.
      try {
        if (!isHastened) await this.#store.hastenDeliveries(this.#webhook.key);
        isHastened = true;
        const delivery = await this.#store.nextDelivery(this.#webhook.key);
        const due = Math.max(this.#pausedUntil, delivery?.nextAt ?? Number.POSITIVE_INFINITY);
        if (delivery && due <= this.#now()) await this.#deliver(delivery);
        else await this.#sleep(due - this.#now());
        this.#isInTrouble = false;
      } catch (error) {
        if (!this.#isInTrouble) this.#events.onError(error);
        this.#isInTrouble = true;
        this.#pause();
        await this.#sleep(this.#pausedUntil - this.#now());
      }
    }
  }

  /** Looks into the outbox now, because something was put there. */
  wake(): void {
    this.#isWoken = true;
    this.#wakeUp();
  }

  /** Begins nothing any more. */
  close(): void {
    this.#isClosing = true;
    this.wake();
  }

  /** Gives up what is under way; it stays in the outbox. */
  abort(): void {
    this.#stop.abort();
  }

  async #deliver({ id, body, attempts }: Delivery): Promise<void> {
    if (this.#isClosing) return;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const outcome = await this.#webhook.post({ id, body }, signal);
    if (!outcome.isDelivered && signal.aborted) return;
    const reason = outcome.isDelivered ? undefined : outcome.reason;
    this.#events.onTry(id, attempts + 1, reason);
    if (reason === undefined) {
      // Unless this is written down the message is sent again, under the same id, which the receiver knows then.
      await this.#store.endDelivery(id);
      if (this.#failuresInARow > 0) this.#events.onRecovered();
      this.#failuresInARow = 0;
      this.#lastFailure = undefined;
    } else {
      if (this.#lastFailure === undefined) this.#events.onFailing(reason);
      this.#lastFailure = reason;
      this.#pause();
      await this.#store.postponeDelivery(id, this.#now() + backoff(attempts, webhookRetrySecondsMax));
    }
  }

  #pause(): void {
    this.#pausedUntil = this.#now() + backoff(this.#failuresInARow++, webhookPauseSecondsMax);
  }

  async #sleep(milliseconds: number): Promise<void> {
    if (this.#isWoken) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakeUp = resolve;
    const timer = setTimeout(resolve, Math.min(Math.max(milliseconds, 1), sleepMillisecondsMax));
    await promise;
    clearTimeout(timer);
  }
}

/** Milliseconds to wait after so many failures before: doubled each time, and up to a quarter off either way. */
function backoff(failures: number, secondsMax: number): number {
  // The random part is for receivers of several servers, which would all come back in the same moment.
  const seconds = Math.min(webhookRetrySecondsMin * 2 ** failures, secondsMax);
  return Math.round(seconds * 1000 * (0.75 + Math.random() / 2));
}
