import fc from 'fast-check';
import { checkParams } from '../../src/command/check.ts';
import type { Command } from '../../src/command/command.ts';
import { Failure } from '../../src/model/failure.ts';
import { testPassword } from '../support/wire-client.ts';

/** What stands for something that only the server under test knows; `FuzzedServer.fill` puts it in its place. */
export const placeholders = [
  ...(['<access>', '<refresh>', '<api>', '<session>', '<token-id>', '<device>', '<cursor>', '<code>'] as const),
];
/** The same where a schema takes no such text. */
export const standIns = { import: 987_654_321, seq: 987_654_322, publicKey: 'FuzzedKey', signature: 'FuzzedSignature' };

export type Params = Readonly<Record<string, unknown>>;

/** As much of a valibot schema as is walked here. */
interface Schema {
  readonly type: string;
  readonly entries?: Readonly<Record<string, Schema>>;
  readonly item?: Schema;
  readonly wrapped?: Schema;
  readonly options?: readonly unknown[];
  readonly requirement?: unknown;
  readonly pipe?: readonly Schema[];
}

/** What there is of everything in the beginning: drawn more often, so that something comes of a request. */
const stocked = { items: ['Maggi', 'Soap', 'Salt'], places: ['main', 'cellar'] };
const items = ['Maggi', 'Soap', 'soap', 'Salt', '4006381333931', 'S-1', 'ﬁlter', 'İstanbul', 'Straße', 'x'.repeat(64)];
const odd = [
  'constructor',
  'toString',
  "'; DROP TABLE item; --",
  '%',
  '_',
  '*',
  '"quoted"',
  '-1',
  '1e3',
  'null',
  '👩🏽',
];
const places = ['main', 'cellar', 'Cellar', 'attic', 'nowhere'];
const users = ['ada', 'cleo', 'cleo', 'victim', 'ghost', 'u'.repeat(32), '0', 'a..-_'];
const times = ['2026-05-03', '2026-05-03T14:02:00Z', '0000-01-01', '9999-12-31T23:59:59.999999999+23:59', '2024-02-29'];
const operations = ['0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e', '00000000-0000-0000-0000-000000000000'];
const tokens = [...placeholders, 'a.b.c', 'sit_x', 'x'.repeat(3000)];

/** Values that mean something on the server under test, for the fields where others would only be unknown. */
const known: Readonly<Record<string, readonly string[]>> = {
  item: [...items, ...odd],
  items: [...items, ...odd],
  name: [...items, ...places, ...odd],
  search: ['', 'ma', 'so ap', ...odd, '\u0000', 'x'.repeat(128)],
  location: [...places, ...odd],
  locations: places,
  from: places,
  to: places,
  user: users,
  since: times,
  until: times,
  token: tokens,
  refreshToken: tokens,
  id: tokens,
  code: ['<code>', 'A'.repeat(22), ''],
  device: ['<device>', 'x'],
  cursor: ['<cursor>', 'MQ', 'LTE', 'WyJuYW1lIiwiIiwxXQ', 'bnVsbA', '', 'x'.repeat(512)],
  password: [testPassword, 'short', 'x'.repeat(512), 'Another-long-passphrase-72'],
  current: [testPassword, 'wrong-passphrase-73'],
  source: ['127.0.0.1', '::1', '%'],
  unit: ['kg', 'pcs', 'ﬂ'],
  publicKey: [standIns.publicKey],
  signature: [standIns.signature],
};
const likely: Readonly<Record<string, readonly string[]>> = {
  item: [...stocked.items, '<archived>'],
  location: stocked.places,
  from: stocked.places,
  to: stocked.places,
};
const knownNumbers: Readonly<Record<string, readonly number[]>> = {
  import: [standIns.import],
  seq: [standIns.seq],
  rows: [1],
  page: [0],
  quantity: [1, 2.5],
};

/** Text at the edges of what is text, and of what ours may be. */
const edgeStrings = fc.oneof(
  fc.constantFrom(
    ...['', ' ', '\u0000', '\ud800', '\udfff\ud800', '\u202eabc', '\ufeff', '\u001b[2J', '\n', '__proto__', '<access>'],
    ...[64, 65, 128, 129, 200, 201, 256, 512, 513, 2048, 2049].map((length) => 'x'.repeat(length)),
    ...['👩🏽'.repeat(64), '\u0301'.repeat(64), '﷽'.repeat(64), '2026-02-31', '-name', '1970-01-01T00:00:00+99:99'],
  ),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ maxLength: 20 }),
);
const edgeNumbers = fc.oneof(
  fc.constantFrom(0, -1, 1, 0.001, 0.0001, 0.0005, 1.005, 999_999_999_999.999, 1e12, 1e12 + 1, 1e15, 1e21, 5e-324),
  fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), 2 ** 63, 2 ** 64, Number.MAX_VALUE, -1e308),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
);

/** Any value that JSON has. */
const values: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: edgeStrings },
  { weight: 4, arbitrary: edgeNumbers },
  fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], { item: 'Soap' }, [[[[[[[1]]]]]]]),
  fc.array(edgeStrings, { maxLength: 3 }),
  fc.constantFrom(101, 1000, 1001, 1200).map((length) => Array.from({ length }, () => 'Soap')),
  fc.constantFrom(1000, 1001).map((length) => Array.from({ length }, () => ({ item: 'Soap', quantity: 1 }))),
  fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
);

function requirementOf(schema: Schema, type: string): unknown {
  return schema.pipe?.find((action) => action.type === type)?.requirement;
}

