import { connectionsBeforeLoginMax, connectionsMax, connectionsPerUserMax } from '../model/limits.ts';

/** What is looked at of a connection when there are too many. */
export interface Member {
  /** Takes one of the places of those who have not shown who they are. */
  readonly isStranger: boolean;
  /** Waits for nothing. */
  readonly isIdle: boolean;
  /** Has not been here for long enough to ask for something. */
  readonly isNew: boolean;
  /** Whose it is, as far as somebody has proven that. */
  readonly userId: number | undefined;
}

/**
 * Who has to go when there are too many, the first to come first; undefined when there is room. Among strangers it is one
 * who does nothing, because whoever means to log in does so at once: one who had the time to, if there is one; among users
 * it is one of whoever has most. Were it always the newcomer, a crowd that says nothing, or one user, would keep everybody
 * else out. Whoever has more than any user may have loses a connection whatever it does.
 */
export function chooseVictim<T extends Member>(all: ReadonlySet<T>, newcomer: T): T | undefined {
  if (all.size <= connectionsBeforeLoginMax) return undefined;
  const members = [...all];
  const strangers = members.filter(({ isStranger }) => isStranger);
  const tooManyStrangers = strangers.length > connectionsBeforeLoginMax;
  const busiest = ofBusiestUser(members);
  if (busiest.length > connectionsPerUserMax) return busiest.find(isIdleForLong) ?? busiest[0];
  if (!tooManyStrangers && members.length <= connectionsMax) return undefined;
  if (!tooManyStrangers) return busiest.find(isIdleForLong) ?? newcomer;
  return strangers.find(isIdleForLong) ?? strangers.find(({ isIdle }) => isIdle) ?? newcomer;
}

function isIdleForLong({ isIdle, isNew }: Member): boolean {
  return isIdle && !isNew;
}

function ofBusiestUser<T extends Member>(members: readonly T[]): readonly T[] {
  const byUser = Map.groupBy(
    members.filter(({ userId }) => userId !== undefined),
    ({ userId }) => userId,
  );
  return [...byUser.values()].reduce((most, some) => (some.length > most.length ? some : most), []);
}
