import type { ItemDetails } from '../../model/item.ts';
import type { Scope } from '../../model/user.ts';
import type { Database } from './database.ts';
import { readHistory } from './history.ts';
import { itemIdOf } from './items.ts';
import type { ItemRow } from './stock-question.ts';
import { withLocations } from './stock-view.ts';

/** As `Store.itemDetails`. */
export function readItemDetails(database: Database, name: string, scope: Scope): ItemDetails {
  const row = database.one<ItemRow & { archived: number }>(
    `SELECT id, name, key, unit, precision, sku, barcode, category, description, low_at, 0 AS quantity, NULL AS rank,
       archived_at IS NOT NULL AS archived
     FROM item WHERE id = ?`,
    itemIdOf(database, name, scope),
  );
  const { movements } = readHistory(database, { scope, item: name, limit: 1 });
  const [stock] = withLocations(database, [row], scope);
  if (!stock) throw new Error('There is one for each row.');
  const quantity = stock.locations.reduce((sum, at) => sum + at.quantity, 0);
  return { ...stock, quantity, archived: row.archived === 1, last: movements[0] ?? null };
}
