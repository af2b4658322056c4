import * as v from 'valibot';
import { define } from '../command.ts';
import { renderChange } from './change.ts';
import { applyEdit, editEntries, editResult, givenEntries } from './edits.ts';

/** Makes an item before there is any of it; `add` makes one, too, with the defaults. */
export const itemAdd = define({
  name: 'item.add',
  summary: 'Make an item in advance: its unit, precision, codes and so on.',
  permission: 'item:write',
  params: v.strictObject({ ...editEntries, ...givenEntries }),
  result: editResult,
  shell: {
    words: ['<item>'],
    options: { lowAt: 'low-at' },
    examples: [
      'secure-inv item add Flour --unit kg --precision 3',
      'secure-inv item add Soap --sku S-100 --barcode 4006381333931 --low-at 20',
    ],
    render: ({ item, change: { name: _, ...rest } }) => {
      const given = renderChange(rest);
      return `New item ${item}${given === '' ? '' : `: ${given}`}. There is none of it yet.`;
    },
  },
  handle: ({ item, note, operation, ...given }, call) =>
    applyEdit({ isNew: true, item, change: { name: item, ...given } }, { note, operation }, call),
});
