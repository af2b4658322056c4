import { expect, test } from 'vitest';
import { connectionsBeforeLoginMax, connectionsMax, connectionsPerUserMax } from '../../src/model/limits.ts';
import { chooseVictim, type Member } from '../../src/server/crowd.ts';

const newcomer: Member = { isStranger: true, isIdle: true, isNew: true, userId: undefined };

function some(count: number, member: Partial<Member>): Member[] {
  return Array.from({ length: count }, () => ({
    isStranger: false,
    isIdle: true,
    isNew: false,
    userId: undefined,
    ...member,
  }));
}

/** Of as many users as it takes. */
function someUsers(count: number, member: Partial<Member> = {}): Member[] {
  return some(count, member).map((one, at) => ({ ...one, userId: 10 + Math.floor(at / connectionsPerUserMax) }));
}

const stranger = { isStranger: true };

test('while there is room nobody goes', () => {
  expect(chooseVictim(new Set([...some(connectionsBeforeLoginMax - 1, stranger), newcomer]), newcomer)).toBeUndefined();
  expect(chooseVictim(new Set([...someUsers(connectionsMax - 1), newcomer]), newcomer)).toBeUndefined();
});

test('of too many strangers the first goes who does nothing, and no user', () => {
  const users = some(500, { userId: 1 });
  const [busy, idle] = [some(9, { ...stranger, isIdle: false }), some(connectionsBeforeLoginMax - 9, stranger)];
  expect(chooseVictim(new Set([...users, ...busy, ...idle, newcomer]), newcomer)).toBe(idle[0]);
});

test('of strangers who all came just now the first goes who does nothing, or else the newcomer', () => {
  const busy = some(9, { ...stranger, isIdle: false });
  const fresh = some(connectionsBeforeLoginMax - 9, { ...stranger, isNew: true });
  expect(chooseVictim(new Set([...busy, ...fresh, newcomer]), newcomer)).toBe(fresh[0]);
  const old = some(1, stranger);
  expect(chooseVictim(new Set([...busy, ...fresh, ...old, newcomer]), newcomer)).toBe(old[0]);
  const allBusy = some(connectionsBeforeLoginMax, { ...stranger, isIdle: false });
  expect(chooseVictim(new Set([...allBusy, newcomer]), newcomer)).toBe(newcomer);
});

test('of too many users the one goes who has most', () => {
  const [first, crowd] = [some(3, { userId: 2 }), someUsers(connectionsMax - 3)];
  expect(chooseVictim(new Set([...first, ...crowd, newcomer]), newcomer)).toBe(crowd[0]);
});

test('a user who has more than any may have loses one that does nothing, or else the first', () => {
  const busy = some(connectionsPerUserMax, { userId: 1, isIdle: false });
  const idle: Member = { isStranger: false, isIdle: true, isNew: false, userId: 1 };
  expect(chooseVictim(new Set([...busy, newcomer]), newcomer)).toBeUndefined();
  expect(chooseVictim(new Set([...busy, ...some(1, { userId: 1, isIdle: false }), newcomer]), newcomer)).toBe(busy[0]);
  expect(chooseVictim(new Set([...busy, idle, newcomer]), newcomer)).toBe(idle);
});

test('where nobody is idle, it is the newcomer who is told to come back', () => {
  const crowd = someUsers(connectionsMax, { isIdle: false });
  expect(chooseVictim(new Set([...crowd, newcomer]), newcomer)).toBe(newcomer);
});
