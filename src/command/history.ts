import * as v from 'valibot';
import { historySliceRows, pageRowsDefault } from '../model/limits.ts';
import { define } from './command.ts';
import {
  cursor,
  formatMovement,
  item,
  limit,
  lookedAt,
  movement,
  movementKind,
  parseSpan,
  since,
  until,
  userName,
} from './field.ts';
import { renderChange } from './item/change.ts';
import { formatSecond, renderTable } from './table.ts';

/** Who changed what, when, by how much and why: the ledger itself, newest first. */
export const history = define({
  name: 'history',
  summary: 'Show who changed what, and when: newest first.',
  permission: 'stock:read',
  params: v.strictObject({
    item: v.optional(item),
    user: v.optional(userName),
    location: v.optional(lookedAt),
    kind: v.optional(movementKind),
    since: v.optional(since),
    until: v.optional(until),
    limit: v.optional(limit),
    cursor: v.optional(cursor),
  }),
  result: v.object({ movements: v.array(movement), cursor: v.optional(v.string()) }),
  shell: {
    words: ['[item]'],
    options: { location: 'at', user: 'by' },
    pageOf: 'movements',
    examples: ['secure-inv history', 'secure-inv history Maggi --by clerk1 --since 2026-05-03T00:00:00Z'],
    render: ({ movements, cursor }, screen) => {
      if (movements.length === 0) return 'No movement fits.';
      const rows = movements.map(({ seq, at, kind, item, location, delta, balance, user, note, change, undoes }) => [
        String(seq),
        formatSecond(at, screen),
        undoes === undefined ? kind : `${kind} ${undoes}`,
        item,
        ...(change ? ['', ''] : [delta > 0 ? `+${delta}` : String(delta), String(balance)]),
        location,
        user,
        [change && renderChange(change), note].filter(Boolean).join('; '),
      ]);
      const columns = [
        { heading: 'SEQ', right: true, leave: 3 },
        { heading: screen.now === null ? 'TIME (UTC)' : 'WHEN', whole: true, leave: 6 },
        { heading: 'KIND', leave: 2 },
        { heading: 'ITEM' },
        { heading: 'CHANGE', right: true },
        { heading: 'BALANCE', right: true },
        { heading: 'WHERE', leave: 4 },
        { heading: 'BY', leave: 5 },
        // Of edits it is all there is to read.
        { heading: 'NOTE', ...(movements.every(({ change }) => change) ? {} : { leave: 1 }) },
      ];
      const more = cursor === undefined ? '' : `\n${screen.dim(`More: --cursor ${cursor}`)}`;
      return renderTable(columns, rows, screen) + more;
    },
  },
  async handle({ since: from, until: to, limit = pageRowsDefault, ...filters }, { store, principal }) {
    const { since, until } = parseSpan({ since: from, until: to });
    const movements: ReturnType<typeof formatMovement>[] = [];
    let { cursor } = filters;
    for (;;) {
      const rows = Math.min(limit - movements.length, historySliceRows);
      const slice = await store.history({ ...filters, scope: principal.scope, since, until, cursor, limit: rows });
      movements.push(...slice.movements.map(formatMovement));
      ({ cursor } = slice);
      // A slice that is not full has looked at as much as one question may.
      if (cursor === undefined || slice.movements.length < rows || movements.length === limit) break;
    }
    return { movements, ...(cursor === undefined ? {} : { cursor }) };
  },
});
