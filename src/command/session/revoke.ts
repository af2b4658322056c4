import * as v from 'valibot';
import { Failure } from '../../model/failure.ts';
import { define } from '../command.ts';
import { publicId } from '../field.ts';
import { assertIsPerson, mayEnd } from '../ownership.ts';

/** Ends a login that somebody forgot or does not know: its tokens are worthless and its connections closed. */
export const sessionRevoke = define({
  name: 'session.revoke',
  summary: 'End a login, or all your others, wherever they are.',
  permission: 'principal',
  params: v.pipe(
    v.strictObject({
      id: v.optional(v.pipe(publicId, v.description('the login, as session list shows it'))),
      others: v.optional(v.pipe(v.boolean(), v.description('all your logins but this one'))),
    }),
    v.check(
      ({ id, others }) => (id === undefined) === (others === true),
      'Give a login, or others (--others); secure-inv session list shows them.',
    ),
  ),
  result: v.object({ ended: v.number() }),
  shell: {
    words: ['[id]'],
    examples: ['secure-inv session revoke 2GsXc0bT9LmVJp4q', 'secure-inv session revoke --others'],
    render: ({ ended }) =>
      ended === 0 ? 'You have no other login.' : ended === 1 ? 'One login has ended.' : `${ended} logins have ended.`,
  },
  async handle({ id }, call) {
    const { auth, principal, actor, now } = call;
    if (!principal.permissions.includes('user:write')) assertIsPerson(call, 'end logins');
    const live = auth.accounts.liveSessions(auth.tokens, now).map(({ session }) => session);
    const ending = live.filter((session) =>
      id === undefined
        ? session.userId === principal.userId && session.id !== principal.sessionId
        : session.id === id && mayEnd(session.userId, call),
    );
    if (id !== undefined && ending.length === 0) {
      throw new Failure('not-found', `No login ${JSON.stringify(id)}.`, { hint: 'See: secure-inv session list' });
    }
    auth.allowance.spend(principal.userId);
    await Promise.all(ending.map((session) => auth.accounts.endSession(actor, 'session-ended', session.id)));
    return { ended: ending.length };
  },
});
