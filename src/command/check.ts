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
  const path = v.getDotPath(issue) ?? 'params';
  if (issue.expected === 'never') return `There is no parameter "${path}".`;
  if (issue.received === 'undefined') return `${path} is missing.`;
  // Valibot's own messages do not name the field, ours do; inside a list it takes the path to tell which.
  if (issue.message.startsWith('Invalid ')) return explainPlainly(path, issue);
  const sentence = issue.message.endsWith('.') ? issue.message : `${issue.message} (got ${issue.received}).`;
  return path.includes('.') ? `${path}: ${sentence}` : sentence;
}

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  Array: 'a list',
  Object: 'an object',
  boolean: 'true or false',
};

/** What Valibot found by itself, in our words. */
function explainPlainly(path: string, { type, requirement, expected, received }: v.BaseIssue<unknown>): string {
  const isOfText = received.startsWith('"');
  if (type === 'max_length')
    return `${path} may have at most ${requirement} ${isOfText ? 'characters' : 'entries'} (got ${received}).`;
  return `${path} must be ${kinds[expected ?? ''] ?? expected} (got ${received}).`;
}
