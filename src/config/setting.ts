import { closest } from '../model/closest.ts';
import type { Saying } from './problem.ts';

/** What a value must be, as the fragment of JSON Schema that editors read. */
export type Rule =
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'string'; readonly enum: readonly string[] }
  | { readonly type: 'string'; readonly pattern: string }
  | UrlsRule;

/** A list of URLs, each once. */
interface UrlsRule {
  readonly type: 'array';
  readonly items: { readonly type: 'string'; readonly format: 'uri'; readonly pattern: string };
  readonly maxItems: number;
  readonly uniqueItems: true;
}

/** What a key may hold. */
export type Value = string | number | readonly string[];

/** One key in convict's form, with what the messages and the generated documents need besides. */
export type Setting<T = Value> = {
  readonly doc: string;
  readonly default: T;
  /** Throws when the value is refused. Never converts: convict's own formats take "12x" for 12. */
  readonly format: (value: unknown) => void;
  readonly env: string;
  /** What takes up a changed value: a reload too, or only a restart. */
  readonly reload: 'live' | 'restart';
  readonly rule: Rule;
  /** Completes the sentence "must be …". */
  readonly allowed: string;
  /** A value to copy when the one given cannot be understood. */
  readonly example: T;
};

// No user and password (they would be shown where a URL is), no fragment (nobody sends it), no comma (it separates).
const urlHost = '[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?|\\[[0-9A-Fa-f:.]+\\]';
const httpsUrl = `^https://(${urlHost})(:[1-9][0-9]{0,4})?([/?][!"$-+\\--\\[\\]-~]*)?$`;
const urlAllowed = 'https://HOST/... without user, password, fragment and comma';

type Given<T> = Pick<Setting<T>, 'doc' | 'default' | 'env' | 'reload'> & { readonly example?: T };

function setting<T>(given: Given<T>, rule: Rule, allowed: string): Setting<T> {
  const format = (value: unknown) => {
    if (!fits(rule, value)) throw new TypeError(`must be ${allowed}`);
  };
  return { example: given.default, ...given, format, rule, allowed };
}

/** A key that holds a whole number. */
export function whole(minimum: number, maximum: number, given: Given<number>): Setting<number> {
  const allowed = `a whole number from ${minimum} to ${maximum}`;
  return setting(given, { type: 'integer', minimum, maximum }, allowed);
}

/** A key that holds one of a few words. */
export function oneOf<const T extends string>(words: readonly T[], given: Given<NoInfer<T>>): Setting<T> {
  return setting<T>(given, { type: 'string', enum: words }, `one of ${words.join(', ')}`);
}

/** A key that holds text of a certain form. */
export function text(pattern: string, allowed: string, given: Given<string>): Setting<string> {
  return setting(given, { type: 'string', pattern }, allowed);
}

/** A key that holds a list of https URLs, in the environment and in flags with commas between them. */
export function urls(maxItems: number, given: Given<readonly string[]>): Setting<readonly string[]> {
  const items = { type: 'string', format: 'uri', pattern: httpsUrl } as const;
  const allowed = `a list of at most ${maxItems} URLs, each ${urlAllowed}`;
  return setting(given, { type: 'array', items, maxItems, uniqueItems: true }, allowed);
}

function isUrl({ items }: UrlsRule, value: unknown): boolean {
  // The pattern is what editors know; that a port is not 70000 and an address has four parts they do not.
  return typeof value === 'string' && new RegExp(items.pattern, 'u').test(value) && URL.canParse(value);
}

function fits(rule: Rule, value: unknown): boolean {
  if (rule.type === 'array') {
    if (!Array.isArray(value) || value.length > rule.maxItems) return false;
    return value.every((one) => isUrl(rule, one)) && new Set(value).size === value.length;
  }
  if (rule.type === 'integer')
    return Number.isInteger(value) && Number(value) >= rule.minimum && Number(value) <= rule.maximum;
  if (typeof value !== 'string') return false;
  return 'enum' in rule ? rule.enum.includes(value) : new RegExp(rule.pattern, 'u').test(value);
}

/** A value from the environment or a flag. What is not wholly a number stays text, which the key's rule then refuses. */
export function parseSettingText(rule: Rule, given: string | undefined): Value | undefined {
  if (rule.type === 'array') return given === '' ? [] : given?.split(',').map((one) => one.trim());
  return given !== undefined && rule.type === 'integer' && /^(0|-?[1-9]\d*)$/.test(given) ? Number(given) : given;
}

/** What is wrong with a value, or with one element of a list, and what to write in its place. */
export interface Flaw {
  /** Where in the list; undefined: the value as a whole. */
  readonly index: number | undefined;
  readonly value: unknown;
  readonly saying: Saying;
}

/** Everything that is wrong with a value; nothing if it is allowed. */
export function judge(setting: Setting, value: unknown): readonly Flaw[] {
  const { rule, allowed } = setting;
  if (fits(rule, value)) return [];
  const flaws = rule.type === 'array' && Array.isArray(value) ? [...flawsIn(rule, setting, value)] : [];
  if (flaws.length > 0) return flaws;
  return [{ index: undefined, value, saying: [`must be ${allowed}`, fixFor(setting, value)] }];
}

function* flawsIn(rule: UrlsRule, { example }: Setting, list: readonly unknown[]): Generator<Flaw> {
  const [url] = Array.isArray(example) ? example : [];
  for (const [index, value] of list.entries()) {
    if (!isUrl(rule, value)) {
      yield { index, value, saying: [`must be ${urlAllowed}`, `write for example ${JSON.stringify(url)}`] };
    } else if (list.indexOf(value) < index) {
      yield { index, value, saying: ['is there twice', 'keep one of the two'] };
    }
  }
}

function fixFor({ rule, example }: Setting, value: unknown): string {
  if (rule.type === 'integer') {
    if (typeof value === 'string' && fits(rule, parseSettingText(rule, value))) return 'remove the quotes';
    if (typeof value === 'number' && value < rule.minimum) return `write ${rule.minimum} or more`;
    if (typeof value === 'number' && value > rule.maximum) return `write ${rule.maximum} or less`;
  } else if (rule.type === 'array') {
    if (Array.isArray(value)) return `write ${rule.maxItems} or fewer`;
  } else if ('enum' in rule && typeof value === 'string') {
    const meant = closest(value, rule.enum);
    if (meant !== undefined) return `did you mean ${JSON.stringify(meant)}?`;
  }
  return `write for example ${JSON.stringify(example)}`;
}
