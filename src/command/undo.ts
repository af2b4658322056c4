import * as v from 'valibot';
import { formatQuantity } from '../model/quantity.ts';
import { may } from '../model/user.ts';
import { define } from './command.ts';
import { movementResult, note, operation, seq } from './field.ts';
import { askedBy, formatResult, renderBalance } from './operation.ts';

const undone = v.object({
  ...v.omit(movementResult, ['quantity', 'created']).entries,
  delta: v.number(),
  undoes: v.number(),
});

/** Takes back a whole operation by new movements: the ledger itself is never changed. */
export const undo = define({
  name: 'undo',
  summary: 'Undo a movement, with all that happened in the same operation.',
  permission: 'stock:write',
  params: v.strictObject({ seq, note: v.optional(note), operation }),
  result: v.object({ lines: v.array(undone), operation: v.string() }),
  shell: {
    words: ['<seq>'],
    examples: [
      'secure-inv history --by clerk1 --limit 5    # shows the numbers of movements',
      'secure-inv undo 17 --note "wrong shelf"',
    ],
    render: ({ lines }) =>
      lines
        .map((movement) => {
          const { undoes, item, delta } = movement;
          return `Undid movement ${undoes}: ${delta < 0 ? '' : '+'}${delta} ${item}(s). ${renderBalance(movement)}`;
        })
        .join('\n'),
  },
  async handle({ seq, ...params }, call) {
    const { operation } = params;
    const allowAny = may(call.principal, 'stock:undo');
    const movements = await call.store.apply(
      { kind: 'undo', operation, seq, allowAny, ...askedBy(params, call) },
      call.now,
    );
    const lines = movements.map((movement) => ({
      ...formatResult(movement, operation),
      delta: formatQuantity(movement.delta),
      undoes: movement.undoes ?? seq,
    }));
    return { lines, operation };
  },
});
