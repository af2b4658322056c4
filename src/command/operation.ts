import * as v from 'valibot';
import { Failure } from '../model/failure.ts';
import { formatQuantity } from '../model/quantity.ts';
import { shellWord } from '../model/shell-word.ts';
import { defaultLocation, type LinesIntent, type MovementResult } from '../model/stock.ts';
import { checkResult } from './check.ts';
import type { Call } from './command.ts';
import { formatTime, item, lines, location, movementResult, note, operation, quantity } from './field.ts';

// What `add` and `take` share: one movement or several lines, under one operation id. And what all operations do.

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
  kind: LinesIntent['kind'],
  params: OperationParams,
  call: Call,
  allowNewCode: boolean,
): Promise<v.InferOutput<typeof operationResult>> {
  const { item, quantity, lines, operation } = params;
  const asked = lines ?? (item === undefined || quantity === undefined ? [] : [{ ...params, item, quantity }]);
  const intent = {
    kind,
    operation,
    lines: asked.map((line) => ({
      item: line.item,
      quantity: line.quantity,
      location: line.location ?? defaultLocation,
    })),
    allowNewCode,
    ...askedBy(params, call),
  };
  const isGiven = asked.every((line) => line.location !== undefined);
  const movements = await orSayWhere(isGiven, call, () => call.store.apply(intent, call.now));
  const results = movements.map((movement) => ({
    quantity: formatQuantity(Math.abs(movement.delta)),
    ...formatResult(movement, operation),
  }));
  return lines ? { lines: results, operation } : { ...results[0], operation };
}

/** Whoever is limited to other places than the default one and gives none is told, with the refusal, how to say where. */
export async function orSayWhere<Result>(
  isGiven: boolean,
  { store, principal }: Call,
  act: () => Promise<Result>,
): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    const isOfPlace = error instanceof Failure && error.code === 'not-found' && principal.scope !== null;
    if (isGiven || !isOfPlace) throw error;
    const [first, ...others] = (await store.locations(principal.scope)).map(({ name }) => name);
    if (first === undefined || [first, ...others].includes(defaultLocation)) throw error;
    const say = `Say where${others.length === 0 ? '' : ', such as'}: --at ${shellWord(first)}`;
    throw new Failure(error.code, error.message, {
      ...error.details,
      hint: `${error.details.hint ?? ''} ${say}`.trim(),
    });
  }
}

/** Who asks, and what they remark: a part of every intent. */
export function askedBy({ note }: { readonly note?: string | undefined }, { principal, source }: Call) {
  const { userId, scope, credential } = principal;
  return { note: note || null, userId, scope, credential, source };
}

/** What a movement did, as the wire shows it of every operation. */
export function formatResult({ item, location, balance, seq, at, created, low }: MovementResult, operation: string) {
  return {
    item,
    location,
    balance: formatQuantity(balance),
    seq,
    operation,
    at: formatTime(at),
    ...(created ? { created } : {}),
    ...(low ? { low } : {}),
  };
}

/** One sentence for each movement, in the words of the command. */
export function renderOperation(
  result: v.InferOutput<typeof operationResult>,
  sentence: (quantity: number, item: string) => string,
): string {
  const movements = result.lines ?? [checkResult(movementResult, result)];
  return movements
    .map((movement) => `${sentence(movement.quantity, movement.item)} ${renderBalance(movement)}`)
    .join('\n');
}

/** How much there is after a movement, and what is worth knowing of it. */
export function renderBalance({
  location,
  balance,
  created,
  low,
}: Pick<v.InferOutput<typeof movementResult>, 'location' | 'balance' | 'created' | 'low'>): string {
  const where = location === defaultLocation ? 'In stock' : `At ${location}`;
  return `${where}: ${balance}.${created ? ' New item.' : ''}${low ? ' Low stock.' : ''}`;
}
