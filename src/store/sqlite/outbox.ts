import { hash, randomUUID } from 'node:crypto';
import { outboxRowsMax } from '../../model/limits.ts';
import { formatLowStock, type LowStock, type LowStockNews, lowStockEvent } from '../../model/low-stock.ts';
import type { MovementResult } from '../../model/stock.ts';
import type { Delivery, WaitingDeliveries } from '../store.ts';
import type { Database } from './database.ts';
import type { Step } from './plan.ts';

/**
 * Low stock on its way to people: a row for each movement and webhook, written by the transaction of the movement, so
 * that neither is there without the other; and, in memory, what the server is told once that is committed.
 */
export class Outbox {
  readonly #database: Database;
  readonly #webhooks: readonly string[];
  #movements: LowStock[] = [];
  #dropped = 0;
  /** How many rows there are; undefined: to be counted. */
  #size: number | undefined;

  constructor(database: Database, webhooks: readonly string[]) {
    this.#database = database;
    this.#webhooks = webhooks;
  }

  /** Takes up a movement that has crossed its item's threshold, in its transaction. */
  add(
    { item, location, balance }: Pick<Step, 'item' | 'location' | 'balance'>,
    { seq, at }: MovementResult,
    user: string,
  ): void {
    const { id, name, total: quantity, lowAt } = item;
    if (lowAt === null) return; // Without a threshold nothing is low.
    const { unit } = this.#database.one<{ unit: string }>('SELECT unit FROM item WHERE id = ?', id);
    const low = { at, item: name, unit, quantity, lowAt, location: location.name, balance, seq, user };
    this.#movements.push(low);
    for (const webhook of this.#webhooks) this.#insert(webhook, id, low);
  }

  /** What the last transaction brought, once; undefined when that is nothing. Ask after its commit. */
  takeNews(): LowStockNews | undefined {
    if (this.#movements.length === 0) return undefined;
    const news = { movements: this.#movements, dropped: this.#dropped };
    this.#movements = [];
    this.#dropped = 0;
    return news;
  }

  /** Forgets what the transaction brought, and what memory says of the file. */
  drop(): void {
    this.#movements = [];
    this.#dropped = 0;
    this.#size = undefined;
  }

  /** As `Store.nextDelivery`. What was never tried goes before what failed. */
  next(webhook: string): Delivery | undefined {
    const row = this.#database.get<Delivery>(
      `SELECT id, body, attempts, next_at AS nextAt FROM outbox WHERE webhook = ? ORDER BY next_at, number LIMIT 1`,
      webhook,
    );
    return row && { ...row };
  }

  /** As `Store.hastenDeliveries`. */
  hasten(webhook: string): void {
    this.#database.run('UPDATE outbox SET next_at = 0 WHERE webhook = ? AND next_at > 0', webhook);
  }

  /** As `Store.endDelivery`. */
  end(id: string): void {
    this.#size = undefined;
    this.#database.run('DELETE FROM outbox WHERE id = ?', id);
  }

  /** As `Store.postponeDelivery`. */
  postpone(id: string, nextAt: number): void {
    this.#database.run('UPDATE outbox SET attempts = attempts + 1, next_at = ? WHERE id = ?', nextAt, id);
  }

  /** As `Store.forgetDeliveries`. */
  forget(before: number, rowsMax: number): number {
    this.#size = undefined;
    return this.#database.run(
      'DELETE FROM outbox WHERE number IN (SELECT number FROM outbox WHERE created_at < ? ORDER BY created_at LIMIT ?)',
      before,
      rowsMax,
    );
  }

  /** As `Store.waitingDeliveries`. */
  waiting(): readonly WaitingDeliveries[] {
    return this.#database
      .all<WaitingDeliveries>(
        'SELECT webhook, count(*) AS count, min(created_at) AS oldestAt FROM outbox GROUP BY webhook ORDER BY webhook',
      )
      .map((row) => ({ ...row }));
  }

  /** When there are too many, one goes for each that comes. */
  #insert(webhook: string, itemId: number, low: LowStock): void {
    const prefix = idPrefix(webhook, itemId);
    this.#size ??= this.#database.one<{ size: number }>('SELECT count(*) AS size FROM outbox').size;
    if (this.#size >= outboxRowsMax) {
      this.#giveUpOne(prefix);
      this.#dropped++;
      this.#size--;
    }
    const id = prefix + randomUUID().slice(prefix.length);
    this.#database.run(
      'INSERT INTO outbox (id, webhook, event, body, created_at) VALUES (?, ?, ?, ?, ?)',
      id,
      webhook,
      lowStockEvent,
      formatLowStock(id, low),
      low.at,
    );
    this.#size++;
  }

  /**
   * One of the same item, if there is any: whoever moves an item to and fro does not push out what is told of others.
   * Otherwise the oldest: what is low now matters more than what was.
   */
  #giveUpOne(prefix: string): void {
    const same = this.#database.get<{ number: number }>(
      'SELECT number FROM outbox WHERE id >= ? AND id < ? LIMIT 1',
      prefix,
      `${prefix}g`, // Behind every hexadecimal digit.
    );
    const { number } = same ?? this.#database.one<{ number: number }>('SELECT min(number) AS number FROM outbox');
    this.#database.run('DELETE FROM outbox WHERE number = ?', number);
  }
}

/** What the ids of an item's messages to a webhook begin with, so that they are found: 48 bits of a UUID of version 8 (RFC 9562). */
function idPrefix(webhook: string, itemId: number): string {
  const digits = hash('sha256', `${webhook} ${itemId}`);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8`;
}
