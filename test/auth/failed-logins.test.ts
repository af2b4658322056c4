import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type FailedLogins,
  formatFailedLogins,
  isShutOut,
  noFailedLogins,
  openFrom,
  parseFailedLogins,
  withFailure,
  withSuccess,
} from '../../src/auth/failed-logins.ts';
import { addressOf } from '../../src/auth/source.ts';

const minute = 60_000;
const start = 1_800_000_000_000;
const stranger = (name: number | string) => ({ key: `address:${name}`, isKnown: false });
const owner = { key: 'device:mine', isKnown: true };

/** Fails as soon as it may, so many times, from what `next` gives. */
function failOften(times: number, next: (at: number) => { key: string; isKnown: boolean }, value = noFailedLogins) {
  let [state, now] = [value, start];
  const waits: number[] = [];
  for (let at = 0; at < times; at++) {
    const wait = Math.max(0, openFrom(state, next(at)) - now);
    waits.push(wait / 1000);
    now += wait;
    state = withFailure(state, next(at), now);
  }
  return { state, now, waits };
}

test('a source waits 0, 0, 1, 2, 4, 8, 16, 30 and again 30 seconds, and not any more after it has logged in', () => {
  const { state, waits } = failOften(11, () => owner);
  expect(waits).toEqual([0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
  expect(openFrom(withSuccess(state, owner), owner)).toBe(0);
});

test('after 10 failures within 15 minutes every unknown source waits until 15 minutes after the last, and no known one', () => {
  const { state, now } = failOften(10, stranger);
  expect(now).toBe(start);
  expect(openFrom(state, stranger('new'))).toBe(now + 15 * minute);
  expect(openFrom(state, owner)).toBeLessThanOrEqual(now);
  // Not even a right password from one of them opens the door to the others.
  expect(openFrom(withSuccess(state, stranger(1)), stranger('new'))).toBe(now + 15 * minute);
});

test('failures that lie further apart are slips, and add up to nothing but the row', () => {
  let state = noFailedLogins;
  for (let at = 0; at < 50; at++) {
    const now = start + at * 2 * minute;
    expect(openFrom(state, stranger(at % 10))).toBeLessThanOrEqual(now);
    state = withFailure(state, stranger(at % 10), now);
  }
  expect(state).toMatchObject({ inARow: 50, failedAt: { length: 8 } });
});

test('after 100 failures in a row unknown sources are shut out until a known one logs in', () => {
  const { state } = failOften(99, stranger);
  expect(isShutOut(state, stranger('new'))).toBe(false);
  const shut = withFailure(state, stranger('new'), start + 1000 * minute);
  expect(isShutOut(shut, stranger('other'))).toBe(true);
  expect(isShutOut(shut, owner)).toBe(false);
  expect(isShutOut(withFailure(shut, owner, start + 2000 * minute), stranger('other'))).toBe(true);
  expect(isShutOut(withSuccess(shut, owner), stranger('other'))).toBe(false);
});

const attempt = fc.record({
  pause: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 20 * minute })),
  source: fc.oneof(
    fc.integer({ min: 0, max: 40 }).map(stranger),
    fc.integer({ min: 0, max: 3 }).map((name) => ({ key: `device:${name}`, isKnown: true })),
  ),
  isRight: fc.boolean(),
});

test('however tries are interleaved, unknown sources fail at most 10 times in any 15 minutes, and the value stays small', () => {
  fc.assert(
    fc.property(fc.array(attempt, { maxLength: 300 }), fc.boolean(), (attempts, knownLogIn) => {
      let [state, now]: [FailedLogins, number] = [noFailedLogins, start];
      const failedAt: number[] = [];
      for (const { pause, source, isRight } of attempts) {
        now += pause;
        if (openFrom(state, source) > now) continue;
        const logsIn = isRight && source.isKnown && knownLogIn;
        state = logsIn ? withSuccess(state, source) : withFailure(state, source, now);
        if (!source.isKnown) failedAt.push(now);
        expect(failedAt.filter((at) => at > now - 15 * minute).length).toBeLessThanOrEqual(10);
        expect(formatFailedLogins(state)?.length ?? 0).toBeLessThan(2048);
        expect(parseFailedLogins(formatFailedLogins(state) ?? '', now)).toEqual(state);
      }
    }),
    { numRuns: 300 },
  );
});

test('whatever strangers do, a known source may try at once', () => {
  fc.assert(
    fc.property(fc.array(attempt, { maxLength: 300 }), (attempts) => {
      let [state, now]: [FailedLogins, number] = [noFailedLogins, start];
      for (const { pause, source } of attempts) {
        now += pause;
        if (!source.isKnown && openFrom(state, source) <= now) state = withFailure(state, source, now);
        expect(openFrom(state, owner)).toBeLessThanOrEqual(now);
        expect(isShutOut(state, owner)).toBe(false);
      }
    }),
    { numRuns: 300 },
  );
});

test('what is kept of an account is worth nothing when it is damaged, and never keeps anybody waiting for a wrong clock', () => {
  const { state, now } = failOften(10, stranger);
  const text = formatFailedLogins(state) ?? '';
  expect(formatFailedLogins(noFailedLogins)).toBeNull();
  expect(parseFailedLogins(text, now)).toEqual(state);
  for (const damaged of [
    text.slice(0, -1),
    'null',
    '[]',
    '{"sources":[],"failedAt":[],"inARow":0}',
    '{"sources":{"a":1},"failedAt":[],"inARow":0}',
    '{"sources":{"a":{"failures":-1,"lastAt":0}},"failedAt":[],"inARow":0}',
    '{"sources":{},"failedAt":["x"],"inARow":0}',
    '{"sources":{},"failedAt":[1,2,3,4,5,6,7,8,9,10,11],"inARow":0}',
    '{"sources":{},"failedAt":[],"inARow":1e9}',
    '{"sources":{},"failedAt":[]}',
  ]) {
    expect(parseFailedLogins(damaged, now)).toEqual(noFailedLogins);
  }
  const past = now - 10_000 * minute;
  expect(openFrom(parseFailedLogins(text, past), stranger('new'))).toBe(past + 15 * minute);
  const own = formatFailedLogins(failOften(8, () => owner).state) ?? '';
  expect(openFrom(parseFailedLogins(own, past), owner)).toBe(past + 30_000);
});

test('an IPv6 source is its first 64 bits, and an IPv4 source itself in every spelling', () => {
  for (const [ip, address] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ] as const) {
    expect([ip, addressOf(ip)]).toEqual([ip, address]);
  }
});
