import type { CountIntent, LinesIntent, MoveIntent, MoveLine, OperationLine } from '../../src/model/stock.ts';
import type { WriteMethod } from '../../src/store/sqlite/message.ts';
import { formatOperationId } from '../../src/store/sqlite/operation-id.ts';
import type { Store } from '../../src/store/store.ts';
import { factsOf, homeOf, itemName, placeNames } from './catalogue.ts';
import { Random } from './random.ts';

const storyMilliseconds = 2 * 365 * 24 * 3600 * 1000;
/** Everybody wants these, so that some histories are long. */
const hotItems = 200;
const hotPercent = 30;
/** What came lately is moved more often than what is old: of what is not hot, this share. */
const recentItems = 10_000;
const recentPercent = 80;
const deliveryLinesMax = 12;
const operationLinesMax = 10;
/** Users 3 to 14 are clerks, the second is the manager. */
const manager = 2;
const firstClerk = 3;
const clerks = 12;

export interface StoreOrder {
  readonly items: number;
  /** At least two for each item: it is made, and put somewhere. */
  readonly movements: number;
  /** When all of it has happened, in milliseconds since 1970; it begins two years before. */
  readonly until: number;
}

/** A method of the store that changes it, and its arguments. */
export type Asked = { [M in WriteMethod]: readonly [M, ...Parameters<Store[M]>] }[WriteMethod];

/** What every wish says, whatever it is about. */
type Common = Pick<LinesIntent, 'operation' | 'note' | 'userId' | 'scope' | 'credential' | 'source'>;
type Wish = Omit<LinesIntent, keyof Common> | Omit<MoveIntent, keyof Common> | Omit<CountIntent, keyof Common>;

/** Two years of a shop, operation by operation, none of which is refused. */
export class Story {
  readonly #order: StoreOrder;
  readonly #random = new Random(20_260_101);
  /** Pieces of each item where it was first put. */
  readonly #pieces: Int32Array;
  #made = 0;
  #placed = 0;
  #movements = 0;
  #operations = 0;

  constructor(order: StoreOrder) {
    this.#order = order;
    this.#pieces = new Int32Array(order.items);
  }

