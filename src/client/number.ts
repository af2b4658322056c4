/** Numbers are typed in full: "1e3", "12x" and what no number holds exactly stay text, which the schema then refuses. */
export function parseNumber(text: string): number | string {
  return text.length <= 17 && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

const grouped =
  /^[1-9]\d{0,2}(?:(?<separator>[,. '’\u00a0\u202f])\d{3})(?:\k<separator>\d{3})*(?:(?!\k<separator>)[,.]\d{1,3})?$/u;

/** What a number would be that is written as in some country; of one that may mean two, both; undefined of what is none. */
export function fixOfNumber(given: unknown): string | undefined {
  const text = typeof given === 'string' ? given.trim() : '';
  const decimal = /^(\d{1,13}),(\d{1,3})$/.exec(text)?.slice(1).join('.');
  const separator = grouped.exec(text)?.groups?.['separator'];
  const rest = separator === undefined ? '' : text.replaceAll(separator, '').replace(',', '.');
  const whole = /^\d{4,13}(\.\d{1,3})?$/.test(rest) ? rest : undefined;
  if (decimal !== undefined && whole !== undefined) {
    return `Write ${whole} if the comma parts thousands, or ${decimal} if it is a decimal one.`;
  }
  if (decimal !== undefined) return `Write ${decimal} (with a point).`;
  return whole === undefined ? undefined : `Write ${whole}.`;
}
