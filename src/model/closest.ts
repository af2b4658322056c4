import { Failure } from './failure.ts';

/** The candidate that was probably meant, if one is near enough; capitals do not count, nor what else `fold` makes alike. */
export function closest(
  text: string,
  candidates: Iterable<string>,
  fold = (word: string) => word.toLowerCase(),
): string | undefined {
  const folded = fold(text);
  let best: string | undefined;
  let bestDistance = Math.min(2, Math.ceil(text.length / 2)) + 1; // Farther is a guess, not a slip of the hand.
  for (const candidate of candidates) {
    const distance = editDistance(folded, fold(candidate), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** The refusal of a word that stands where a command should; `help` names what shows them all. */
export function unknownCommand(word: string, commands: Iterable<string>, help: string): Failure {
  const meant = closest(word, commands);
  return new Failure('unknown-command', `Unknown command '${word}'.`, {
    hint: meant === undefined ? `See: ${help}` : `Did you mean ${meant}?`,
  });
}

/** Levenshtein's distance, a row at a time; `enough` stands for that and more, and saves most of the work. */
function editDistance(a: string, b: string, enough: number): number {
  const others = [...b];
  let row = Array.from({ length: others.length + 1 }, (_, column) => column);
  for (const [above, letter] of [...a].entries()) {
    const next = new Array<number>(others.length + 1).fill(enough);
    // What is farther from the diagonal takes as many insertions.
    const from = Math.max(0, above - enough);
    const to = Math.min(others.length, above + enough);
    if (from === 0) next[0] = above + 1;
    for (let column = from; column < to; column++) {
      const change = (row[column] ?? enough) + (letter === others[column] ? 0 : 1);
      next[column + 1] = Math.min(change, (row[column + 1] ?? enough) + 1, (next[column] ?? enough) + 1);
    }
    row = next;
    if (row.every((distance) => distance >= enough)) return enough;
  }
  return row.at(-1) ?? enough;
}
