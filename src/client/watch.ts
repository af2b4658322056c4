import { setTimeout as sleep } from 'node:timers/promises';
import type * as v from 'valibot';
import { checkResult } from '../command/check.ts';
import { watch, watchedMovement } from '../command/watch.ts';
import { Failure } from '../model/failure.ts';
import { lineBytesMax } from '../model/limits.ts';
import type { Notification } from '../wire/message.ts';
import { type ClientSession, isPassing } from './call.ts';
import type { ClientConnection } from './connect.ts';

/** Which movements to watch. */
export interface WatchOptions {
  /** The number of a movement: begin with the next; 0: with the first. Left out: with what happens from now on. */
  readonly after?: number | undefined;
  /** Only movements that left an item at or below its low-stock threshold. */
  readonly low?: boolean | undefined;
}

/** A movement as `history` shows it. */
export type WatchedMovement = v.InferOutput<typeof watchedMovement>;

/** What whoever watches wants to know besides, or to decide. */
export interface WatchTold {
  /** Ends the watch quietly. */
  readonly signal?: AbortSignal;
  /** The server is away, for the first time since it was there. The watch goes on when it is back. */
  readonly onLost?: (failure: Failure) => void;
}

/** So many movements, or bytes of them, may wait for whoever takes them; then the server waits, and its other clients are no slower. */
const waitingMax = 1000;
const waitingBytesMax = 4 * lineBytesMax;
const pauseMillisecondsMin = 100;
const pauseMillisecondsMax = 5000;

/**
 * The movements after one, each once and in order. A connection that is lost is made again, and begins behind the last
 * movement that was given out. Failures: of the first call any; later those that no waiting mends.
 */
export async function* watchMovements(
  session: ClientSession,
  { after, low }: WatchOptions,
  { signal, onLost }: WatchTold = {},
): AsyncGenerator<WatchedMovement, void, undefined> {
  let last = after;
  let attempts = 0;
  let hasBegun = false;
  while (!signal?.aborted) {
    const line = new Line();
    const listening = session.listening((notification, bytes) => line.push(notification, bytes));
    const end = () => void listening.close();
    signal?.addEventListener('abort', end);
    try {
      const params = { ...(last === undefined ? {} : { after: last }), ...(low ? { low } : {}) };
      const { seq } = await listening.call(watch, params);
      if (signal?.aborted) return;
      last ??= seq;
      hasBegun = true;
      attempts = 0;
      for await (const movement of line.movements(listening.connection)) {
        if (movement.seq <= last) continue;
        last = movement.seq;
        yield movement;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!hasBegun || !isPassing(error)) throw error;
      if (attempts === 1) onLost?.(error);
    } finally {
      signal?.removeEventListener('abort', end);
      await listening.close();
    }
    const pause = Math.min(pauseMillisecondsMax, pauseMillisecondsMin * 2 ** attempts++);
    // Not all at once, when a server comes back that many watched.
    await sleep(pause * (0.5 + Math.random() / 2), undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

/** The movements that have arrived and wait for whoever takes them. */
class Line {
  #waiting: WatchedMovement[] = [];
  #waitingBytes = 0;
  #broken: unknown;
  #connection: ClientConnection | undefined;
  #wake: () => void = () => undefined;

  push({ method, params }: Notification, bytes: number): void {
    if (method !== 'movement' || this.#broken !== undefined) return; // A newer server may say more.
    try {
      this.#waiting.push(checkResult(watchedMovement, params));
      this.#waitingBytes += bytes;
    } catch (error) {
      this.#broken = error;
    }
    if (this.#waiting.length > waitingMax || this.#waitingBytes > waitingBytesMax) {
      if (this.#connection) this.#connection.isReading = false;
      else this.#broken = new Failure('bad-frame', 'The server sent movements before it agreed to.'); // Ours answers first.
    }
    this.#wake();
  }

  /** What arrives, until the connection ends. */
  async *movements(connection: ClientConnection | undefined): AsyncGenerator<WatchedMovement, void, undefined> {
    if (!connection) return;
    this.#connection = connection;
    let isEnded = false;
    void connection.ended.then(() => {
      isEnded = true;
      this.#wake();
    });
    for (;;) {
      const arrived = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      yield* arrived;
      if (this.#broken !== undefined) throw this.#broken;
      if (this.#waiting.length > 0) continue;
      if (isEnded) return;
      connection.isReading = true;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
