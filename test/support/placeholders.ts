/** What varies from run to run, by the name that stands for it in a transcript. */
const patterns: Readonly<Record<string, string>> = {
  REQUEST: '[0-9a-f]{8}',
  CODE: '[\\w-]{22}',
  CURSOR: '[\\w-]+',
  DATE: '\\d{4}-\\d\\d-\\d\\d',
  DIGEST: '[0-9a-f]{16}',
  FINGERPRINT: '(?:[0-9A-F]{2}:){31}[0-9A-F]{2}',
  FOLDER: '/\\S+',
  HASH: '[0-9a-f]{64}',
  ID: '[\\w-]{16}',
  KID: '[\\w-]{12}',
  LINK: "secure-inv://[^\\s']+",
  NODE: '\\d+\\.\\d+\\.\\d+',
  OPERATION: '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
  PID: '\\d+',
  PORT: '\\d{1,5}',
  ROOT: '[0-9a-f]{64}',
  SERIAL: '[0-9A-F]{32}',
  TOKEN: 'sinv_[\\w-]{16}\\.[\\w-]{43}',
  TIME: '(?:\\d{4}-\\d\\d-\\d\\d[T ])?\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d{3}Z)?)?',
};

/** Time goes on and each request has its own number; all else stays what it was when it was first seen. */
const unremembered = new Set(['DATE', 'REQUEST', 'TIME']);

const placeholder = /<([A-Z]+)(?::[\w-]+)?>/g;

/** The values that a transcript's placeholders have taken so far. */
export class Placeholders {
  readonly #known = new Map<string, string>();

  constructor(known: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(known)) this.#known.set(`<${name}>`, value);
  }

  /** The text with values for placeholders. */
  fill(text: string): string {
    return text.replace(placeholder, (name) => {
      const value = this.#known.get(name);
      if (value === undefined) throw new Error(`Nothing before this line has shown a ${name}: ${text}`);
      return value;
    });
  }

  /** Whether a line is what was told; the values of new placeholders are remembered if so. */
  match(told: string, line: string): boolean {
    const found: string[] = [];
    let pattern = '';
    let end = 0;
    for (const { 0: name, 1: kind = '', index } of told.matchAll(placeholder)) {
      const known = this.#known.get(name);
      pattern += literally(told.slice(end, index));
      pattern += known === undefined ? `(${patterns[kind] ?? literally(name)})` : literally(known);
      if (known === undefined) found.push(name);
      end = index + name.length;
    }
    const values = new RegExp(`^${pattern}${literally(told.slice(end))}$`).exec(line)?.slice(1);
    for (const [at, name] of found.entries()) {
      const value = values?.[at];
      if (value !== undefined && !unremembered.has(name.slice(1, -1))) this.#known.set(name, value);
    }
    return values !== undefined;
  }

  /** The text with placeholders for the values that are known: how a line that nobody told would be told. */
  cover(text: string): string {
    let covered = text;
    for (const [name, value] of this.#known) covered = covered.replaceAll(value, name);
    return covered;
  }
}

/** A pattern that fits this text only. */
function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
