import { formatChange, type ItemEdit, type ItemIntent, nowhere, parseChange } from '../../model/item.ts';
import type { LedgerRecord } from '../../model/ledger.ts';
import { canonicalKey } from '../../model/name.ts';
import type { Database } from './database.ts';
import type { ImportGuard } from './import-guard.ts';
import {
  assertArchived,
  assertFits,
  type Facts,
  factColumns,
  factParameters,
  factsOfNew,
  factValues,
  insertSearch,
  keysOf,
  keyTaken,
  readFacts,
  repeatedColumns,
} from './item-facts.ts';
import { type Items, newItem, type StockedItem } from './items.ts';
import { type Ledger, sha256 } from './ledger.ts';
import { parseOperationId } from './operation-id.ts';
import { deleteOperation, insertOperation, spentOperation } from './operations.ts';
import { unknownItem } from './unknown-item.ts';

const updateItem = `UPDATE item SET (${factColumns}) = (${factParameters}),
    archived_at = CASE WHEN ? THEN ifnull(archived_at, ?) END
  WHERE id = ?`;
const repeatInBalances = `UPDATE balance SET (${repeatedColumns}) = (SELECT ${repeatedColumns} FROM item WHERE id = item_id)
  WHERE item_id = ?`;
/** What of an item `repeatedColumns` are made of. */
const repeatedFacts = ['name', 'unit', 'sku', 'barcode', 'category', 'lowAt', 'archived'] as const;

/** An edit that nothing stands against, not yet written. */
interface Plan {
  readonly item: StockedItem;
  readonly before: Facts;
  readonly facts: Facts;
  /** The canonical keys that find the item no more, and those that do from now on, besides the name of a new one. */
  readonly lost: readonly string[];
  readonly won: readonly string[];
}

/** What an edit works with; without a guard it is the accepted import's own. */
interface Parts {
  readonly database: Database;
  readonly items: Items;
  readonly ledger: Ledger;
  readonly guard: ImportGuard | undefined;
}

/** As `Store.editItem`, inside a transaction. A `Failure` leaves no trace; any other error spoils the transaction. */
export function editItem(parts: Parts, intent: ItemIntent, user: string, now: number): ItemEdit {
  const { database, items, ledger } = parts;
  const id = parseOperationId(intent.operation);
  const bodyHash = hashBody(intent);
  const isNew = insertOperation(database, intent.userId, id, bodyHash, ledger.size + 1, 1);
  if (!isNew) return findEdit(database, spentOperation(database, intent, id, bodyHash).first_seq);
  const plan = planOrForget(parts, intent, id);
  const at = ledger.timeFor(now);
  writeFacts(database, items, plan, at);
  return append(database, ledger, intent, id, user, plan.item, at);
}

/** What makes two requests the same operation. New names as they are written: a rename may be about capitals. */
function hashBody({ isNew, item, change, note }: ItemIntent): Uint8Array {
  const fields = Object.entries(formatChange(change)).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify(['item', isNew, canonicalKey(item), fields, note]));
}

/** As `plan`; a refusal gives the operation's id back. */
function planOrForget(parts: Parts, intent: ItemIntent, id: Uint8Array): Plan {
  try {
    return plan(parts, intent);
  } catch (error) {
    deleteOperation(parts.database, intent.userId, id);
    throw error;
  }
}

function plan({ database, items, guard }: Parts, { isNew, item: name, change }: ItemIntent): Plan {
  const asked = canonicalKey(name);
  const known = items.find(asked);
  if (isNew && known) throw keyTaken(database, name, known);
  if (!isNew && !known) throw unknownItem(database, name, null);
  const item = known ?? newItem(name);
  const before = known ? readFacts(database, known.id) : factsOfNew(name);
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  const facts: Facts = { ...before, ...Object.fromEntries(given) };
  const own = keysOf(before);
  const wanted = keysOf(facts);
  for (const [key, spelling] of wanted) {
    const other = key === asked ? known : items.find(key);
    if (other && other !== known) throw keyTaken(database, spelling, other);
  }
  assertFits(database, item, facts);
  if (change.archived !== undefined) assertArchived(database, item, change.archived);
  guard?.assertMayEdit(known?.id, [...own.keys(), ...wanted.keys()]);
  return {
    item,
    before,
    facts,
    lost: [...own.keys()].filter((key) => !wanted.has(key)),
    won: [...wanted.keys()].filter((key) => !own.has(key)),
  };
}

/** Writes what is known of the item now: its row, its keys, the search index, and what memory says. */
function writeFacts(database: Database, items: Items, plan: Plan, at: number): void {
  const { item, facts, lost, won } = plan;
  const { name, precision, lowAt, archived } = facts;
  if (item.id === 0) items.add(item, facts, at);
  else rewrite(database, plan, at);
  for (const old of lost) {
    database.run('DELETE FROM item_key WHERE key = ?', old);
    items.forgetKey(old);
  }
  for (const own of won) {
    database.run('INSERT INTO item_key (key, item_id) VALUES (?, ?) ON CONFLICT DO NOTHING', own, item.id);
  }
  Object.assign(item, { name, precision, lowAt, isArchived: archived });
}

/** Writes the row of an item that is there already, and what it is found by, but for its codes. */
function rewrite(database: Database, { item, before, facts }: Plan, at: number): void {
  // Taken out of the search index first, which costs as much as all the rest.
  database.run('DELETE FROM item_search WHERE rowid = ?', item.id);
  database.run(updateItem, ...factValues(facts), facts.archived ? 1 : 0, at, item.id);
  insertSearch(database, item.id, facts);
  if (repeatedFacts.some((fact) => facts[fact] !== before[fact])) database.run(repeatInBalances, item.id);
}

/** Appends the edit to the ledger: a movement of nothing, nowhere. */
function append(
  database: Database,
  ledger: Ledger,
  intent: ItemIntent,
  operation: Uint8Array,
  user: string,
  item: StockedItem,
  at: number,
): ItemEdit {
  const record: LedgerRecord = {
    at,
    balance: 0,
    change: formatChange(intent.change),
    credential: intent.credential,
    delta: 0,
    item: item.name,
    itemId: item.id,
    kind: 'item',
    location: nowhere.name,
    locationId: nowhere.id,
    note: intent.note,
    operation: intent.operation,
    seen: null,
    seq: ledger.size + 1,
    source: intent.source,
    undoes: null,
    user,
  };
  database.run(
    `INSERT INTO movement (seq, at, user_id, credential, source, operation, kind, item_id, item, location_id, location,
       delta, balance, note, change, flags, hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, 0, ?)`,
    record.seq,
    at,
    intent.userId,
    record.credential,
    record.source,
    operation,
    record.kind,
    record.itemId,
    record.item,
    record.locationId,
    record.location,
    record.note,
    JSON.stringify(record.change),
    ledger.append(record),
  );
  return { item: item.name, change: parseChange(formatChange(intent.change)), seq: record.seq, at };
}

/** What an edit answered when it was made. */
function findEdit(database: Database, seq: number): ItemEdit {
  const sql = 'SELECT item, change, seq, at FROM movement WHERE seq = ?';
  const row = database.one<{ item: string; change: string; seq: number; at: number }>(sql, seq);
  return { ...row, change: parseChange(JSON.parse(row.change)) };
}
