import { Failure } from '../../model/failure.ts';
import { canonicalKey } from '../../model/name.ts';

const ascii = /^[ -~]*$/;
const marks = /\p{M}+/gu;
/** Letters that Unicode does not take apart, although people type them without the stroke. */
const plain: Readonly<Record<string, string>> = { ł: 'l', ø: 'o', đ: 'd', ı: 'i', æ: 'ae', œ: 'oe', ð: 'd', þ: 'th' };
const stroked = /[łøđıæœðþ]/g;

/** A text as it is searched: as names are compared, and without accents. */
export function foldSearch(text: string): string {
  if (ascii.test(text)) return text.toLowerCase();
  const bare = canonicalKey(text).normalize('NFD').replace(marks, '').normalize('NFC');
  return bare.replace(stroked, (letter) => plain[letter] ?? letter);
}

function wordsOf(text: string): readonly string[] {
  return foldSearch(text).match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Every word as the beginning of one. Only letters and digits get in, and quoted: nothing can be syntax. */
export function formatMatch(search: string): string {
  const words = wordsOf(search);
  if (words.length === 0) throw new Failure('bad-params', 'search must contain a letter or a digit.');
  return words.map((word) => `"${word}"*`).join(' ');
}

let asked = '';
let starts: readonly string[] = [];

/** Whether each word of a search begins a word of these texts: as the index of the search has it, for one item. */
export function fitsSearch(search: string, texts: readonly (string | null)[]): boolean {
  if (search !== asked) [asked, starts] = [search, wordsOf(search)];
  const words = texts.flatMap((text) => (text === null ? [] : wordsOf(text)));
  return starts.every((start) => words.some((word) => word.startsWith(start)));
}
