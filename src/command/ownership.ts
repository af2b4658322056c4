import * as v from 'valibot';
import { Failure } from '../model/failure.ts';
import { assertMay } from '../model/user.ts';
import type { Call } from './command.ts';
import { userName } from './field.ts';

// What belongs to a user (sessions, API tokens) is for that user, and for those who may write users.

/** The parameters that say whose: without any, the caller's own. */
export const ownerEntries = {
  user: v.optional(userName),
  all: v.optional(v.pipe(v.boolean(), v.description('of all users'))),
};

/** Nobody can be meant alone and with everybody. */
export function oneOrAll<Params extends { user?: string | undefined; all?: boolean | undefined }>() {
  return v.check<Params, string>(
    ({ user, all }) => user === undefined || all !== true,
    'Give a user (--user), or all (--all), not both.',
  );
}

/** The user who is meant; undefined: all. Failures: `forbidden` for others than oneself, `not-found`. */
export function ownerAsked(
  { user, all }: { user?: string | undefined; all?: boolean | undefined },
  { principal, auth }: Pick<Call, 'principal' | 'auth'>,
): number | undefined {
  if (all !== true && (user === undefined || user === principal.user)) return principal.userId;
  assertMay(principal, 'user:write');
  return user === undefined ? undefined : auth.accounts.named(user).id;
}

/** Whether something of this user is the caller's to end. */
export function mayEnd(userId: number, { principal }: Pick<Call, 'principal'>): boolean {
  return principal.userId === userId || principal.permissions.includes('user:write');
}

/** Whoever finds a machine's key must not lock people out with it, nor make more keys. Failures: `forbidden`. */
export function assertIsPerson({ principal }: Pick<Call, 'principal'>, what: string): void {
  if (!principal.apiToken) return;
  throw new Failure('forbidden', `You are logged in by an API token, which cannot ${what}.`, {
    hint: 'Run: secure-inv login (and unset SECURE_INV_TOKEN and SECURE_INV_TOKEN_FILE).',
  });
}
