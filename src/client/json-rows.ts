import { Failure } from '../model/failure.ts';
import { hasRepeatedKey } from '../wire/json.ts';

/** A value in a file, and the line on which it begins, from 1; or what is wrong with it. */
export interface JsonRow {
  readonly line: number;
  readonly value?: unknown;
  readonly problem?: string;
}

/** The value on each line that has one. */
export function* parseJsonLines(text: string): Generator<JsonRow> {
  let start = 0;
  for (let line = 1; start < text.length; line++) {
    const found = text.indexOf('\n', start);
    const end = found === -1 ? text.length : found;
    const written = text.slice(start, end).trim();
    if (written !== '') yield parseRow(written, line) ?? { line, problem: 'The line is not JSON.' };
    start = end + 1;
  }
}

/**
 * The elements of one array, each parsed by itself: JSON.parse of the whole would forget the lines, and hold a million
 * objects at once. Failures: `bad-params` naming the line: behind what is no JSON nobody knows where the next one begins.
 */
export function* parseJsonArray(text: string): Generator<JsonRow> {
  const cursor = new Cursor(text);
  if (cursor.skipSpace() !== '[') throw broken(cursor.line, 'does not begin an array');
  cursor.at++;
  for (let isFirst = true; ; isFirst = false) {
    if (isFirst && cursor.skipSpace() === ']') break;
    cursor.skipSpace();
    const { line } = cursor;
    const written = cursor.takeElement();
    const row = parseRow(written, line);
    if (!row) throw broken(line, 'is not JSON');
    yield row;
    const next = cursor.skipSpace();
    if (next === ']') break;
    if (next !== ',') throw broken(cursor.line, 'has neither a comma nor the end of the array');
    cursor.at++;
  }
  cursor.at++;
  if (cursor.skipSpace() !== undefined) throw broken(cursor.line, 'has something behind the array');
}

/** A place in a text that knows its line. */
class Cursor {
  readonly #text: string;
  at = 0;
  line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next character that is not space, which is where the cursor stands then. */
  skipSpace(): string | undefined {
    for (; this.at < this.#text.length; this.at++) {
      const character = this.#text[this.at] ?? '';
      if (!/[ \t\r\n]/.test(character)) return character;
      if (character === '\n') this.line++;
    }
    return undefined;
  }

  /** Up to the comma or bracket that ends an element. What stands there is for JSON.parse to judge. */
  takeElement(): string {
    const start = this.at;
    for (let depth = 0; this.at < this.#text.length; this.at++) {
      const character = this.#text[this.at];
      if (character === '"') this.#skipString();
      else if (character === '{' || character === '[') depth++;
      else if (depth === 0 && (character === ',' || character === ']')) break;
      else if (character === '}' || character === ']') depth--;
      else if (character === '\n') this.line++;
    }
    return this.#text.slice(start, this.at);
  }

  /** To the quote that ends a string; a line end there is no JSON. */
  #skipString(): void {
    for (this.at++; this.at < this.#text.length && this.#text[this.at] !== '"'; this.at++) {
      if (this.#text[this.at] === '\\') this.at++;
    }
  }
}

function parseRow(written: string, line: number): JsonRow | undefined {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    return undefined;
  }
  return isAmbiguous(written, value) ? { line, value, problem: 'A key is there twice.' } : { line, value };
}

/** JSON.parse keeps the last of two values, and nobody knows which one was meant. */
function isAmbiguous(written: string, value: unknown): boolean {
  try {
    return hasRepeatedKey(written, value);
  } catch (error) {
    if (error instanceof Failure) return false; // Too deep, or with a key that no row has: told of with the row.
    throw error;
  }
}

function broken(line: number, what: string): Failure {
  return new Failure('bad-params', `Line ${line} ${what}.`, {
    hint: 'A file .json is one array of objects; a file .jsonl has one object a line.',
  });
}
