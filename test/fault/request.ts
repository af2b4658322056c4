import type { Change, Count, Shift, Undo } from './history.ts';

/** The parameters of a change, as src/wire/README.md has them. */
export function requestOf(change: Change) {
  if (change.kind === 'move') return moveOf(change);
  if (change.kind === 'count') return countOf(change);
  return change.kind === 'undo' ? undoOf(change) : linesOf(change);
}

export function countOf({ kind: _, ...params }: Count) {
  return params;
}

export function undoOf({ operation, seq }: Undo) {
  return { operation, seq };
}

/** Of an add or a take. */
export function linesOf({ operation, legs }: Shift) {
  const lines = legs.map(({ item, location, delta }) => ({ item, location, quantity: Math.abs(delta) }));
  return short(lines, operation);
}

export function moveOf({ operation, legs }: Shift) {
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
