import { readFileSync } from 'node:fs';
import { getLocation, getNodeValue, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { closest } from '../model/closest.ts';
import { printable } from '../model/printable.ts';
import { formatGot, hideSecrets, type Problem, type Saying } from './problem.ts';
import { isSetting, type SchemaNode, serverSchema, serverSettings } from './server-schema.ts';
import { judge } from './setting.ts';

/** A value that somebody gave for a key, and that is allowed. */
export interface Given {
  readonly key: string;
  readonly value: unknown;
  readonly where: string;
  readonly origin: 'flag' | 'environment' | 'file';
}

export interface ConfigFile {
  readonly given: readonly Given[];
  readonly problems: readonly Problem[];
}

const unreadable: Readonly<Record<string, Saying>> = {
  ENOENT: ['does not exist', 'correct the path'],
  EISDIR: ['is a folder', 'name the file in it, such as server.jsonc'],
  EACCES: ['may not be read by this user', 'give the user who runs the server the right to read it'],
};

/** Reads a file in which comments and trailing commas are allowed. `shown` names it in messages. */
export function readConfigFile(path: string, shown: string, optional: boolean): ConfigFile {
  try {
    return parseConfig(new TextDecoder().decode(readFileSync(path)), shown);
  } catch (error) {
    if (error instanceof RangeError && !('code' in error)) return { given: [], problems: [tooDeep(shown)] };
    if (!(error instanceof Error && 'code' in error)) throw error;
    const got = String(error.code);
    if (optional && got === 'ENOENT') return { given: [], problems: [] };
    const [problem, fix] = unreadable[got] ?? ['cannot be read', 'see what is wrong with the file or its disk'];
    return { given: [], problems: [{ where: shown, key: 'file', problem, got, fix }] };
  }
}

/** The parser calls itself for each level, until the stack has no room. */
function tooDeep(shown: string): Problem {
  const fix = 'write groups of keys only; config/README.md lists every key';
  return { where: shown, key: 'file', problem: 'is nested too deeply', got: 'thousands of levels', fix };
}

function parseConfig(text: string, shown: string): ConfigFile {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const at = (offset: number) => {
    const lines = text.slice(0, offset).split('\n');
    return `${shown}:${lines.length}:${(lines.at(-1) ?? '').length + 1}`;
  };
  // A missing comma is the one slip after which the parser keeps its bearings; past another it misreads what follows.
  const slip = errors.find(({ error }) => printParseErrorCode(error) !== 'CommaExpected');
  const readable = slip?.offset ?? text.length;

  const given: Given[] = [];
  const placed: { readonly offset: number; readonly problem: Problem }[] = [];
  for (const [index, error] of errors.entries()) {
    const { offset } = error;
    if (offset > readable || offset === errors[index - 1]?.offset) continue;
    placed.push({ offset, problem: { where: at(offset), ...syntaxProblem(text, error) } });
  }
  for (const { key, offset, value, saying } of root ? entriesOf(root, '', serverSchema) : []) {
    if (offset >= readable) continue;
    const where = at(offset);
    if (!saying) given.push({ key, value, where, origin: 'file' });
    else placed.push({ offset, problem: { where, key, problem: saying[0], got: formatGot(value), fix: saying[1] } });
  }
  return { given, problems: placed.sort((a, b) => a.offset - b.offset).map(({ problem }) => problem) };
}

interface Entry {
  readonly key: string;
  readonly offset: number;
  readonly value: unknown;
  readonly saying?: Saying | undefined;
}

function* entriesOf(node: Node, key: string, schema: SchemaNode): Generator<Entry> {
  const value: unknown = getNodeValue(node);
  if (isSetting(schema)) {
    const flaws = judge(schema, value);
    if (flaws.length === 0) yield { key, offset: node.offset, value };
    for (const { index, value, saying } of flaws) {
      const place = index === undefined ? node : (node.children?.[index] ?? node);
      yield { key: index === undefined ? key : `${key}[${index}]`, offset: place.offset, value, saying };
    }
    return;
  }
  if (node.type !== 'object') {
    const saying = ['must be an object', `write { "${Object.keys(schema)[0]}": ... }`] as const;
    return yield { key: key || 'file', offset: node.offset, value, saying };
  }
  const names = new Set<unknown>();
  for (const { children: [nameNode, child] = [] } of node.children ?? []) {
    if (!nameNode || !child) continue; // A syntax error, reported as such.
    const name = String(nameNode.value);
    const inner = `${key && `${key}.`}${/^[\w$-]+$/.test(name) ? name : JSON.stringify(hideSecrets(name))}`;
    const named = { key: inner, offset: nameNode.offset, value: getNodeValue(child) };
    if (names.has(name)) yield { ...named, saying: ['is written twice', 'keep one of the two'] };
    names.add(name);
    const known = Object.hasOwn(schema, name) ? schema[name] : undefined;
    if (known) yield* entriesOf(child, inner, known);
    else if (inner !== '$schema') yield { ...named, saying: ['is not a known key', fixForKey(name, key, schema)] };
  }
}

function fixForKey(name: string, group: string, schema: SchemaNode): string {
  if (name.includes('.')) return 'write a group as an object: { "listen": { "port": 7443 } }';
  const sibling = closest(name, Object.keys(schema));
  const meant = sibling && group ? `${group}.${sibling}` : sibling;
  const elsewhere = [...serverSettings.keys()].find((key) => `.${key}`.endsWith(`.${name}`));
  const suggestion = meant ?? elsewhere;
  return suggestion ? `did you mean ${suggestion}?` : 'remove it; config/README.md lists every key';
}

const syntax: Readonly<Record<string, Saying>> = {
  CommaExpected: ['a comma is missing before this', 'write a comma after the value that precedes it'],
  ColonExpected: ['a colon is missing', 'write "key": value'],
  ValueExpected: ['a value is missing', 'write one; a file of defaults is { }'],
  PropertyNameExpected: ['a key in double quotes is missing', 'write "key": value'],
  CloseBraceExpected: ['the file ends before its closing brace', 'write } or restore the lost end of the file'],
  CloseBracketExpected: ['the file ends before its closing bracket', 'write ] or restore the lost end of the file'],
  EndOfFileExpected: ['something follows the closing brace', 'remove it, or the brace that closes too early'],
  InvalidSymbol: ['is not JSON', 'write keys and text in double quotes'],
  UnexpectedEndOfString: ['the text has no closing quote', 'write " at its end, on the same line'],
  UnexpectedEndOfComment: ['the comment has no end', 'write */ at its end'],
};

/** Shows one character: what is cut wrongly may be a part of anything, also of a URL with a secret in it. */
function syntaxProblem(text: string, { error, offset }: ParseError): Omit<Problem, 'where'> {
  const [problem, fix] = syntax[printParseErrorCode(error)] ?? ['is not JSON', 'correct it'];
  const path = getLocation(text, offset).path.filter((part) => part !== '');
  const [got = 'the end of the file'] = text.slice(offset).trimStart();
  return { key: hideSecrets(path.join('.')) || 'file', problem, got: printable(got), fix };
}
