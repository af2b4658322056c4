import { closest } from '../model/closest.ts';
import type { Saying } from './problem.ts';

/** What a value must be, as the fragment of JSON Schema that editors read. */
export type Rule =
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'string'; readonly enum: readonly string[] }
  | { readonly type: 'string'; readonly pattern: string };

/** One key in convict's form, with what the messages and the generated documents need besides. */
export type Setting<T = string | number> = {
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

function fits(rule: Rule, value: unknown): boolean {
  if (rule.type === 'integer')
    return Number.isInteger(value) && Number(value) >= rule.minimum && Number(value) <= rule.maximum;
  if (typeof value !== 'string') return false;
  return 'enum' in rule ? rule.enum.includes(value) : new RegExp(rule.pattern, 'u').test(value);
}

/** A value from the environment or a flag. What is not wholly a number stays text, which the key's rule then refuses. */
export function parseSettingText(rule: Rule, given: string | undefined): string | number | undefined {
  return given !== undefined && rule.type === 'integer' && /^(0|-?[1-9]\d*)$/.test(given) ? Number(given) : given;
}

/** What is wrong with a value and what to write in its place; undefined if it is allowed. */
export function judge(setting: Setting, value: unknown): Saying | undefined {
  return fits(setting.rule, value) ? undefined : [`must be ${setting.allowed}`, fixFor(setting, value)];
}

function fixFor({ rule, example }: Setting, value: unknown): string {
  if (rule.type === 'integer') {
    if (typeof value === 'string' && fits(rule, parseSettingText(rule, value))) return 'remove the quotes';
    if (typeof value === 'number' && value < rule.minimum) return `write ${rule.minimum} or more`;
    if (typeof value === 'number' && value > rule.maximum) return `write ${rule.maximum} or less`;
  } else if ('enum' in rule && typeof value === 'string') {
    const meant = closest(value, rule.enum);
    if (meant !== undefined) return `did you mean ${JSON.stringify(meant)}?`;
  }
  return `write for example ${JSON.stringify(example)}`;
}
