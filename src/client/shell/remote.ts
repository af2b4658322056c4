import { Option, type Command as Words } from 'commander';
import { v7 } from 'uuid';
import * as v from 'valibot';
import { checkParams } from '../../command/check.ts';
import type { Command } from '../../command/command.ts';
import { Failure } from '../../model/failure.ts';
import { fixOfNumber, parseNumber } from '../number.ts';
import { print } from './answer.ts';
import { queueOperation, runOperation } from './operation.ts';
import { askForPage } from './page.ts';
import { readPairs } from './pairs.ts';
import { withSession } from './session.ts';
import { examplesText, type Shell, subcommand } from './shell.ts';

/** Does a command with the parameters and the options that were given. */
export type Perform = (params: Record<string, unknown>, options: Readonly<Record<string, unknown>>) => Promise<void>;

/**
 * Adds a command of the table: its words, options and help come from its schema. Without a `shell` it has none.
 * `perform` does more than ask once; its own options are added to what is returned.
 */
export function addRemote(shell: Shell, command: Command, perform?: Perform): Words | undefined {
  if (!command.shell) return undefined;
  const { words, pairs, options = {}, mandatory = [], canWait = false, examples } = command.shell;
  const line = subcommand(shell.program, command.name.split('.'), command.summary);
  const fields = fieldsOf(command);
  const positional = words.map((word) => word.replace(/[<>[\].]/g, ''));
  for (const [at, name] of positional.entries()) {
    line.argument(words[at] ?? '', pairs ? pairsDescription : fields.get(name)?.description);
  }
  for (const [name, field] of fields) {
    if (positional.includes(name) || field.kind === 'array' || (pairs && inPairs.has(name))) continue;
    const flag = `--${options[name] ?? name}`;
    const option = new Option(field.kind === 'boolean' ? flag : `${flag} <${name}>`, field.description);
    // An operation is required on the wire, and made here for whoever does not repeat one.
    line.addOption(option.makeOptionMandatory((field.required && name !== 'operation') || mandatory.includes(name)));
    if (field.isNullable) line.addOption(new Option(flag.replace('--', '--no-'), 'take it away'));
  }
  if (fields.has('operation')) {
    const queue = new Option('--queue', 'keep it, and send it later if the server is away; see: queue');
    line.addOption(queue.hideHelp(!canWait)); // Others refuse it and say why.
  }
  line.addHelpText('after', examplesText(examples));
  line.action(async (...given: unknown[]) => {
    let params: Record<string, unknown> = {};
    const opts: Record<string, unknown> = line.opts();
    if (opts['queue'] && !canWait) throw cannotWait(command);
    if (!pairs) for (const [at, name] of positional.entries()) put(params, name, fields.get(name), given[at]);
    for (const [name, field] of fields) {
      if (!positional.includes(name)) put(params, name, field, opts[camelCase(options[name] ?? name)]);
    }
    if (pairs && isWords(given[0])) params = { ...(await readPairs(given[0], pairs, params)) };
    if (fields.has('operation')) params['operation'] ??= v7();
    const checked = checkTyped(command, params); // Here first: a slip of the hand costs no round trip.
    if (perform) return perform(params, opts);
    if (!canWait) return run(shell, command, params);
    const operation = String(checked['operation']);
    await (opts['queue'] ? queueOperation : runOperation)(shell, command, { ...params, operation });
  });
  return line;
}

/** As `checkParams`; of a number that is written as in some country it tells how it is written here. */
function checkTyped(command: Command, params: Record<string, unknown>): Record<string, unknown> {
  try {
    return checkParams(command, params);
  } catch (error) {
    const typed = ['quantity', 'lowAt'].map((name) => params[name]).find((value) => typeof value === 'string');
    if (!(error instanceof Failure) || typed === undefined) throw error;
    throw new Failure(error.code, error.message, { hint: fixOfNumber(typed), ...error.details });
  }
}

const pairsDescription =
  'pairs of an item and a quantity, or - to read them from standard input, one to a line: a name may be in quotes, and "# " begins a comment';
/** The parameters that pairs are made of. */
const inPairs: ReadonlySet<string> = new Set(['item', 'quantity']);

/** What is done twice has the same effect as once, or is refused: these need no place to be kept, either. */
function cannotWait({ name }: Command): Failure {
  const words = name.replaceAll('.', ' ');
  return new Failure('bad-params', `${words} cannot wait in the queue: it goes by what is there when it is done.`, {
    hint: 'Leave out --queue, and give it when the server is there. What can wait: add, take, move.',
  });
}

/** Asks and prints the answer. */
export async function run(shell: Shell, command: Command, params: Record<string, unknown>): Promise<void> {
  const { json } = shell.options();
  await withSession(shell, async (session, endpoint) => {
    print(command, await askForPage(session, command, params), json, endpoint);
  });
}

interface Field {
  readonly kind: string;
  readonly required: boolean;
  /** It can be taken away by null: `--no-sku` for `--sku SKU`. */
  readonly isNullable: boolean;
  /** All that it may be; undefined: more than can be listed. */
  readonly choices: readonly string[] | undefined;
  readonly description: string;
}

/** What may be given to an option of a command, when its schema lists that. */
export function choicesOf(command: Command, flag: string): readonly string[] | undefined {
  const { options = {} } = command.shell ?? {};
  return [...fieldsOf(command)].find(([name]) => `--${options[name] ?? name}` === flag)?.[1].choices;
}

function fieldsOf({ params }: Command): ReadonlyMap<string, Field> {
  const fields = new Map<string, Field>();
  for (const [name, schema] of Object.entries(entriesOf(params))) {
    const given = unwrapped(schema);
    const inner = unwrapped(given);
    fields.set(name, {
      kind: inner.type,
      required: schema === given,
      isNullable: given !== inner,
      choices: inner.type === 'picklist' && 'options' in inner ? (inner.options as readonly string[]) : undefined, // All ours are of words.
      description: v.getDescription(inner) ?? '',
    });
  }
  return fields;
}

/** What `optional` and, inside it, `nullable` wrap. */
function unwrapped(schema: v.GenericSchema): v.GenericSchema {
  return 'wrapped' in schema ? (schema.wrapped as v.GenericSchema) : schema; // What they wrap is a schema.
}

/** Every command's parameters are a strict object, perhaps in a pipe, which keeps `entries`. */
function entriesOf(params: v.GenericSchema): Readonly<Record<string, v.GenericSchema>> {
  return 'entries' in params ? (params.entries as Record<string, v.GenericSchema>) : {};
}

function put(params: Record<string, unknown>, name: string, field: Field | undefined, given: unknown): void {
  if (given === undefined || (Array.isArray(given) && given.length === 0)) return;
  if (field?.isNullable && given === false) params[name] = null;
  else params[name] = field?.kind === 'number' && typeof given === 'string' ? parseNumber(given) : given;
}

function isWords(given: unknown): given is readonly string[] {
  return Array.isArray(given); // Of what commander gives, only the words of a variadic argument are a list.
}

function camelCase(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
