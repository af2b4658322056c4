import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import type { Command } from '../../src/command/command.ts';
import { watchedMovement } from '../../src/command/watch.ts';
import { failures, parseFailureCode } from '../../src/model/failure.ts';

/** What a line of the server turned out to be. */
export interface Said {
  /** Undefined: a movement that was pushed. */
  readonly id: string | number | null | undefined;
  readonly code: string | undefined;
  readonly result: Readonly<Record<string, unknown>> | undefined;
  readonly seq: number | undefined;
}

const project = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
/** What shows where a program is on its machine. Nothing that is sent here has any of it, so no echo does. */
const leaks = [/(\n|\\n)\s+at /, /\.[jt]s:\d+:\d+/, /node:internal|node_modules|file:\/\/\//];
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function demand(holds: boolean, what: string, line: string): asserts holds {
  if (!holds) throw new Error(`${what}: ${line.slice(0, 600)}`);
}

/** Throws when a text shows the inside of the program that wrote it. */
export function assertTight(text: string): void {
  const leak = leaks.find((pattern) => pattern.test(text));
  demand(!leak, `A stack trace leaks (${leak})`, text);
  for (const path of [project, tmpdir()]) demand(path === '/' || !text.includes(`${path}/`), 'A path leaks', text);
}

/** Reads a line of the server as strictly as the protocol has it. Throws what is wrong with it. */
export function judgeLine(line: string, commandOf: (id: string | number | null) => Command | undefined): Said {
  assertTight(line);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    demand(false, 'No JSON', line);
  }
  demand(isObject(value) && value['jsonrpc'] === '2.0', 'No JSON-RPC', line);
  const { id, result, error, method, params, jsonrpc: _, ...others } = value;
  demand(Object.keys(others).length === 0, 'Members that nobody knows', line);
  if (method !== undefined) return judgeMovement(value, line);
  demand(params === undefined, 'A reply with params', line);
  demand(id === null || typeof id === 'string' || Number.isSafeInteger(id), 'No id', line);
  const known = id as string | number | null; // As the line above found.
  if (error === undefined) {
    demand(isObject(result), 'Neither a result nor an error', line);
    const command = commandOf(known);
    if (command) demand(v.is(command.result, result), `No result of ${command.name}`, line);
    return { id: known, code: undefined, result, seq: undefined };
  }
  demand(result === undefined && isObject(error), 'A result and an error', line);
  return { id: known, code: judgeError(error, line), result: undefined, seq: undefined };
}

function judgeMovement({ id, method, params }: Record<string, unknown>, line: string): Said {
  demand(id === undefined && method === 'movement' && v.is(watchedMovement, params), 'No movement', line);
  return { id: undefined, code: undefined, result: undefined, seq: params.seq };
}

function judgeError({ code, message, data, ...others }: Record<string, unknown>, line: string): string {
  demand(Object.keys(others).length === 0 && isObject(data), 'No error object', line);
  const name = parseFailureCode(data['code']);
  demand(name !== undefined && failures[name].rpc !== null && failures[name].rpc === code, 'No code of ours', line);
  demand(name !== 'internal', 'A bug', line);
  demand(typeof message === 'string' && message !== '' && message.length < 400, 'No message', line);
  const hint = data['hint'] ?? '';
  demand(typeof hint === 'string' && !unprintable.test(message + hint), 'Unprintable', line);
  return name;
}
