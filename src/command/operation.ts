import * as v from 'valibot';
import { formatQuantity } from '../model/quantity.ts';
import { defaultLocation, type OperationIntent } from '../model/stock.ts';
import { checkResult } from './check.ts';
import type { Call } from './command.ts';
import { formatTime, item, lines, location, movementResult, note, operation, quantity } from './field.ts';

// What `add` and `take` share: one movement or several lines, under one operation id.

export const operationEntries = {
  item: v.optional(item),
  quantity: v.optional(quantity),
  location: v.optional(location),
  lines: v.optional(lines),
  note: v.optional(note),
  operation,
};

type OperationParams = v.InferOutput<v.StrictObjectSchema<typeof operationEntries, undefined>>;

/** Either one item and quantity, or lines. */
export function oneOrLines<Params extends OperationParams>() {
  return v.check<Params, string>(
    ({ item, quantity, location, lines }) =>
      lines === undefined
        ? item !== undefined && quantity !== undefined
        : item === undefined && quantity === undefined && location === undefined,
    'Give an item and a quantity, or lines, not both.',
  );
}

/** One movement's result, or one for each line. */
export const operationResult = v.object({
  ...v.partial(movementResult).entries,
  operation: v.string(),
  lines: v.optional(v.array(movementResult)),
});

/** Gives the operation to the store and shows what it did. */
export async function applyOperation(
  kind: OperationIntent['kind'],
  params: OperationParams,
  call: Call,
  allowNewCode: boolean,
): Promise<v.InferOutput<typeof operationResult>> {
  const { item, quantity, lines, operation } = params;
  const asked = lines ?? (item === undefined || quantity === undefined ? [] : [{ ...params, item, quantity }]);
  const movements = await call.store.apply(
    {
      kind,
      operation,
      lines: asked.map((line) => ({
        item: line.item,
        quantity: line.quantity,
        location: line.location ?? defaultLocation,
      })),
      note: params.note || null,
      allowNewCode,
      userId: call.principal.userId,
      scope: call.principal.scope,
      credential: call.principal.credential,
      source: call.source,
    },
    call.now,
  );
  const results = movements.map(({ at, quantity, balance, created, low, ...rest }) => ({
    ...rest,
    quantity: formatQuantity(quantity),
    balance: formatQuantity(balance),
    operation,
    at: formatTime(at),
    ...(created ? { created } : {}),
    ...(low ? { low } : {}),
  }));
  return lines ? { lines: results, operation } : { ...results[0], operation };
}

/** One sentence for each movement, in the words of the command. */
export function renderOperation(
  result: v.InferOutput<typeof operationResult>,
  sentence: (quantity: number, item: string) => string,
): string {
  const movements = result.lines ?? [checkResult(movementResult, result)];
  return movements
    .map(({ item, quantity, balance, location, created, low }) => {
      const where = location === defaultLocation ? 'In stock' : `At ${location}`;
      const news = `${created ? ' New item.' : ''}${low ? ' Low stock.' : ''}`;
      return `${sentence(quantity, item)} ${where}: ${balance}.${news}`;
    })
    .join('\n');
}
