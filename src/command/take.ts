import * as v from 'valibot';
import { define } from './command.ts';
import { applyOperation, oneOrLines, operationEntries, operationResult, renderOperation } from './operation.ts';

/** Takes stock out; never more than there is. */
export const take = define({
  name: 'take',
  summary: 'Take a quantity of an item out of the inventory.',
  permission: 'stock:write',
  params: v.pipe(v.strictObject(operationEntries), oneOrLines()),
  result: operationResult,
  shell: {
    words: ['<item quantity...>'],
    pairs: ['location'],
    options: { location: 'at' },
    canWait: true,
    examples: [
      'secure-inv take Maggi 3',
      'secure-inv take Flour 0.5 --note "spilled"',
      'secure-inv take Soap 2 Towels 4',
    ],
    render: (result) => renderOperation(result, (quantity, item) => `Took ${quantity} ${item}(s) from the inventory.`),
  },
  handle: (params, call) => applyOperation('take', params, call, false),
});
