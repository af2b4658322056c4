import type { Thousandths } from './quantity.ts';
import type { MovementKind } from './stock.ts';

/**
 * A movement as the ledger keeps it for ever. `formatRecord` turns it into the bytes that are hashed: these fields, all
 * of them, always; the meaning of each is in src/wire/README.md.
 */
export interface LedgerRecord {
  readonly at: number;
  readonly balance: Thousandths;
  /** Kind `item` only: the fields of the item that were set. */
  readonly change: Readonly<Record<string, string | number | boolean | null>> | null;
  readonly credential: string;
  readonly delta: Thousandths;
  readonly item: string;
  readonly itemId: number;
  readonly kind: MovementKind;
  readonly location: string;
  readonly locationId: number;
  readonly note: string | null;
  readonly operation: string;
  /** Kind `count` only: the last movement of this item and location that the counter had seen. */
  readonly seen: number | null;
  readonly seq: number;
  readonly source: string;
  /** Kind `undo` only: the movement that this one takes back. */
  readonly undoes: number | null;
  readonly user: string;
}

/** SHA-256 of the concatenation of the parts, text as UTF-8. Passed in, so that the model needs nothing from Node. */
export type Sha256 = (...parts: readonly (Uint8Array | string)[]) => Uint8Array;

const leafPrefix = '\0';
const nodePrefix = Uint8Array.of(1);

function sorted(change: LedgerRecord['change']): LedgerRecord['change'] {
  return change && Object.fromEntries(Object.entries(change).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * The RFC 8785 form of a record. JSON.stringify writes strings and integers as that RFC demands and keeps the order of
 * the keys below, which is the RFC's: by UTF-16 code unit.
 */
export function formatRecord(record: LedgerRecord): string {
  return JSON.stringify({
    at: new Date(record.at).toISOString(),
    balanceThousandths: record.balance,
    change: sorted(record.change),
    credential: record.credential,
    deltaThousandths: record.delta,
    item: record.item,
    itemId: record.itemId,
    kind: record.kind,
    location: record.location,
    locationId: record.locationId,
    note: record.note,
    operation: record.operation,
    seen: record.seen,
    seq: record.seq,
    source: record.source,
    undoes: record.undoes,
    user: record.user,
    v: 1,
  });
}

/** The hash of a record as a leaf of the ledger's tree: SHA-256(0x00 ‖ record bytes), RFC 6962 section 2.1. */
export function leafHash(record: LedgerRecord, sha256: Sha256): Uint8Array {
  return sha256(leafPrefix + formatRecord(record));
}

/**
 * The roots of the perfect subtrees that cover the ledger, largest first: one for each bit set in its size. All that
 * is needed to append a leaf and to know the root.
 */
export type Frontier = readonly Uint8Array[];

/** The frontier after one more leaf, when the ledger had `size` leaves before it. */
export function appendLeaf(frontier: Frontier, size: number, leaf: Uint8Array, sha256: Sha256): Frontier {
  const next = [...frontier];
  let root = leaf;
  // Every trailing one bit of the size is a subtree as large as the one just completed: they merge. Division, because
  // bit operators stop at 2^31 leaves.
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
    const left = next.pop();
    if (!left) throw new Error(`The frontier does not fit a ledger of ${size} records.`);
    root = sha256(nodePrefix, left, root);
  }
  next.push(root);
  return next;
}

/** The Merkle tree hash of the whole ledger, RFC 6962 section 2.1; of an empty one, SHA-256 of nothing. */
export function rootOf(frontier: Frontier, sha256: Sha256): Uint8Array {
  let root: Uint8Array | undefined;
  for (const subtree of [...frontier].reverse()) root = root ? sha256(nodePrefix, subtree, root) : subtree;
  return root ?? sha256();
}
