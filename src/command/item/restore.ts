import * as v from 'valibot';
import { define } from '../command.ts';
import { applyEdit, editEntries, editResult } from './edits.ts';

/** Brings an archived item back. */
export const itemRestore = define({
  name: 'item.restore',
  summary: 'Bring an archived item back.',
  permission: 'item:write',
  params: v.strictObject(editEntries),
  result: editResult,
  shell: {
    words: ['<item>'],
    examples: ['secure-inv item restore Flour'],
    render: ({ item }) => `${item} is back.`,
  },
  handle: ({ item, ...rest }, call) => applyEdit({ item, change: { archived: false } }, rest, call),
});
