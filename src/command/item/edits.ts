import * as v from 'valibot';
import type { ItemIntent } from '../../model/item.ts';
import { descriptionCharactersMax, quantityDecimalsMax, unitCharactersMax } from '../../model/limits.ts';
import { parseName } from '../../model/name.ts';
import { parseThreshold, thresholdRule } from '../../model/quantity.ts';
import type { Call } from '../command.ts';
import { assertEverywhere } from '../everywhere.ts';
import { formatTime, item, note, operation, parsedBy } from '../field.ts';
import { change, formatChange } from './change.ts';

// What the commands that make and change items share.

const precisionRule = `precision must be 0 to ${quantityDecimalsMax}`;

const unit = v.pipe(
  v.string(),
  v.description('what it is counted in, such as kg (default: pcs)'),
  parsedBy((text) => parseName(text, 'unit', unitCharactersMax)),
);
const precision = v.pipe(
  v.number(precisionRule),
  v.integer(precisionRule),
  v.minValue(0, precisionRule),
  v.maxValue(quantityDecimalsMax, precisionRule),
  v.description(`how many decimals its quantities may have, 0 to ${quantityDecimalsMax} (default: 0)`),
);
const sku = v.pipe(
  v.string(),
  v.description('a code of your own that finds it, too'),
  parsedBy((text) => parseName(text, 'sku')),
);
const barcode = v.pipe(
  v.string(),
  v.description('the code on its package, which finds it, too'),
  parsedBy((text) => parseName(text, 'barcode')),
);
const category = v.pipe(
  v.string(),
  v.description('what it belongs to, as in: view --category'),
  parsedBy((text) => parseName(text, 'category')),
);
const description = v.pipe(
  v.string(),
  v.description('a line about it'),
  parsedBy((text) => parseName(text, 'description', descriptionCharactersMax)),
);
const lowAt = v.pipe(
  v.number((issue) => `${thresholdRule} (got ${issue.received}).`),
  v.description('stock is low at this total, and below'),
  parsedBy(parseThreshold),
);

/** What can be given to a new item. */
export const givenEntries = {
  unit: v.optional(unit),
  precision: v.optional(precision),
  sku: v.optional(sku),
  barcode: v.optional(barcode),
  category: v.optional(category),
  description: v.optional(description),
  lowAt: v.optional(lowAt),
};

/** What may be absent of an item can be taken away again: by null, and by `--no-…` in the shell. */
function clearable<Schema extends v.GenericSchema>(schema: Schema) {
  return v.pipe(v.nullable(schema), v.description(`${v.getDescription(schema)}; null takes it away`));
}

/** What can be set of an item that is there. */
export const setEntries = {
  unit: v.optional(unit),
  precision: v.optional(precision),
  sku: v.optional(clearable(sku)),
  barcode: v.optional(clearable(barcode)),
  category: v.optional(clearable(category)),
  description: v.optional(clearable(description)),
  lowAt: v.optional(clearable(lowAt)),
};

/** What every one of them takes. */
export const editEntries = { item, note: v.optional(note), operation };

export const editResult = v.object({
  item: v.string(),
  change,
  seq: v.number(),
  operation: v.string(),
  at: v.string(),
});

/** Gives the edit to the store and shows what it did. Failures: as `Store.editItem`, `forbidden`. */
export async function applyEdit(
  { isNew = false, item, change }: Pick<ItemIntent, 'item' | 'change'> & { readonly isNew?: boolean },
  { note, operation }: { readonly note?: string | undefined; readonly operation: string },
  call: Call,
): Promise<v.InferOutput<typeof editResult>> {
  assertEverywhere(call, 'an item is the same at all of them');
  const { userId, credential } = call.principal;
  const { at, ...edit } = await call.store.editItem(
    { isNew, item, change, note: note || null, operation, userId, credential, source: call.source },
    call.now,
  );
  return { ...edit, change: formatChange(edit.change), operation, at: formatTime(at) };
}
