import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commands } from '../../src/command/index.ts';
import { shareServer } from '../support/shared-server.ts';
import { line, openAs, type WireClient } from '../support/wire-client.ts';

const server = shareServer();
const open = () => openAs(server(), server().grant['accessToken']);

/** An add whose params are this JSON, so that numbers are written as here and not as JavaScript would. */
async function add(client: WireClient, params: string) {
  const operation = `"operation":"${randomUUID()}"`;
  client.write(`{"jsonrpc":"2.0","id":1,"method":"add","params":{${params}${params ? ',' : ''}${operation}}}\n`);
  return client.reply();
}

describe('quantities', () => {
  test.each([
    '0',
    '-0',
    '-1',
    '-0.001',
    '0.0001',
    '1.0001',
    '1e400',
    '-1e400',
    '1e13',
    '1000000000000.001',
    '"12x"',
    '"12"',
    '""',
    'null',
    'true',
    '[1]',
    '{}',
    '0.30000000000000004',
  ])('%s is refused with the rule, and nothing changes', async (quantity) => {
    const client = await open();
    const reply = await add(client, `"item":"Refused","quantity":${quantity}`);
    expect(reply).toMatchObject({ error: { code: -32602, data: { code: 'bad-params' } } });
    expect(reply?.error?.message).toMatch(/^quantity must be a positive number with at most 3 decimals/);
    expect(await client.ask('view', { items: ['Refused'] })).toMatchObject({ error: { code: 1005 } });
  });

  test.each(['NaN', '+1', '1.', '.5', '0x10', '01', '1_000'])('%s is no JSON at all', async (quantity) => {
    const client = await open();
    expect(await add(client, `"item":"Refused","quantity":${quantity}`)).toMatchObject({ error: { code: -32700 } });
  });

  test('1.5 is refused for what is counted in whole pieces, and 10^12 in all is the most', async () => {
    const client = await open();
    expect(await add(client, '"item":"Whole","quantity":1.5')).toMatchObject({
      error: { code: -32602, message: 'Whole is counted in whole pieces (got 1.5).' },
    });
    expect(await add(client, '"item":"Whole","quantity":1e12')).toMatchObject({ result: { balance: 1e12 } });
    expect(await add(client, '"item":"Whole","quantity":1')).toMatchObject({ error: { code: -32602 } });
    expect(await add(client, '"item":"Whole 2","quantity":2.000')).toMatchObject({ result: { balance: 2 } });
  });
});

