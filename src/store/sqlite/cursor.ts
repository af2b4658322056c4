import { Failure } from '../../model/failure.ts';
import { type StockSort, stockSorts } from '../../model/stock.ts';

/** Where a page of `view` ended: the last item's id, and its name or quantity. */
export interface StockPosition {
  readonly sort: StockSort;
  readonly last: string | number;
  readonly id: number;
}

/** An opaque cursor. It holds the name and not the key, which can be 18 times as long in another normal form. */
export function formatStockCursor({ sort, last, id }: StockPosition): string {
  return encode([sort, last, id]);
}

/** The position in a cursor that `view` returned for the same sort. Failures: `bad-params`. */
export function parseStockCursor(cursor: string, sort: StockSort): StockPosition {
  const fields = decode(cursor, 'view');
  if (!Array.isArray(fields) || fields.length !== 3) throw badCursor('view');
  const [cursorSort, last, id]: readonly unknown[] = fields;
  const known = stockSorts.find((candidate) => candidate === cursorSort);
  if (known === undefined || !isSeq(id)) throw badCursor('view');
  if (known !== sort) {
    throw new Failure('bad-params', `cursor is one of a view sorted by ${known}.`, { hint: `Keep --sort ${known}.` });
  }
  const isByName = sort === 'name' || sort === '-name';
  if (isByName ? typeof last !== 'string' : !Number.isSafeInteger(last)) throw badCursor('view');
  return { sort, last: typeof last === 'string' ? last : Number(last), id };
}

/** Where a page of `history` ended: its last movement. */
export function formatHistoryCursor(seq: number): string {
  return encode(seq);
}

/** The movement that a page of `history` ended with. Failures: `bad-params`. */
export function parseHistoryCursor(cursor: string): number {
  const seq = decode(cursor, 'history');
  if (!isSeq(seq)) throw badCursor('history');
  return seq;
}

/** Where a page of `audit` ended: its last record. */
export function formatAuditCursor(id: number): string {
  return encode(['audit', id]);
}

/** The record that a page of `audit` ended with. Failures: `bad-params`. */
export function parseAuditCursor(cursor: string): number {
  const fields = decode(cursor, 'audit');
  const [kind, id]: readonly unknown[] = Array.isArray(fields) ? fields : [];
  if (kind !== 'audit' || !isSeq(id)) throw badCursor('audit');
  return id;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(cursor: string, command: string): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    // Exactly what encode makes: base64url and JSON both have many spellings of one value.
    if (encode(value) === cursor) return value;
  } catch {
    // Not JSON: told below, as every other cursor that is not ours.
  }
  throw badCursor(command);
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

function badCursor(command: string): Failure {
  return new Failure('bad-params', `cursor is not one that ${command} returned.`);
}
