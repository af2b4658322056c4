import * as v from 'valibot';
import { operationLinesMax } from '../model/limits.ts';
import { formatQuantity } from '../model/quantity.ts';
import type { MovementResult } from '../model/stock.ts';
import { checkResult } from './check.ts';
import { define } from './command.ts';
import { formatTime, item, note, operation, place, quantity } from './field.ts';
import { askedBy } from './operation.ts';

const from = v.pipe(place, v.description('the location that the stock leaves'));
const to = v.pipe(place, v.description('the location that the stock goes to'));

const leg = v.object({ location: v.string(), balance: v.number() });
/** `seq` is the movement that leaves; the one that arrives is the next. */
const moved = v.object({
  item: v.string(),
  quantity: v.number(),
  from: leg,
  to: leg,
  seq: v.number(),
  operation: v.string(),
  at: v.string(),
});

/** Moves stock from one location to another: both movements or none. */
export const move = define({
  name: 'move',
  summary: 'Move a quantity of an item from one location to another.',
  permission: 'stock:write',
  params: v.pipe(
    v.strictObject({
      item: v.optional(item),
      quantity: v.optional(quantity),
      from: v.optional(from),
      to: v.optional(to),
      lines: v.optional(
        v.pipe(
          v.array(v.strictObject({ item, quantity, from, to })),
          v.minLength(1, 'lines must not be empty'),
          v.maxLength(operationLinesMax, `lines may be at most ${operationLinesMax}`),
          v.description('several moves that happen all or not at all'),
        ),
      ),
      note: v.optional(note),
      operation,
    }),
    v.check(({ item, quantity, from, to, lines }) => {
      const given = [item, quantity, from, to].filter((value) => value !== undefined).length;
      return given === (lines === undefined ? 4 : 0);
    }, 'Give an item, a quantity, from and to, or lines, not both.'),
  ),
  result: v.object({
    ...v.partial(moved).entries,
    operation: v.string(),
    lines: v.optional(v.array(moved)),
  }),
  shell: {
    words: ['<item quantity...>'],
    pairs: ['from', 'to'],
    mandatory: ['from', 'to'],
    canWait: true,
    examples: [
      'secure-inv move Soap 5 --from main --to cellar',
      'secure-inv move Soap 5 Towels 2 --from cellar --to "Shop window"',
    ],
    render: (result) =>
      (result.lines ?? [checkResult(moved, result)])
        .map(({ item, quantity, from, to }) => {
          const sentence = `Moved ${quantity} ${item}(s) from ${from.location} to ${to.location}.`;
          return `${sentence} At ${from.location}: ${from.balance}. At ${to.location}: ${to.balance}.`;
        })
        .join('\n'),
  },
  async handle({ item, quantity, from, to, lines, ...params }, call) {
    const { operation } = params;
    const isOne = item !== undefined && quantity !== undefined && from !== undefined && to !== undefined;
    const asked = lines ?? (isOne ? [{ item, quantity, from, to }] : []);
    const movements = await call.store.apply(
      { kind: 'move', operation, lines: asked, ...askedBy(params, call) },
      call.now,
    );
    const results = formatMoves(movements, operation);
    return lines ? { lines: results, operation } : { ...results[0], operation };
  },
});

/** The store answers with two movements for each line. */
function formatMoves(movements: readonly MovementResult[], operation: string): v.InferOutput<typeof moved>[] {
  return movements.flatMap((leaving, at) => {
    const arriving = movements[at + 1];
    if (at % 2 === 1 || !arriving) return [];
    return {
      item: leaving.item,
      quantity: formatQuantity(arriving.delta),
      from: { location: leaving.location, balance: formatQuantity(leaving.balance) },
      to: { location: arriving.location, balance: formatQuantity(arriving.balance) },
      seq: leaving.seq,
      operation,
      at: formatTime(leaving.at),
    };
  });
}
