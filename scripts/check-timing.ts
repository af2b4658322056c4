import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { failedLoginMinutes, strangerFailuresInARowMax } from '../src/model/limits.ts';
import { startServer, type TestServer } from '../test/support/server.ts';
import { enrollAdministrator, testPassword, WireClient } from '../test/support/wire-client.ts';

const help = `Measures whether the time of a refused login tells which users there are, on a server that is gone afterwards.

  npm run check:timing
  npm run check:timing -- --samples 1000

Options:
  --samples N   logins of each kind (default 200, at most 1000)
  --help        this text

Each kind is compared with the first by the Mann-Whitney U test. Where nothing differs, z lies between -2 and 2 in 95 of
100 runs. Beyond 4 (by chance once in 15,000 runs) the two can be told apart, and the status is 1.
`;

const zMax = 4;
/** So many failures from strangers, and the account is not shut out yet. */
const failuresPerUser = strangerFailuresInARowMax - 10;

/** A way to be refused, the users it is tried with in turn, and how long each answer took. */
interface Kind {
  readonly name: string;
  readonly users: readonly string[];
  readonly password: string;
  readonly milliseconds: number[];
}

function parseSamples(): number | undefined {
  const { values } = parseArgs({ options: { samples: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help) return undefined;
  const samples = Number(values.samples ?? 200);
  if (Number.isInteger(samples) && samples >= 20 && samples <= 1000) return samples;
  throw new Error(`--samples is a whole number from 20 to 1000 (got ${values.samples}).`);
}

async function withConnection<T>(server: TestServer, use: (client: WireClient) => Promise<T>): Promise<T> {
  let close = () => undefined as unknown;
  const client = await WireClient.open(server, {}, (clean) => {
    close = clean;
  });
  try {
    return await use(client);
  } finally {
    close();
  }
}

/** Users of every kind, enough of each that nobody is shut out but who should be. */
async function makeKinds(server: TestServer, samples: number): Promise<readonly Kind[]> {
  const kind = (name: string, stem: string, password = 'not-the-password-of-anybody') => ({
    name,
    users: Array.from({ length: Math.ceil(samples / failuresPerUser) }, (_, at) => `${stem}-${at}`),
    password,
    milliseconds: [],
  });
  const existing = kind('wrong password', 'existing');
  const unknown = kind('unknown name', 'unknown');
  const disabled = kind('disabled, right password', 'disabled', testPassword);
  const invited = kind('invited, no password yet', 'invited');
  const shutOut = { ...kind('shut out, right password', 'shut-out', testPassword), users: ['shut-out'] };
  await withConnection(server, async (administrator) => {
    await enrollAdministrator(server, administrator);
    for (const user of [existing, disabled, invited, shutOut].flatMap(({ users }) => users)) {
      const added = await administrator.ask('user.add', { user, role: 'clerk' });
      if (invited.users.includes(user)) continue;
      await withConnection(server, async (client) => {
        await client.ask('enroll', { code: added?.result?.['code'] });
        await client.ask('enroll', { password: testPassword });
      });
    }
    for (const user of disabled.users) await administrator.ask('user.disable', { user });
  });
  for (let failures = 0; failures < strangerFailuresInARowMax; failures++) {
    forgetFailures(server);
    await timeLogin(server, 'shut-out', 'not-the-password-of-anybody');
  }
  return [existing, unknown, disabled, invited, shutOut];
}

/** Then every account is as if nobody had failed lately, so that all are treated alike. */
function forgetFailures(server: TestServer): void {
  server.turnClock((failedLoginMinutes + 1) * 60_000);
}

/** From the request to its answer, which must be the refusal of a wrong password. */
async function timeLogin(server: TestServer, user: string, password: string): Promise<number> {
  return withConnection(server, async (client) => {
    const startedAt = performance.now();
    const reply = await client.ask('login', { user, password });
    const milliseconds = performance.now() - startedAt;
    if (reply?.error?.data.code === 'login-failed') return milliseconds;
    throw new Error(`A login as ${user} was answered otherwise: ${JSON.stringify(reply?.error?.message)}.`);
  });
}

async function measure(server: TestServer, samples: number): Promise<readonly Kind[]> {
  const kinds = await makeKinds(server, samples);
  for (let at = -10; at < samples; at++) {
    forgetFailures(server);
    // In another order each time, so that being first is nobody's disadvantage; the first rounds warm up.
    for (const { users, password, milliseconds } of shuffle(kinds)) {
      const taken = await timeLogin(server, users[Math.max(0, at) % users.length] ?? '', password);
      if (at >= 0) milliseconds.push(taken);
    }
  }
  return kinds;
}

function shuffle<T>(values: readonly T[]): T[] {
  const left = [...values];
  return values.flatMap(() => left.splice(randomInt(left.length), 1));
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}

/**
 * How far the ranks of `b` among both lie from what chance gives, in standard deviations (Mann-Whitney U; times in
 * nanoseconds have next to no ties). Positive: `b` takes longer.
 */
function zOf(a: readonly number[], b: readonly number[]): number {
  const all = [...a.map((value) => ({ value, isB: 0 })), ...b.map((value) => ({ value, isB: 1 }))];
  all.sort((left, right) => left.value - right.value);
  const rankSum = all.reduce((sum, { isB }, at) => sum + isB * (at + 1), 0);
  const u = rankSum - (b.length * (b.length + 1)) / 2;
  return (u - (a.length * b.length) / 2) / Math.sqrt((a.length * b.length * (a.length + b.length + 1)) / 12);
}

/** Prints a line a kind; whether any can be told from the first. */
function report([first, ...others]: readonly Kind[]): boolean {
  if (!first) throw new Error('Nothing was measured.');
  const print = (name: string, values: readonly number[], rest: string) =>
    process.stdout.write(`${name.padEnd(26)}median ${medianOf(values).toFixed(2).padStart(8)} ms${rest}\n`);
  print(first.name, first.milliseconds, `   (${first.milliseconds.length} logins of each kind)`);
  const zs = others.map(({ name, milliseconds }) => {
    const z = zOf(first.milliseconds, milliseconds);
    const verdict = Math.abs(z) > zMax ? 'CAN be told apart from it' : 'cannot be told apart from it';
    print(name, milliseconds, `   z ${z.toFixed(2).padStart(6)}   ${verdict}`);
    return Math.abs(z);
  });
  return zs.some((z) => z > zMax);
}

async function run(samples: number): Promise<void> {
  const cleanings: (() => unknown)[] = [];
  try {
    const server = await startServer({ isClockStopped: true, whenDone: (clean) => cleanings.unshift(clean) });
    if (report(await measure(server, samples))) process.exitCode = 1;
  } finally {
    for (const clean of cleanings) await clean();
  }
}

try {
  const samples = parseSamples();
  if (samples === undefined) process.stdout.write(help);
  else await run(samples);
} catch (error) {
  process.stderr.write(`check:timing: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
