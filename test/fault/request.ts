import type { Change } from './history.ts';

/** The parameters of an add, a take or a move, as src/wire/README.md has them. */
export function requestOf(change: Change) {
  return change.kind === 'move' ? moveOf(change) : linesOf(change);
}

/** Of an add or a take. */
export function linesOf({ operation, legs }: Change) {
  const lines = legs.map(({ item, location, delta }) => ({ item, location, quantity: Math.abs(delta) }));
  return short(lines, operation);
}

export function moveOf({ operation, legs }: Change) {
  const arriving = legs.filter(({ delta }) => delta > 0);
  const lines = legs
    .filter(({ delta }) => delta < 0)
    .map(({ item, location, delta }, at) => ({
      item,
      quantity: -delta,
      from: location,
      to: arriving[at]?.location ?? '',
    }));
  return short(lines, operation);
}

/** A single line stands without a list around it. */
function short<Line>(lines: readonly Line[], operation: string) {
  const [line, ...others] = lines;
  return line !== undefined && others.length === 0 ? { ...line, operation } : { lines: [...lines], operation };
}
