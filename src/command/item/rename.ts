import * as v from 'valibot';
import { define } from '../command.ts';
import { newName } from '../field.ts';
import { applyEdit, editEntries, editResult } from './edits.ts';

/** Gives an item another name; its history follows, and the old name is free. */
export const itemRename = define({
  name: 'item.rename',
  summary: 'Give an item another name; its stock and its history stay with it.',
  permission: 'item:write',
  params: v.strictObject({ ...editEntries, name: newName }),
  result: editResult,
  shell: {
    words: ['<item>', '<name>'],
    examples: ['secure-inv item rename Flour "Wheat flour"'],
    render: ({ item }) => `The item is called ${item} now. Its stock and its history stay with it.`,
  },
  handle: ({ item, name, ...rest }, call) => applyEdit({ item, change: { name } }, rest, call),
});