describe('names', () => {
  test.each([
    ['empty', ''],
    ['of spaces', ' \u00a0\u3000 '],
    ['of 65 characters', 'x'.repeat(65)],
    ['of 65 emoji', '\u{1f9fc}'.repeat(65)],
    ['with a newline', 'a\nb'],
    ['with a tab', 'a\tb'],
    ['with an escape sequence', '\u001b[2J'],
    ['with a C1 control', 'a\u009bm'],
    ['with a bidi override', 'a\u202eb'],
    ['with a bidi isolate', 'a\u2066b'],
    ['with a zero-width space', 'a\u200bb'],
    ['with a zero-width joiner', 'a\u200db'],
    ['with a soft hyphen', 'a\u00adb'],
    ['with a byte order mark', '\ufeffa'],
    ['with a line separator', 'a\u2028b'],
    ['with a lone surrogate', 'a\ud800b'],
    ['with a private character', '\ue000'],
    ['with an unassigned character', '\u{378}'],
    ['with an invisible filler', 'a\u3164b'],
    ['with a zero byte', 'a\0b'],
    ['__proto__', '__proto__'],
    ['__proto__ with spaces around', ' __proto__ '],
  ])('%s are refused', async (_, name) => {
    const client = await open();
    for (const params of [
      { item: name, quantity: 1 },
      { item: 'x', quantity: 1, location: name },
    ]) {
      const reply = await client.ask('add', { ...params, operation: randomUUID() });
      expect(reply).toMatchObject({ error: { code: -32602, data: { code: 'bad-params' } } });
      expect(reply?.error?.message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });

  test('that other languages trip over are names like any other', async () => {
    const client = await open();
    for (const item of [
      'constructor',
      'toString',
      'null',
      '-1',
      "'; DROP TABLE item; --",
      '"*',
      '%',
      '../x',
      '<b>',
      '{{7*7}}',
      'nul',
      '$HOME',
    ]) {
      expect(await client.ask('add', { item, quantity: 3, operation: randomUUID() })).toMatchObject({
        result: { item, balance: 3 },
      });
      expect(await client.ask('view', { items: [item] })).toMatchObject({ result: { items: [{ item, quantity: 3 }] } });
    }
  });

  test('that are all digits look like a scanned code and are not created unasked', async () => {
    const client = await open();
    const params = { item: '4001234', quantity: 1, operation: randomUUID() };
    expect(await client.ask('add', params)).toMatchObject({ error: { code: 1005 } });
    expect(await client.ask('add', { ...params, new: true })).toMatchObject({ result: { created: true } });
  });
});

describe('operations', () => {
  test('without an id, with a bad one, or with both forms are refused', async () => {
    const client = await open();
    const operation = randomUUID();
    for (const params of [
      { item: 'A', quantity: 1 },
      { item: 'A', quantity: 1, operation: 'x' },
      { item: 'A', quantity: 1, operation: `${operation}\n` },
      { item: 'A', operation },
      { operation },
      { lines: [], operation },
      { lines: [{ item: 'A', quantity: 1 }], item: 'A', quantity: 1, operation },
      { lines: Array.from({ length: 1001 }, () => ({ item: 'A', quantity: 1 })), operation },
      { item: 'A', quantity: 1, operation, user: 'somebody' },
      { lines: [{ item: 'A', quantity: 1, extra: 1 }], operation },
    ]) {
      expect(await client.ask('add', params)).toMatchObject({ error: { data: { code: 'bad-params' } } });
    }
    expect(await client.ask('view', { items: ['A'] })).toMatchObject({ error: { data: { code: 'not-found' } } });
  });

  test('with the same id and another body are a conflict; capitals of the id do not count', async () => {
    const client = await open();
    const operation = randomUUID();
    const first = await client.ask('add', { item: 'Once', quantity: 1, operation });
    expect(
      (await client.ask('add', { item: 'once', quantity: 1, operation: operation.toUpperCase() }))?.result,
    ).toEqual(first?.result);
    for (const changed of [{ quantity: 2 }, { item: 'Twice' }, { note: 'x' }]) {
      const reply = await client.ask('add', { item: 'Once', quantity: 1, operation, ...changed });
      expect(reply).toMatchObject({ error: { code: 1006, data: { code: 'conflict' } } });
    }
    expect(await client.ask('take', { item: 'Once', quantity: 1, operation })).toMatchObject({ error: { code: 1006 } });
  });
});

describe('whatever is sent as parameters', () => {
  const strings = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.constantFrom(
      '',
      'admin',
      'main',
      '*',
      '"',
      "'",
      'a'.repeat(600),
      '-name',
      '2026-02-31',
      '9999-12-31',
      '\u001b]0;x\u0007',
    ),
    fc.string().map((text) => Buffer.from(JSON.stringify(text)).toString('base64url')),
    fc.constantFrom('MQ', 'MA', 'LTE', 'MWUzMDA', 'WyJuYW1lIiwiIiwxXQ', 'WyJuYW1lIiwxLDFd', 'eyJ4IjoxfQ', 'bnVsbA'),
  );
  const values = fc.oneof(
    strings,
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(strings, { maxLength: 3 }),
    fc.dictionary(fc.string(), strings, { maxKeys: 2 }),
  );
  // Not enroll, login and passwd: what they do is hash.
  const tried = commands.filter(
    ({ name }) => !['enroll', 'login', 'passwd', 'logout', 'user.disable', 'user.reset'].includes(name),
  );

  test.each(tried.map(({ name, params }) => [name, params] as const))(
    '%s never fails by a bug, and answers in bounds',
    async (name, params) => {
      const fields = 'entries' in params ? Object.keys(params.entries as object) : [];
      const known = fc.record(Object.fromEntries(fields.map((field) => [field, values])), { requiredKeys: [] });
      const client = await open();
      await fc.assert(
        fc.asyncProperty(fc.oneof(known, fc.dictionary(fc.string(), values, { maxKeys: 2 })), async (sent) => {
          const text = line(1, name, sent);
          if (/"(__proto__|constructor)":/.test(text)) return;
          client.write(text);
          const reply = await client.reply();
          expect(reply).toBeDefined();
          expect(reply?.error?.data.code).not.toBe('internal');
          expect(reply?.error?.message ?? '').not.toMatch(/[\p{Cc}\p{Cf}]/u);
          expect(reply?.error?.message.length ?? 0).toBeLessThan(400);
        }),
        { numRuns: 60, seed: 7 },
      );
    },
  );
});
