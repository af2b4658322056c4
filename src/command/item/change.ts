import * as v from 'valibot';
import type { ItemChange } from '../../model/item.ts';
import { formatQuantity } from '../../model/quantity.ts';

/** What was set, by name; null: cleared. */
export const change = v.object({
  name: v.optional(v.string()),
  unit: v.optional(v.string()),
  precision: v.optional(v.number()),
  sku: v.optional(v.nullable(v.string())),
  barcode: v.optional(v.nullable(v.string())),
  category: v.optional(v.nullable(v.string())),
  description: v.optional(v.nullable(v.string())),
  lowAt: v.optional(v.nullable(v.number())),
  archived: v.optional(v.boolean()),
});
export type Change = v.InferOutput<typeof change>;

/** A change as the wire shows it. */
export function formatChange({ lowAt, ...rest }: ItemChange): Change {
  if (lowAt === undefined) return rest;
  return { ...rest, lowAt: lowAt === null ? null : formatQuantity(lowAt) };
}

const words: Readonly<Record<keyof Change, string>> = {
  name: 'name',
  unit: 'unit',
  precision: 'precision',
  sku: 'SKU',
  barcode: 'barcode',
  category: 'category',
  description: 'description',
  lowAt: 'low at',
  archived: 'archived',
};

/** A change for people: "unit kg, no SKU". */
export function renderChange({ archived, ...rest }: Change): string {
  const said = archived === undefined ? [] : [archived ? 'archived' : 'restored'];
  for (const [field, word] of Object.entries(words)) {
    const value = Object.entries(rest).find(([name]) => name === field)?.[1];
    if (value !== undefined) said.push(value === null ? `no ${word}` : `${word} ${value}`);
  }
  return said.join(', ');
}
