import * as v from 'valibot';
import { define, type Screen } from '../command.ts';
import { formatItem, formatMovement, item, itemStock, movement } from '../field.ts';
import { formatMinute } from '../table.ts';
import { renderChange } from './change.ts';

const details = v.object({
  ...itemStock.entries,
  archived: v.optional(v.boolean()),
  last: v.optional(movement),
});

/** Everything about one item, also about one that is archived. */
export const itemShow = define({
  name: 'item.show',
  summary: 'Show everything about one item.',
  permission: 'stock:read',
  params: v.strictObject({ item }),
  result: details,
  shell: {
    words: ['<item>'],
    examples: ['secure-inv item show Flour', 'secure-inv item show 4006381333931'],
    render,
  },
  async handle({ item }, { store, principal }) {
    const { archived, last, ...stock } = await store.itemDetails(item, principal.scope);
    return {
      ...formatItem(stock),
      ...(archived ? { archived } : {}),
      ...(last ? { last: formatMovement(last) } : {}),
    };
  },
});

function render(shown: v.InferOutput<typeof details>, screen: Screen): string {
  const { quantity, unit, locations, precision, lowAt, last } = shown;
  const where = locations.map((at) => `${at.location} ${at.quantity}`).join(', ');
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['Item', shown.archived ? `${shown.item} (archived)` : shown.item],
    ['Quantity', `${quantity} ${unit}${where === '' ? '' : ` (${where})`}`],
    ['Counted', precision === 0 ? 'in whole pieces' : `with at most ${precision} decimals`],
    ['Low at', lowAt === undefined ? undefined : String(lowAt)],
    ['SKU', shown.sku],
    ['Barcode', shown.barcode],
    ['Category', shown.category],
    ['About', shown.description],
    ['Last', last && renderLast(last, screen)],
  ];
  return rows.flatMap(([word, text]) => (text === undefined ? [] : [`${word.padEnd(9)} ${text}`])).join('\n');
}

function renderLast(last: v.InferOutput<typeof movement>, screen: Screen): string {
  const { seq, at, kind, delta, location, user, change } = last;
  const what = change ? `edit (${renderChange(change)})` : `${kind} ${delta > 0 ? '+' : ''}${delta} at ${location}`;
  const when = `${formatMinute(at, screen)}${screen.now === null ? ' UTC' : ''}`;
  return `${what} by ${user}, ${when} (movement ${seq})`;
}
