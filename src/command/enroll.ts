import * as v from 'valibot';
import { definePublic } from './command.ts';
import { formatTime, grant, password, user } from './field.ts';

/**
 * Two steps on one connection: the code from an enrolment link is spent and bound to the connection, and only then is a
 * password asked, because others may have seen the link on a command line.
 */
export const enroll = definePublic({
  name: 'enroll',
  summary: 'Set the first password with an enrolment link, and log in.',
  permission: 'anyone',
  params: v.pipe(
    v.strictObject({
      code: v.optional(v.pipe(v.string(), v.maxLength(64), v.description('the code of the link: the first step'))),
      password: v.optional(password),
    }),
    v.check(
      ({ code, password }) => (code === undefined) !== (password === undefined),
      'enroll takes a code, and then on the same connection a password',
    ),
  ),
  result: v.object({ ...user.entries, ...v.partial(grant).entries, user: v.string(), role: v.string() }),
  async handle({ code, password }, { identity }) {
    if (code !== undefined) {
      const { user, role } = await identity.redeem(code);
      return { user, role };
    }
    const granted = await identity.enroll(password ?? '');
    return { ...granted, expiresAt: formatTime(granted.expiresAt) };
  },
});
