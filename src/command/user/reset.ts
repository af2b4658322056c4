import * as v from 'valibot';
import { define } from '../command.ts';
import { completeInvitation, formatInvitation, invitation, renderInvitation, userName } from '../field.ts';

/** For a user who forgot the password, or lost a device: everything they had is worthless, and they enroll again. */
export const userReset = define({
  name: 'user.reset',
  summary: "Forget a user's password, end their logins, API tokens and certificates, and print a new enrolment link.",
  permission: 'user:write',
  params: v.strictObject({ user: userName }),
  result: invitation,
  shell: {
    words: ['<user>'],
    examples: ['secure-inv user reset clerk1'],
    complete: completeInvitation,
    render: renderInvitation,
  },
  async handle({ user }, { auth, actor }) {
    const invitation = await auth.accounts.reset(actor, user);
    await auth.throttle.forget(invitation.user.id);
    return formatInvitation(invitation);
  },
});
