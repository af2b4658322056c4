import * as v from 'valibot';
import { define } from '../command.ts';
import { renderChange } from './change.ts';
import { applyEdit, editEntries, editResult, setEntries } from './edits.ts';

/** Changes what is known of an item, but for its name. */
export const itemEdit = define({
  name: 'item.edit',
  summary: "Change an item's unit, precision, codes, category, description or low-stock threshold.",
  permission: 'item:write',
  params: v.pipe(
    v.strictObject({ ...editEntries, ...setEntries }),
    v.check(
      (params) => Object.keys(setEntries).some((field) => Object.hasOwn(params, field)),
      'Say what to change, such as: --unit kg --precision 3.',
    ),
  ),
  result: editResult,
  shell: {
    words: ['<item>'],
    options: { lowAt: 'low-at' },
    examples: [
      'secure-inv item edit Flour --unit kg --precision 3',
      'secure-inv item edit Soap --barcode 4006381333931 --low-at 20',
      'secure-inv item edit Soap --no-sku --no-low-at',
    ],
    render: ({ item, change }) => `Changed ${item}: ${renderChange(change)}.`,
  },
  handle: ({ item, note, operation, ...change }, call) => applyEdit({ item, change }, { note, operation }, call),
});
