import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Command } from '../../src/command/command.ts';
import { commands } from '../../src/command/index.ts';
import { line } from '../support/wire-client.ts';
import { Conversation } from './conversation.ts';
import { FuzzedServer } from './fuzzed-server.ts';
import type { Nearness } from './params.ts';
import { type Asked, askedOf, Coverage, certifiedTargets, openAsking, serverTargets } from './server-targets.ts';
import { judgeLine } from './verdict.ts';

// `npm run test:fuzz` does the same for minutes, in a process for each target. What it finds becomes a test here.

const seed = 20_260_503;
const levels: readonly Nearness[] = ['valid', 'near-valid', 'invalid'];

/** Two servers more would take seconds: these modes take turns, by the day or by the seed that is given. */
const turn = Number(process.env['SECURE_INV_SEED'] ?? Math.floor(Date.now() / 86_400_000));
const mode = turn % 2 === 0 ? 'mutual' : 'both';

let shared: FuzzedServer | undefined;
let certified: FuzzedServer | undefined;
beforeAll(async () => {
  [shared, certified] = await Promise.all([FuzzedServer.open(), FuzzedServer.open(mode)]);
});
afterAll(async () => {
  await shared?.close();
  await certified?.close();
});

function server(): FuzzedServer {
  if (!shared) throw new Error('The server is there only while tests run.');
  return shared;
}

const inputs: Readonly<Record<string, number>> = { 'bytes, before TLS': 80, 'client certificates': 30, commands: 0 };

test.each(serverTargets(new Coverage()).filter(({ name }) => inputs[name] !== 0))(
  '$name: whatever is sent, the server lives, says why and shows nothing of its inside',
  async ({ name, open }) => {
    const target = await open(server());
    try {
      await target.run(seed, inputs[name] ?? 40);
    } finally {
      await target.close();
    }
  },
);

test.each(certifiedTargets(mode))(
  '$name: whatever is sent, the server lives, says why and does nothing for a stranger',
  async ({ open }) => {
    const target = await open(certified);
    try {
      await target.run(seed, 15);
    } finally {
      await target.close();
    }
  },
);

/** So often a command is tried with valid parameters until something comes of it. */
const roundsMax = 80;
/** To make parameters costs more than to send them, and most commands need few. */
const sampleSize = 20;
/** Some ten seconds of work, of which a busy machine makes many. */
const timeout = 90_000;
const familyOf = ({ name }: Command) => name.split('.')[0];
/** Who may do it: logins are for those who are nobody yet. */
const ableTo = ({ permission }: Command) => (permission === 'anyone' ? undefined : 'ada');

test('every command is reached with valid, near-valid and invalid parameters, and answers each', {
  timeout,
}, async () => {
  const coverage = new Coverage();
  const trial = await openAsking(coverage, server());
  for (const command of commands) {
    for (const level of levels) {
      for (const asked of fc.sample(askedOf(command, level), { seed, numRuns: 3 })) await trial.attempt(asked);
    }
  }
  await trial.close();
  await server().assertWell();
  for (const command of commands) {
    for (const level of levels)
      expect([command.name, level, coverage.count(command, level)]).toEqual([command.name, level, 3]);
    expect([command.name, coverage.count(command, 'bad-params') > 0]).toEqual([command.name, true]);
  }
});

test('every command is done by some of its valid parameters, or nobody would get past the gates', {
  timeout,
}, async () => {
  const coverage = new Coverage();
  const trial = await openAsking(coverage, server());
  const sampled = new Map<Command, readonly Asked[]>();
  const sampleOf = (command: Command, round: number): Asked | undefined => {
    const at = round % sampleSize;
    const runs = { seed: seed + round - at, numRuns: sampleSize };
    if (at === 0) sampled.set(command, fc.sample(askedOf(command, 'valid'), runs));
    return sampled.get(command)?.[at];
  };
  const missing = () => commands.filter((one) => coverage.count(one, 'done') === 0);
  for (let round = 0; round < roundsMax && missing().length > 0; round++) {
    // Its whole family: an import is accepted only after it began and its pages came.
    const families = new Set(missing().map(familyOf));
    for (const command of commands.filter((one) => families.has(familyOf(one)))) {
      const asked = sampleOf(command, round);
      if (asked) await trial.attempt({ ...asked, user: ableTo(command) });
    }
  }
  await trial.close();
  await server().assertWell();
  expect(missing().map(({ name }) => name)).toEqual([]);
});

test('found: a logout behind a long answer is answered, too', async () => {
  const conversation = new Conversation(server(), 'logged in', 'ada');
  const said = await conversation.say(Buffer.from(line('long', 'rpc.discover') + line('last', 'logout')));
  expect(said.slice(0, 2)).toMatchObject([{ id: 'long' }, { id: 'last', result: {} }]);
  conversation.close();
});

test.each(['session.revoke', 'token.revoke'])('found: %s repeats no name of any length', async (method) => {
  const conversation = new Conversation(server(), 'logged in', 'ada');
  const said = await conversation.say(Buffer.from(line(1, method, { id: 'x'.repeat(60_000) })));
  expect(said[0]).toMatchObject({ id: 1, code: 'bad-params' });
  conversation.close();
});

describe('the judge of what a server says', () => {
  const error = (code: number, data: object, message = 'No.') =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code, message, data } });
  const judge = (text: string) => judgeLine(text, () => undefined);

  test('takes a result, a refusal and a movement', () => {
    expect(judge('{"jsonrpc":"2.0","id":1,"result":{}}')).toMatchObject({ id: 1, result: {} });
    expect(judge(error(1005, { code: 'not-found' }))).toMatchObject({ code: 'not-found' });
  });

  test.each([
    ['a bug', error(-32603, { code: 'internal' })],
    ['a code that is not ours', error(1005, { code: 'lost' })],
    ['a code under the number of another', error(1006, { code: 'not-found' })],
    ['a code that only a client finds', error(1010, { code: 'unreachable' })],
    ['a stack trace', error(1005, { code: 'not-found' }, 'Error: x\n    at handle (server.ts)')],
    ['a place in a file', error(1005, { code: 'not-found' }, 'view.ts:12:3')],
    ['a path', error(1005, { code: 'not-found' }, `${process.cwd()}/src`)],
    ['a control character', error(1005, { code: 'not-found' }, '\u001b[2J')],
    ['a reply to two', '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}'],
    ['half a line', '{"jsonrpc":"2.0","id":1,"resul'],
  ])('refuses %s', (_what, text) => {
    expect(() => judge(text)).toThrow();
  });
});
