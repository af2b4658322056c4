import * as v from 'valibot';
import { Failure } from '../model/failure.ts';
import type { Command } from './command.ts';

/** The fourth gate: the parameters, checked and cleaned by the command's schema. Failures: `bad-params`. */
export function checkParams(command: Command, params: unknown): Record<string, unknown> {
  const checked = v.safeParse(command.params, params, { abortEarly: true });
  if (checked.success) return checked.output;
  throw new Failure('bad-params', quotable(explain(checked.issues[0])));
}

/** Long enough for every sentence of ours with a value of ordinary size in it. */
const messageCharactersMax = 240;

/** A refusal quotes what it refuses, and is read on a terminal: it is never long, and moves no cursor. */
function quotable(sentence: string): string {
  const short = sentence.length > messageCharactersMax ? `${sentence.slice(0, messageCharactersMax)}…` : sentence;
  return short.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** What a schema found, as a sentence that begins with the field. */
function explain(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? 'params';
  if (issue.expected === 'never') return `There is no parameter "${path}".`;
  if (issue.received === 'undefined') return `${path} is missing.`;
  // Valibot's own messages do not name the field, ours do; inside a list it takes the path to tell which.
  if (issue.message.startsWith('Invalid ')) return `${path} must be ${issue.expected} (got ${issue.received}).`;
  const sentence = issue.message.endsWith('.') ? issue.message : `${issue.message} (got ${issue.received}).`;
  return path.includes('.') ? `${path}: ${sentence}` : sentence;
}
