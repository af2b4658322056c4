import * as v from 'valibot';
import { define } from '../command.ts';
import { completeInvitation, formatInvitation, invitation, renderInvitation, role, userName } from '../field.ts';

/** Makes a user, who sets a password with the link that is printed. */
export const userAdd = define({
  name: 'user.add',
  summary: 'Add a user, and print the link with which they set their password.',
  permission: 'user:write',
  params: v.strictObject({ user: userName, role }),
  result: invitation,
  shell: {
    words: ['<user>'],
    examples: ['secure-inv user add clerk1 --role clerk'],
    complete: completeInvitation,
    render: renderInvitation,
  },
  async handle({ user, role }, { auth, actor }) {
    return formatInvitation(await auth.accounts.invite(actor, user, role));
  },
});
