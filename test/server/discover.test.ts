import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commands } from '../../src/command/index.ts';
import { shareServer } from '../support/shared-server.ts';
import { openAs } from '../support/wire-client.ts';

const server = shareServer();

/** As much of JSON Schema as the document uses. */
interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly description?: string;
}

interface Method {
  readonly name: string;
  readonly params: readonly { readonly name: string; readonly required: boolean; readonly schema: Schema }[];
  readonly result: { readonly schema: Schema };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isType(value: unknown, type: string | undefined): boolean {
  if (type === undefined) return true;
  if (type === 'null') return value === null;
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  return type === 'object' ? isObject(value) : typeof value === type;
}

/** Whether a value fits a schema, by the rules of JSON Schema and nothing of ours. */
function fits(value: unknown, schema: Schema): boolean {
  if (schema.anyOf && !schema.anyOf.some((one) => fits(value, one))) return false;
  if (!isType(value, schema.type) || (schema.enum && !schema.enum.includes(value))) return false;
  if (typeof value === 'string') {
    const isLong = [...value].length > (schema.maxLength ?? Number.POSITIVE_INFINITY);
    return !isLong && (schema.pattern === undefined || new RegExp(schema.pattern, 'u').test(value));
  }
  if (typeof value === 'number') {
    return (
      value >= (schema.minimum ?? Number.NEGATIVE_INFINITY) && value <= (schema.maximum ?? Number.POSITIVE_INFINITY)
    );
  }
  if (Array.isArray(value)) {
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items = {} } = schema;
    return value.length >= minItems && value.length <= maxItems && value.every((element) => fits(element, items));
  }
  if (!isObject(value)) return true;
  const { properties = {}, required = [], additionalProperties = true } = schema;
  if (required.some((name) => !Object.hasOwn(value, name))) return false;
  return Object.entries(value).every(([name, member]) => {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    return property ? fits(member, property) : additionalProperties;
  });
}

const paramsOf = (method: Method): Schema => ({
  type: 'object',
  properties: Object.fromEntries(method.params.map(({ name, schema }) => [name, schema])),
  required: method.params.filter(({ required }) => required).map(({ name }) => name),
  additionalProperties: false,
});

async function discover() {
  const client = await openAs(server(), server().grant['accessToken']);
  const reply = await client.ask('rpc.discover');
  // The next test proves that it is one.
  return { client, methods: reply?.result?.['methods'] as readonly Method[] };
}

test('rpc.discover describes every method, and says of every parameter what it is', async () => {
  const { methods } = await discover();
  expect(methods.map(({ name }) => name)).toEqual(commands.map(({ name }) => name));
  const undescribed = methods.flatMap(({ name, params }) =>
    params
      .filter(({ schema }) => !schema.description && name !== 'rpc.discover')
      .map((param) => `${name} ${param.name}`),
  );
  expect(undescribed).toEqual([]);
});

test('what a published schema refuses, the server refuses, and what the server does fits its published result', async () => {
  const { client, methods } = await discover();
  const strings = fc.constantFrom(
    'x',
    '',
    'admin',
    'clerk',
    'name',
    'add',
    'main',
    '-name',
    'a'.repeat(200),
    '2026-05-03',
    'Ab',
  );
  const values = fc.oneof(
    strings,
    fc.integer({ min: -1, max: 1500 }),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(strings),
  );
  const uuid = fc.constantFrom(
    () => randomUUID(),
    () => randomUUID().toUpperCase(),
    () => 'x',
  );
  const sent = fc.record(
    {
      item: fc.oneof(strings, values),
      items: fc.oneof(fc.array(strings), values),
      quantity: fc.oneof(fc.integer({ min: 1 }), values),
      lines: fc.oneof(
        fc.array(fc.record({ item: strings, quantity: values, extra: values }, { requiredKeys: ['item'] })),
        values,
      ),
      limit: fc.oneof(fc.integer(), values),
      sort: fc.oneof(fc.constantFrom('name', 'quantity'), values),
      user: strings,
      role: strings,
      since: strings,
      new: values,
      from: fc.constantFrom('main', 'x'),
      to: strings,
      location: strings,
      seq: fc.oneof(fc.integer({ min: -1, max: 40 }), values),
      ifSeq: fc.oneof(fc.integer({ min: -1, max: 40 }), values),
    },
    { requiredKeys: [] },
  );
  const tried = methods.filter(({ name }) =>
    ['add', 'take', 'move', 'count', 'undo', 'view', 'history', 'user.add', 'ping', 'whoami', 'user.list'].includes(
      name,
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...tried), sent, uuid, async (method, all, operation) => {
      const known = Object.fromEntries(
        Object.entries({ ...all, operation: operation() }).filter(
          ([name], at) => method.params.some((param) => param.name === name) || at === 7,
        ),
      );
      const params: unknown = JSON.parse(JSON.stringify(known));
      const reply = await client.ask(method.name, params);
      const isRefused = reply?.error?.data.code === 'bad-params';
      if (!fits(params, paramsOf(method)))
        expect([method.name, params, isRefused]).toEqual([method.name, params, true]);
      if (reply?.result) expect(fits(reply.result, method.result.schema)).toBe(true);
    }),
    { numRuns: 300, seed: 3 },
  );
});
