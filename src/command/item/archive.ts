import * as v from 'valibot';
import { shellWord } from '../../model/shell-word.ts';
import { define } from '../command.ts';
import { applyEdit, editEntries, editResult } from './edits.ts';

/** Takes an item of which nothing is left out of sight. */
export const itemArchive = define({
  name: 'item.archive',
  summary: 'Take an item that is used up out of sight; its history stays.',
  permission: 'item:write',
  params: v.strictObject(editEntries),
  result: editResult,
  shell: {
    words: ['<item>'],
    examples: ['secure-inv item archive Flour'],
    render: ({ item }) =>
      `${item} is archived: view --archived and its history show it. To bring it back: secure-inv item restore ${shellWord(item)}`,
  },
  handle: ({ item, ...rest }, call) => applyEdit({ item, change: { archived: true } }, rest, call),
});
