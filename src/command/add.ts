import * as v from 'valibot';
import { define } from './command.ts';
import { applyOperation, oneOrLines, operationEntries, operationResult, renderOperation } from './operation.ts';

/** Puts stock in. An unknown item is created, unless its name looks like a code that was scanned wrong. */
export const add = define({
  name: 'add',
  summary: 'Add a quantity of an item to the inventory.',
  permission: 'stock:write',
  params: v.pipe(
    v.strictObject({
      ...operationEntries,
      new: v.optional(v.pipe(v.boolean(), v.description('create the item even though its name is all digits'))),
    }),
    oneOrLines(),
  ),
  result: operationResult,
  shell: {
    words: ['<item quantity...>'],
    pairs: ['location'],
    options: { location: 'at' },
    canWait: true,
    examples: [
      'secure-inv add Maggi 200',
      'secure-inv add "Basmati rice" 12 --at cellar --note "delivery 4711"',
      'secure-inv add Soap 20 Towels 5',
      'secure-inv add - < delivery.txt    # each line: ITEM QUANTITY',
    ],
    render: (result) => renderOperation(result, (quantity, item) => `Added ${quantity} ${item}(s) to the inventory.`),
  },
  handle: (params, call) => applyOperation('add', params, call, params.new ?? false),
});
