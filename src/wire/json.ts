import { Failure } from '../model/failure.ts';
import { jsonDepthMax } from '../model/limits.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Keys that are traps for the programs behind us (prototype pollution). */
const forbiddenKeys = new Set(['__proto__', 'constructor']);

function refuse(why: string): never {
  throw new Failure('bad-frame', `A line must be one JSON object in UTF-8: ${why}.`);
}

/**
 * The value of a line of JSON. Refuses with `bad-frame` what JSON.parse lets through but two readers could understand
 * differently or choke on: invalid UTF-8, a BOM, duplicate keys, `__proto__`, deep nesting, and more than `valuesMax`
 * values, because each takes twenty times as much memory as its three bytes.
 *
 * V8 may take an escaped key for one that begins with a backslash and that anybody sent before (nodejs/node#63785). No
 * key of the protocol has a backslash, so such a line is refused, here or by its schema, and never understood wrongly.
 */
export function parseJson(line: Uint8Array, valuesMax = Number.POSITIVE_INFINITY): unknown {
  let text: string;
  try {
    text = decoder.decode(line);
  } catch {
    refuse('it is not valid UTF-8');
  }
  if (text.charCodeAt(0) === 0xfeff) refuse('it begins with a byte order mark');
  const written = countKeys(text, valuesMax);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    refuse('it is not JSON');
  }
  if (countOwnKeys(value) !== written) refuse('a key is there twice');
  return value;
}

/** Whether a text writes a key twice of which JSON.parse has made this value. Failures: `bad-frame`, as above. */
export function hasRepeatedKey(text: string, value: unknown): boolean {
  return countKeys(text, Number.POSITIVE_INFINITY) !== countOwnKeys(value);
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * How many keys the text writes: in JSON every colon outside a string stands behind one. JSON.parse keeps only the
 * last of two equal keys, so a difference to the keys of its value is a duplicate. Depth is judged here, before the
 * parser would recurse, and so is the number of values, before it would make them: a value stands at the beginning,
 * behind a comma, or behind a bracket.
 */
function countKeys(text: string, valuesMax: number): number {
  let keys = 0;
  let values = 1;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote:
        for (at++; at < text.length && text.charCodeAt(at) !== quote; at++) {
          if (text.charCodeAt(at) === backslash) at++;
        }
        break;
      case colon:
        keys++;
        break;
      case comma:
        values++;
        break;
      case openBrace:
      case openBracket:
        values++;
        if (++depth > jsonDepthMax) refuse(`it is nested more than ${jsonDepthMax} deep`);
        break;
      case closeBrace:
      case closeBracket:
        depth--;
        break;
    }
  }
  if (values > valuesMax) refuse(`it has more than ${valuesMax} values`);
  return keys;
}

function countOwnKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let keys = 0;
  if (Array.isArray(value)) {
    for (const element of value) keys += countOwnKeys(element);
    return keys;
  }
  for (const [key, member] of Object.entries(value)) {
    if (forbiddenKeys.has(key)) refuse(`the key ${JSON.stringify(key)} is not allowed`);
    keys += 1 + countOwnKeys(member);
  }
  return keys;
}
