/** What moves a terminal's cursor, turns text round, breaks a line or is half a character. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const ascii = /^[ -~]*$/;

/** The text with each such character written out as `\u{1b}`: whoever reads it on a terminal sees it, and nothing else. */
export function printable(text: string): string {
  if (ascii.test(text)) return text; // Most are, and this is three times as fast.
  return text.replace(unprintable, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The same for every string in a value of JSON, which is changed in place; its keys are nobody's to read. */
export function makePrintable(value: unknown): unknown {
  if (typeof value === 'string') return printable(value);
  if (typeof value !== 'object' || value === null) return value;
  const members = value as Record<string, unknown>; // Also a list: its keys are its places.
  for (const key of Object.keys(members)) {
    const member = members[key];
    if (typeof member === 'string' || typeof member === 'object') members[key] = makePrintable(member);
  }
  return value;
}
