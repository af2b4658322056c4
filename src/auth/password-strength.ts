import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common';

const zxcvbn = new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs });

/** The estimator's work grows with the square of the length; what follows can only make a password stronger. */
const charactersJudgedMax = 64;

/** How many guesses, as a power of ten, an attacker needs who knows common passwords and these words. */
export function guessesLog10(password: string, words: readonly string[]): number {
  return zxcvbn.check(password.slice(0, charactersJudgedMax), [...words]).guessesLog10;
}
