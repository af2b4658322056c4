import { Failure } from './failure.ts';
import { keyGrowthMax, nameCharactersMax, noteCharactersMax } from './limits.ts';

// Control, bidi and zero-width characters could move a terminal's cursor or make two names look alike; unassigned ones
// could change their normal form in a later Unicode version. Nor is a name of what stands for lost characters, or is blank.
const forbidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\ufffc\ufffd]/u;

function ruleAgainst(character: string): string {
  if (/[\n\r\u2028\u2029]/.test(character)) return 'must be on one line';
  if (character === '\ufffd') return 'must be text in UTF-8: some of it was lost';
  return 'must not contain control, bidirectional or invisible characters';
}

function parseText(text: string, what: string, charactersMax: number): string {
  const bad = forbidden.exec(text);
  if (bad) {
    const point = (bad[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    throw new Failure('bad-params', `${what} ${ruleAgainst(bad[0])} (found U+${point}).`);
  }
  const clean = text
    .normalize('NFC')
    .replace(/\p{Zs}+/gu, ' ')
    .trim();
  const characters = [...clean].length;
  if (characters > charactersMax) {
    throw new Failure('bad-params', `${what} may have at most ${charactersMax} characters (got ${characters}).`);
  }
  return clean;
}

/**
 * The one form in which an item's or a location's name is stored: NFC, trimmed, inner spaces collapsed, 1 to 64 code
 * points unless there may be more or fewer, and no more than twice as many in its key, which the store keeps in several
 * indexes. `what` begins the message of the `bad-params` failure.
 */
export function parseName(text: string, what = 'item', charactersMax = nameCharactersMax): string {
  const name = parseText(text, what, charactersMax);
  if (name === '') throw new Failure('bad-params', `${what} must not be empty.`);
  const key = canonicalKey(name);
  // Programs in many languages keep names as object keys, where this one is a trap; some write it out first.
  if (key === '__proto__') throw new Failure('bad-params', `${what} must not be "__proto__".`);
  const keyCharactersMax = charactersMax * keyGrowthMax;
  const characters = [...key].length;
  if (characters > keyCharactersMax) {
    throw new Failure(
      'bad-params',
      `${what} may have at most ${keyCharactersMax} characters where ligatures and signs are written out (got ${characters}).`,
    );
  }
  return name;
}

/** A remark on a movement, in the same clean form as a name; may be empty. */
export function parseNote(text: string): string {
  return parseText(text, 'note', noteCharactersMax);
}

const ascii = /^[ -~]*$/;

/**
 * The key under which a name is found: NFKC and case folded, so that `maggi` and `Maggi` are one item. Lower first
 * makes ß of ẞ, upper makes SS of both; then each character by itself, because a final Σ is lowered by its neighbours.
 */
export function canonicalKey(name: string): string {
  // Most names are ASCII, which has one form, and every operation asks three times.
  if (ascii.test(name)) return name.toLowerCase();
  let folded = '';
  for (const character of name.normalize('NFKC').toLowerCase().toUpperCase()) folded += character.toLowerCase();
  return folded.normalize('NFKC');
}

/** A user's name: lower-case ASCII, fit for a certificate's URI, a file name and a shell. */
export const userNamePattern = /^[a-z0-9][a-z0-9._-]{0,31}$/;

/** What is said to whoever gives another. */
export const userNameRule =
  'user must be 1 to 32 of a-z, 0-9, dot, hyphen and underscore, beginning with a letter or digit';
