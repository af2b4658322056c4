import * as v from 'valibot';
import { formatQuantity } from '../model/quantity.ts';
import { defaultLocation } from '../model/stock.ts';
import { define } from './command.ts';
import { counted, item, location, movementResult, note, operation } from './field.ts';
import { askedBy, formatResult, orSayWhere, renderBalance } from './operation.ts';

const ifSeqRule = 'ifSeq must be a whole number from 0';

/** Records how many somebody found, whatever the ledger said; the movement is the difference. */
export const count = define({
  name: 'count',
  summary: 'Record how many of an item were found at a location.',
  permission: 'stock:count',
  params: v.strictObject({
    item,
    quantity: counted,
    location: v.optional(location),
    ifSeq: v.optional(
      v.pipe(
        v.number(ifSeqRule),
        v.safeInteger(ifSeqRule),
        v.minValue(0, ifSeqRule),
        v.description('refuse if the stock moved since this movement, the last that the counter saw'),
      ),
    ),
    note: v.optional(note),
    operation,
  }),
  result: v.object({ ...movementResult.entries, delta: v.number() }),
  shell: {
    words: ['<item>', '<quantity>'],
    options: { location: 'at', ifSeq: 'if-seq' },
    examples: [
      'secure-inv count Soap 20',
      'secure-inv history Soap --at cellar --limit 1    # shows the last movement, here 17',
      'secure-inv count Soap 20 --at cellar --if-seq 17 --note "spring count"',
    ],
    render: (result) =>
      `Counted ${result.quantity} ${result.item}(s), ${renderDelta(result.delta)}. ${renderBalance(result)}`,
  },
  async handle({ item, quantity, location, ifSeq = null, ...params }, call) {
    const { operation } = params;
    const line = { item, quantity, location: location ?? defaultLocation };
    const intent = { kind: 'count' as const, operation, line, ifSeq, ...askedBy(params, call) };
    const [movement] = await orSayWhere(location !== undefined, call, () => call.store.apply(intent, call.now));
    if (!movement) throw new Error('The store answered a count with no movement.');
    const delta = formatQuantity(movement.delta);
    return { quantity: formatQuantity(quantity), delta, ...formatResult(movement, operation) };
  },
});

function renderDelta(delta: number): string {
  if (delta === 0) return 'as many as recorded';
  return delta > 0 ? `${delta} more than recorded` : `${-delta} fewer than recorded`;
}
