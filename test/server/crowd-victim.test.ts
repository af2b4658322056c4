import { expect, test } from 'vitest';
import { connectionsBeforeLoginMax, connectionsMax } from '../../src/model/limits.ts';
import { chooseVictim, type Member } from '../../src/server/crowd.ts';

const newcomer: Member = { isStranger: true, isIdle: false, userId: undefined };

function some(count: number, member: Partial<Member>): Member[] {
  return Array.from({ length: count }, () => ({ isStranger: false, isIdle: true, userId: undefined, ...member }));
}

const stranger = { isStranger: true };

test('while there is room nobody goes', () => {
  expect(chooseVictim(new Set([...some(connectionsBeforeLoginMax - 1, stranger), newcomer]), newcomer)).toBeUndefined();
  expect(chooseVictim(new Set([...some(connectionsMax - 1, { userId: 1 }), newcomer]), newcomer)).toBeUndefined();
});

test('of too many strangers the first goes who does nothing, and no user', () => {
  const users = some(500, { userId: 1 });
  const [busy, idle] = [some(9, { ...stranger, isIdle: false }), some(connectionsBeforeLoginMax - 9, stranger)];
  expect(chooseVictim(new Set([...users, ...busy, ...idle, newcomer]), newcomer)).toBe(idle[0]);
});

test('one user with most of all connections keeps nobody else out', () => {
  const [first, crowd] = [some(3, { userId: 2 }), some(connectionsMax - 3, { userId: 1 })];
  expect(chooseVictim(new Set([...first, ...crowd, newcomer]), newcomer)).toBe(crowd[0]);
});

test('where nobody is idle, it is the newcomer who is told to come back', () => {
  const crowd = some(connectionsMax, { userId: 1, isIdle: false });
  expect(chooseVictim(new Set([...crowd, newcomer]), newcomer)).toBe(newcomer);
});