function numberOf(schema: Schema, type: string, otherwise: number): number {
  const found = requirementOf(schema, type);
  return typeof found === 'number' ? found : otherwise;
}

function numbers(name: string, schema: Schema): fc.Arbitrary<number> {
  const min = numberOf(schema, 'min_value', 0);
  const max = numberOf(schema, 'max_value', 1e12);
  const small = fc.integer({ min, max: Math.min(max, min + 200) });
  const any = fc.oneof({ weight: 6, arbitrary: small }, fc.constantFrom(min, max, max - 1, min + 0.001, 2 ** 53 - 1));
  const pool = knownNumbers[name];
  return pool ? fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...pool) }, any) : any;
}

function strings(name: string, schema: Schema): fc.Arbitrary<string> {
  const pattern = requirementOf(schema, 'regex');
  const matching = pattern instanceof RegExp ? fc.stringMatching(pattern, { size: 'small' }) : edgeStrings;
  const pool = name === 'operation' ? operations : known[name];
  // An operation that was done before is done no more, and a new user is kept in memory.
  if (name === 'operation') return fc.oneof({ weight: 9, arbitrary: fc.uuid() }, fc.constantFrom(...operations));
  if (!pool) return matching;
  const any = fc.constantFrom(...pool);
  return likely[name] ? fc.oneof(fc.constantFrom(...likely[name]), any) : any;
}

/** What a schema seems to take. Its checks may still refuse it. */
function fitting(name: string, schema: Schema): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'optional':
      return schema.wrapped ? fitting(name, schema.wrapped) : values;
    case 'nullable':
      return fc.option(schema.wrapped ? fitting(name, schema.wrapped) : values, { freq: 3 });
    case 'strict_object':
      return fittingObject(schema.entries ?? {});
    case 'array':
      return fc.array(schema.item ? fitting(name, schema.item) : values, {
        minLength: numberOf(schema, 'min_length', 0),
        maxLength: 4,
      });
    case 'picklist':
      return fc.constantFrom(...(schema.options ?? []));
    case 'boolean':
      return fc.boolean();
    case 'number':
      return numbers(name, schema);
    case 'string':
      return strings(name, schema);
    default:
      throw new Error(`No parameters are made for the schema ${schema.type} of ${name} yet: say how, here.`);
  }
}

function fittingObject(entries: Readonly<Record<string, Schema>>): fc.Arbitrary<Params> {
  const all = Object.entries(entries);
  const requiredKeys = all.filter(([, { type }]) => type !== 'optional').map(([name]) => name);
  // How many of the optional ones are there is drawn first: some commands want all of a group, or none.
  const some = fc.record(Object.fromEntries(all.map(([name, schema]) => [name, fitting(name, schema)])), {
    requiredKeys,
  });
  const whole = fc.record(Object.fromEntries(all.map(([name, schema]) => [name, fitting(name, schema)])));
  const single = all.filter(([, { type }]) => type === 'optional');
  const without = fc
    .tuple(whole, fc.subarray(single.map(([name]) => name)))
    .map(([params, left]) => Object.fromEntries(Object.entries(params).filter(([name]) => !left.includes(name))));
  return fc.oneof(some, without);
}

/** Whether the schema of a command takes these. */
export function isTaken(command: Command, params: Params): boolean {
  try {
    checkParams(command, params);
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

const schemaOf = (command: Command): Schema => command.params as unknown as Schema; // As much of it as is looked at.

/** Each is made once: that takes longer than all that the short form does with it. */
function once<Made>(make: (command: Command) => Made): (command: Command) => Made {
  const made = new Map<Command, Made>();
  return (command) => {
    const one = made.get(command) ?? make(command);
    made.set(command, one);
    return one;
  };
}

/** Parameters that the schema of a command takes. */
const validParams = once((command) =>
  fittingObject(schemaOf(command).entries ?? {}).filter((params) => isTaken(command, params)),
);

/** Valid ones with one thing about them changed; some of them are valid still. */
const nearlyValidParams = once((command): fc.Arbitrary<Params> => {
  const edits = fc.constantFrom('drop', 'set', 'add', 'wrap', 'text', 'inside');
  const names = Object.keys(schemaOf(command).entries ?? {});
  const name = names.length > 0 ? fc.constantFrom(...names) : fc.constant('no');
  return fc.tuple(validParams(command), edits, name, values).map(([params, edit, field, value]) => {
    const { [field]: given, ...rest } = params;
    if (edit === 'drop') return rest;
    if (edit === 'add') return { ...params, such: value };
    if (edit === 'wrap') return { ...rest, [field]: [given] };
    if (edit === 'text') return { ...rest, [field]: JSON.stringify(given ?? '') };
    if (edit === 'inside' && Array.isArray(given)) return { ...rest, [field]: [...given, value] };
    return { ...rest, [field]: value };
  });
});

/** The parameters of a command, but with anything in them. */
const invalidParams = once((command): fc.Arbitrary<Params> => {
  const names = Object.keys(schemaOf(command).entries ?? {});
  return fc.oneof(
    fc.record(Object.fromEntries(names.map((name) => [name, values])), { requiredKeys: [] }),
    fc.dictionary(fc.string({ maxLength: 10 }), values, { maxKeys: 3 }),
  );
});

/** How near to right the parameters of a request are, and how they are made. */
export const paramsOf = { valid: validParams, 'near-valid': nearlyValidParams, invalid: invalidParams } as const;

export type Nearness = keyof typeof paramsOf;