  /** What happens next, of at least so many movements; all of the rest, when that is less than twice as much. */
  tell(movements: number): readonly Asked[] {
    const asked: Asked[] = [];
    const all = this.#order.movements;
    const end = all - this.#movements < 2 * movements ? all : this.#movements + movements;
    while (this.#movements < end) asked.push(this.#next());
    return asked;
  }

  /** The time of the next movement. */
  get at(): number {
    const { until, movements } = this.#order;
    return Math.floor(until - storyMilliseconds * (1 - (this.#movements + 1) / movements));
  }

  /** How many movements may be about anything else than making what is still to be made, and putting it somewhere. */
  get #spare(): number {
    const { items, movements } = this.#order;
    return movements - this.#movements - 2 * (items - this.#made) - (this.#made - this.#placed);
  }

  #next(): Asked {
    const { items, movements } = this.#order;
    // Items come as the years go by, each followed by its first delivery.
    const due = Math.ceil(((this.#movements + 1) / movements) * items);
    const isLate = this.#spare <= 0;
    const isFull = this.#made - this.#placed >= deliveryLinesMax;
    if (this.#made < items && !isFull && (this.#made < due || isLate)) return this.#makeItem();
    if (this.#placed < this.#made && (isFull || isLate || this.#made === items || this.#placed === 0))
      return this.#deliver();
    return this.#move();
  }

  #makeItem(): Asked {
    const item = this.#made++;
    const { at } = this;
    const change = factsOf(item);
    return ['editItem', { ...this.#common(manager, 1), isNew: true, item: itemName(item), change }, at];
  }

  /** The first of everything that was made since the last delivery. */
  #deliver(): Asked {
    const lines: OperationLine[] = [];
    while (this.#placed < this.#made) lines.push(this.#lineOf(this.#placed++, 10 + this.#random.below(200)));
    return this.#lines('add', lines);
  }

  #move(): Asked {
    const item = this.#anyItem();
    const there = this.#pieces[item] ?? 0;
    const chance = this.#random.below(100);
    const left = this.#spare;
    if (chance < 3 && there > 0 && left > 1) return this.#carry(item, 1 + this.#random.below(there));
    if (chance < 6) return this.#count(item, Math.max(0, there + this.#random.below(5) - 2));
    const kind = chance < 60 ? 'take' : 'add';
    const lines = [...this.#linesOf(kind, Math.min(left, 1 + this.#random.below(operationLinesMax)))];
    return lines.length > 0 ? this.#lines(kind, lines) : this.#lines('add', [this.#lineOf(item, 50)]);
  }

  *#linesOf(kind: 'add' | 'take', count: number): Generator<OperationLine> {
    for (let at = 0; at < count; at++) {
      const item = this.#anyItem();
      const there = this.#pieces[item] ?? 0;
      if (kind === 'add') yield this.#lineOf(item, 1 + this.#random.below(60));
      else if (there > 0) yield this.#lineOf(item, -1 - this.#random.below(Math.min(there, 40)));
    }
  }

  /** Some to another place, where they stay: what is told here is only of the place where an item was first put. */
  #carry(item: number, pieces: number): Asked {
    this.#pieces[item] = (this.#pieces[item] ?? 0) - pieces;
    const to = 1 + ((homeOf(item) + this.#random.below(placeNames.length - 2)) % (placeNames.length - 2));
    const from = homeOf(item);
    const line: MoveLine = {
      item: itemName(item),
      from: placeNames[from] ?? '',
      to: placeNames[to === from ? 0 : to] ?? '',
      quantity: pieces * 1000,
    };
    return this.#apply({ kind: 'move', lines: [line] }, 2);
  }

  #count(item: number, pieces: number): Asked {
    this.#pieces[item] = pieces;
    const line = { item: itemName(item), location: placeNames[homeOf(item)] ?? '', quantity: pieces * 1000 };
    return this.#apply({ kind: 'count', line, ifSeq: null }, 1, manager);
  }

  #lines(kind: 'add' | 'take', lines: readonly OperationLine[]): Asked {
    return this.#apply({ kind, lines, allowNewCode: false }, lines.length);
  }

  /** A line about so many pieces, which are there or gone from now on. */
  #lineOf(item: number, pieces: number): OperationLine {
    this.#pieces[item] = (this.#pieces[item] ?? 0) + pieces;
    return { item: itemName(item), location: placeNames[homeOf(item)] ?? '', quantity: Math.abs(pieces) * 1000 };
  }

  #apply(wish: Wish, movements: number, userId = firstClerk + this.#random.below(clerks)): Asked {
    const { at } = this;
    return ['apply', { ...wish, ...this.#common(userId, movements) }, at];
  }

  #common(userId: number, movements: number): Common {
    const { at } = this;
    this.#movements += movements;
    return {
      operation: this.#operationId(at),
      note: this.#random.happens(5) ? 'as ordered by telephone' : null,
      userId,
      scope: null,
      credential: `session:${String(userId).padStart(16, 'A')}`,
      source: `192.0.2.${userId}`,
    };
  }

  /** A UUID of version 7, with a counter where others have chance. */
  #operationId(at: number): string {
    const bytes = Buffer.alloc(16);
    bytes.writeUIntBE(at, 0, 6);
    bytes.writeUInt16BE(0x7000 + this.#random.below(0x1000), 6);
    bytes.writeUInt16BE(0x8000 + this.#random.below(0x4000), 8);
    bytes.writeUIntBE(++this.#operations, 10, 6);
    return formatOperationId(bytes);
  }

  #anyItem(): number {
    if (this.#random.happens(hotPercent)) return this.#random.below(Math.min(this.#placed, hotItems));
    if (this.#random.happens(recentPercent))
      return this.#placed - 1 - this.#random.below(Math.min(this.#placed, recentItems));
    return this.#random.below(this.#placed);
  }
}
