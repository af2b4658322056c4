import { Failure } from '../../model/failure.ts';
import { type StockSort, stockSorts } from '../../model/stock.ts';

/** Where a page of `view` ended. */
export interface StockPosition {
  readonly sort: StockSort;
  /** The last item. */
  readonly item: string;
  /** What it was sorted by besides its name: null for nothing. */
  readonly rank: string | number | null;
  /** By quantity, the last movement that the first page knew of; else 0. */
  readonly seq: number;
  /** Which question it is: a digest. */
  readonly question: string;
}

/**
 * An opaque cursor. It holds the name and not the key, which can be longer in another normal form, and not the id, which
 * tells how many items there are elsewhere.
 */
export function formatStockCursor({ sort, item, rank, seq, question }: StockPosition): string {
  return encode([sort, item, rank, seq, question]);
}

/** The position in a cursor that `view` returned for the same question and sort. Failures: `bad-params`. */
export function parseStockCursor(cursor: string, question: string, sort: StockSort): StockPosition {
  const fields = decode(cursor, 'view');
  if (!Array.isArray(fields) || fields.length !== 5) throw badCursor('view');
  const [cursorSort, item, rank, seq, asked]: readonly unknown[] = fields;
  const known = stockSorts.find((candidate) => candidate === cursorSort);
  if (known === undefined || typeof item !== 'string' || !isRank(rank) || !isCount(seq)) throw badCursor('view');
  if (known !== sort) {
    throw new Failure('bad-params', `cursor is one of a view sorted by ${known}.`, {
      hint: `Keep --sort ${known} while you page, or begin again without the cursor.`,
    });
  }
  assertSameQuestion(asked, question);
  return { sort, item, rank, seq, question };
}

/** Where a page of a search that is not sorted ended: its last item. Only for who may know of all. */
export function formatBroadCursor(id: number, question: string): string {
  return encode(['search', id, question]);
}

/** The item that a page of such a search ended with; undefined for the cursor of another page. Failures: `bad-params`. */
export function parseBroadCursor(cursor: string, question: string): number | undefined {
  const fields = decode(cursor, 'view');
  const [kind, id, asked]: readonly unknown[] = Array.isArray(fields) ? fields : [];
  if (kind !== 'search' || !isSeq(id)) return undefined;
  assertSameQuestion(asked, question);
  return id;
}

function assertSameQuestion(asked: unknown, question: string): void {
  if (asked === question) return;
  throw new Failure('bad-params', 'cursor is one of another view.', {
    hint: 'Ask for the same items, search, location and category while you page, or begin again without the cursor.',
  });
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

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isRank(value: unknown): value is string | number | null {
  return value === null || typeof value === 'string' || Number.isSafeInteger(value);
}

function badCursor(command: string): Failure {
  return new Failure('bad-params', `cursor is not one that ${command} returned.`);
}
