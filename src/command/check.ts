import * as v from 'valibot';
import { Failure } from '../model/failure.ts';
import { printable } from '../model/printable.ts';
import type { Command } from './command.ts';

/** The fourth gate: the parameters, checked and cleaned by the command's schema. Failures: `bad-params`. */
export function checkParams(command: Command, params: unknown): Record<string, unknown> {
  const checked = v.safeParse(command.params, params, { abortEarly: true });
  if (checked.success) return checked.output;
  throw new Failure('bad-params', quotable(explain(checked.issues[0])));
}

/** All that is wrong with a value, in sentences with the field that each is about; empty when nothing is. */
export function problemsIn(schema: v.GenericSchema, value: unknown): readonly { field: string; problem: string }[] {
  const checked = v.safeParse(schema, value);
  const issues = checked.success ? [] : checked.issues;
  return issues.map((issue) => ({ field: v.getDotPath(issue) ?? '', problem: quotable(explain(issue)) }));
}

/**
 * What a server sent, checked by the schema of its command: it may be of another version, or hostile. Failures:
 * `bad-frame`.
 */
export function checkResult<S extends v.GenericSchema>(schema: S, result: unknown): v.InferOutput<S> {
  const checked = v.safeParse(schema, result, { abortEarly: true }); // A million problems are as good as one.
  if (checked.success) return checked.output;
  throw new Failure('bad-frame', 'The server sent a result that this program does not understand.', {
    hint: 'Compare the versions of the two: secure-inv --version, secure-invd --version',
  });
}

/** Long enough for every sentence of ours with a value of ordinary size in it. */
const messageCharactersMax = 240;

/** A refusal quotes what it refuses, and is read on a terminal: it is never long, and moves no cursor. */
function quotable(sentence: string): string {
  return printable(sentence.length > messageCharactersMax ? `${sentence.slice(0, messageCharactersMax)}…` : sentence);
}

/** What a schema found, as a sentence that begins with the field. */
function explain(issue: v.BaseIssue<unknown>): string {
  const { where, field: path } = placeOf(v.getDotPath(issue) ?? 'params');
  return `${where}${explainField(issue, path)}`;
}

/** Where in a list something is, in people's words: `lines.0.item` is the item of `Line 1`. */
function placeOf(path: string): { readonly where: string; readonly field: string } {
  const [, list = '', index, field] = /^(\w+)s\.(\d+)(?:\.(.+))?$/.exec(path) ?? [];
  if (index === undefined) return { where: '', field: path };
  return { where: `${list.charAt(0).toUpperCase()}${list.slice(1)} ${Number(index) + 1}: `, field: field ?? list };
}

/** What Valibot calls a type, in people's words. */
const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  Array: 'a list',
  Object: 'an object',
};

function explainField(issue: v.BaseIssue<unknown>, path: string): string {
  if (issue.expected === 'never') return `There is no parameter "${path}".`;
  if (issue.received === 'undefined') return `${path} is missing.`;
  // Valibot's own messages do not name the field, ours do.
  if (issue.message.startsWith('Invalid ')) {
    if (issue.type === 'max_length') return tooLong(issue, path);
    const expected = issue.expected ?? 'something else';
    return `${path} must be ${kinds[expected] ?? expected} (got ${issue.received}).`;
  }
  return issue.message.endsWith('.') ? issue.message : `${issue.message} (got ${issue.received}).`;
}

function tooLong({ input, requirement, received }: v.BaseIssue<unknown>, path: string): string {
  if (typeof input === 'string') return `${path} may have at most ${String(requirement)} characters (got ${received}).`;
  return `There may be at most ${String(requirement)} ${path} (got ${received}).`;
}
