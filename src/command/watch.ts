import * as v from 'valibot';
import { Failure } from '../model/failure.ts';
import { assertMay } from '../model/user.ts';
import { define } from './command.ts';
import { movement } from './field.ts';

const afterRule = 'after must be the number of a movement, a whole number from 0';

/**
 * The ledger as it grows: after the reply, each movement is a notification `movement` on the same connection. What the
 * shell prints is movements, too; how is up to the client.
 */
export const watch = define({
  name: 'watch',
  summary: 'Show movements as they happen.',
  permission: 'stock:read',
  params: v.strictObject({
    after: v.optional(
      v.pipe(
        v.number(afterRule),
        v.integer(afterRule),
        v.minValue(0, afterRule),
        v.description('begin behind the movement of this number; 0: with the first'),
      ),
    ),
    low: v.optional(
      v.pipe(v.boolean(), v.description('only movements that left an item at or below its low-stock threshold')),
    ),
  }),
  result: v.object({ seq: v.number() }),
  shell: {
    words: [],
    examples: ['secure-inv watch', 'secure-inv watch --after 0 --json', 'secure-inv watch --low'],
    render: ({ seq }) => `The last movement is ${seq}.`,
  },
  async handle({ after, low = false }, { store, principal, watch }) {
    assertMayWatch(principal, low);
    const { movements } = await store.history({ scope: principal.scope, limit: 1 });
    const seq = movements[0]?.seq ?? 0;
    if (after !== undefined && after > seq) {
      throw new Failure('bad-params', `There is no movement ${after} yet: the last one is ${seq}.`, {
        hint: `Watch after ${seq}, or leave it out to begin with the next.`,
      });
    }
    watch({ after: after ?? seq, seq, low });
    return { seq };
  },
});

/** What a notification `movement` carries: a movement as in `history`. */
export const watchedMovement = movement;

/** Deny unless allowed, when a watch begins and before every push. Failures: `forbidden`. */
export function assertMayWatch(principal: Parameters<typeof assertMay>[0], low: boolean): void {
  assertMay(principal, 'stock:read');
  if (!low || principal.scope === null) return;
  throw new Failure('forbidden', 'Low stock is told by totals over all locations, and you are limited to some.', {
    hint: 'Watch without low.',
  });
}
